// SPDX-License-Identifier: GPL-2.0-or-later
/* The build id among notes: padded either way, cut anywhere, lying about lengths. */
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/head/elf_note.h"
#include "tests/lib/fixture.h"

struct area {
	uint8_t data[512];
	size_t len;
};

/* Appends a note, padded to `align` bytes as gABI says. */
static void add(struct area *a, const char *name, uint32_t type, const void *desc, uint32_t len,
		size_t align)
{
	Elf64_Nhdr nh = {.n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = len, .n_type = type};

	memcpy(a->data + a->len, &nh, sizeof(nh));
	memcpy(a->data + a->len + sizeof(nh), name, nh.n_namesz);
	a->len = (a->len + sizeof(nh) + nh.n_namesz + align - 1) / align * align;
	memcpy(a->data + a->len, desc, len);
	a->len = (a->len + len + align - 1) / align * align;
}

static const uint8_t own[] = "the id of this file";
#define OWN_LEN 20

static void assert_own(const struct area *a, size_t align)
{
	struct build_id id = {0};

	assert_true(elf_note_build_id(a->data, a->len, align, &id));
	assert_int_equal(id.len, OWN_LEN);
	assert_memory_equal(id.data, own, OWN_LEN);
}

/* Nothing can be read behind the notes. */
static bool finds(const struct area *a, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct build_id id = {0};
	bool found;

	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	memcpy(two + page - len, a->data, len);
	found = elf_note_build_id(two + page - len, len, 4, &id);
	munmap(two, 2 * page);
	return found;
}

static void test_behind_others(void **state)
{
	(void)state;
	for (size_t align = 4; align <= 8; align += 4) {
		struct area a = {.len = 0};

		add(&a, "GNU", NT_GNU_PROPERTY_TYPE_0, "1234567890", 10, align);
		add(&a, "Linux", NT_GNU_BUILD_ID, "no build id", 11, align);
		add(&a, "GNU", NT_GNU_BUILD_ID, "", 0, align);
		add(&a, "GNU", NT_GNU_BUILD_ID, own, OWN_LEN, align);
		add(&a, "GNU", NT_GNU_BUILD_ID, "a second one", 12, align);
		assert_own(&a, align);
	}
}

static void test_cut_anywhere(void **state)
{
	struct area a = {.len = 0};
	size_t whole;

	(void)state;
	add(&a, "Xen", 6, "kernel", 6, 4);
	add(&a, "GNU", NT_GNU_BUILD_ID, own, OWN_LEN, 4);
	whole = a.len;
	assert_true(finds(&a, whole));
	for (size_t len = 0; len < whole; len++)
		assert_false(finds(&a, len));
	a.len = 0;
	add(&a, "GNU", NT_GNU_BUILD_ID, "", 0, 4);
	for (size_t len = 0; len <= a.len; len++)
		assert_false(finds(&a, len));
}

static void test_lengths_that_lie(void **state)
{
	uint8_t longest[BUILD_ID_MAX + 1] = {1};
	struct area a = {.len = 0};

	(void)state;
	add(&a, "GNU", NT_GNU_BUILD_ID, longest, sizeof(longest), 4);
	assert_false(finds(&a, a.len));
	add(&a, "GNU", NT_GNU_BUILD_ID, longest, BUILD_ID_MAX, 4);
	assert_true(finds(&a, a.len));
	for (size_t field = 0; field < 2; field++) { /* namesz, descsz */
		struct area lie = {.len = 0};

		add(&lie, "GNU", NT_GNU_BUILD_ID, own, OWN_LEN, 4);
		memset(lie.data + 4 * field, 0xff, 4);
		assert_false(finds(&lie, lie.len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_behind_others),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_lengths_that_lie),
	};

	return cmocka_run_group_tests_name("elf_note", tests, NULL, NULL);
}
