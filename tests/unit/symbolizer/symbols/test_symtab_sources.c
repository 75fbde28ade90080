// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbols from other places than a table of sections: .gnu_debugdata, PT_DYNAMIC; and from files that
 * change. */
#include "tests/lib/symtab_fixture.h"

/* What Fedora's build does: .symtab without what .dynsym has, as xz, in the stripped file. */
static void test_gnu_debugdata(void **state)
{
	struct loaded full, mini;
	size_t checked = 0;

	(void)state;
	fixture_write("hidden.c",
		      "#define H(n) static __attribute__((noinline, used)) int h##n(int x)"
		      "{ volatile int y = x; return y + n; }\n"
		      "H(1) H(2) H(3) int shown(void) { return h1(2); }\n");
	fixture_run("gcc -O1 -shared -fPIC hidden.c -o hidden.so && objcopy --only-keep-debug "
		    "hidden.so m.debug && objcopy -S --remove-section .comment m.debug m.mini "
		    "--keep-symbol=h1 --keep-symbol=h2 --keep-symbol=h3 && xz -k -f m.mini && "
		    "strip -o mini.so hidden.so && "
		    "objcopy --add-section .gnu_debugdata=m.mini.xz mini.so");
	full = load("hidden.so");
	mini = load("mini.so");
	for (uint32_t i = 0; i < symtab_count(full.t); i++) {
		uint64_t start, end;
		char want[128];

		symtab_range(full.t, i, &start, &end);
		snprintf(want, sizeof(want), "%s", name_at(&full, start));
		if (want[0] != 'h' && strcmp(want, "shown") != 0)
			continue;
		expect(&mini, start, want);
		expect(&mini, end - 1, want);
		checked++;
	}
	assert_int_equal(checked, 4);
	unload(&full);
	unload(&mini);
}

static void test_damaged_gnu_debugdata_is_a_problem(void **state)
{
	struct elf_obj *obj;
	struct symtab *t;
	int problem = 0;

	(void)state;
	fixture_run("seq 1 5000 | xz > junk.xz && objcopy --add-section .gnu_debugdata=junk.xz "
		    "many-stripped.so junk.so && head -c 500 junk.xz > cut.xz && "
		    "objcopy --add-section .gnu_debugdata=cut.xz many-stripped.so cut.so && "
		    "head -c 70000000 /dev/zero | xz -0 > bomb.xz && "
		    "objcopy --add-section .gnu_debugdata=bomb.xz many-stripped.so bomb.so");
	for (int i = 0; i < 3; i++) {
		static const char *const paths[] = {"junk.so", "cut.so", "bomb.so"};

		assert_int_equal(elf_obj_open(&obj, fixture_open(paths[i]), NULL), 0);
		assert_int_equal(symtab_load(&t, obj, NULL, NULL, &problem), 0);
		assert_int_equal(problem, i == 2 ? -EFBIG : -EBADMSG);
		assert_true(symtab_count(t) >= 400); /* .dynsym is there all the same */
		symtab_free(t);
		elf_obj_free(obj);
	}
}

/* The same functions as with sections, where those have a size (what ends an unsized one is its
 * section, too), but for PLT stubs. */
static void check_sectionless(const char *path, size_t at_least)
{
	struct loaded with, without;
	size_t checked = 0;

	fixture_run("cp -L %s with.so && strip with.so && cp with.so without.so", path);
	fixture_drop_sections("without.so");
	with = load("with.so");
	without = load("without.so");
	for (uint32_t i = 0; i < symtab_count(with.t); i++) {
		uint64_t start, end;
		char want[512];

		symtab_range(with.t, i, &start, &end);
		snprintf(want, sizeof(want), "%s", name_at(&with, start));
		if (strstr(want, "@plt"))
			continue;
		expect(&without, start, want);
		expect(&without, end - 1, want);
		checked++;
	}
	if (checked < at_least)
		fail_msg("%s: %zu functions only", path, checked);
	unload(&with);
	unload(&without);
}

static void test_files_without_a_section_table(void **state)
{
	(void)state;
	fixture_run("gcc -O1 -shared -fPIC -Wl,--hash-style=sysv many.c -o sysv.so && "
		    "gcc -O1 -shared -fPIC -Wl,--hash-style=gnu many.c -o gnu.so && "
		    "gcc -O1 -shared -fPIC -Wl,--hash-style=both many.c -o both.so");
	check_sectionless("sysv.so", 400);
	check_sectionless("gnu.so", 400);
	check_sectionless("both.so", 400);
	if (access(LIBC, R_OK) == 0)
		check_sectionless(LIBC, 1500);
}

/* What has no size ends with the code at the latest, and one that has a size goes before it. */
static void test_symbols_without_a_size(void **state)
{
	struct loaded l;
	uint64_t last, sized, data;

	(void)state;
	fixture_write("sizes.s", ".text\n.globl sizeless, sized, last\n"
				 ".type sizeless, @function\n.type sized, @function\n"
				 ".type last, @function\n.globl a_sizeless\n"
				 ".type a_sizeless, @function\n"
				 "sizeless:\na_sizeless:\nsized:\n"
				 "nop\nnop\n.size sized, 2\nlast:\nret\n"
				 ".data\n.globl data\n.type data, @function\ndata: .quad 1\n"
				 ".size data, 8\n");
	fixture_run("gcc -shared -nostdlib -Wl,-z,noseparate-code sizes.s -o sizes.so");
	sized = fixture_nm("sizes.so", "sized");
	last = fixture_nm("sizes.so", "last");
	data = fixture_nm("sizes.so", "data");
	l = load("sizes.so");
	expect(&l, sized, "sized");
	unload(&l);
	fixture_drop_sections("sizes.so");
	l = load("sizes.so");
	expect(&l, sized + 1, "sized");
	expect(&l, last, "last");
	expect(&l, last + 16, NULL);
	expect(&l, data, NULL); /* no code, whatever it is said to be */
	unload(&l);
}

static void poke(const char *path, uint64_t tag, uint64_t value)
{
	uint8_t *data;
	size_t len;
	FILE *f;

	data = fixture_read(path, &len);
	for (size_t i = 0; i + 16 <= len; i += 8)
		if (!memcmp(data + i, &tag, 8) && !memcmp(data + i + 16, "\5\0\0\0\0\0\0\0", 8))
			memcpy(data + i + 8, &value, 8);
	f = fopen(path, "we");
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	free(data);
}

/* A hash table that lies, or none: a problem, and no names rather than wrong ones. */
static void test_damaged_dynamic_section(void **state)
{
	static const uint64_t values[] = {0, 8, 1ull << 40, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct elf_obj *obj;
		struct symtab *t;
		int problem = 0;

		fixture_run("cp gnu.so broken.so");
		fixture_drop_sections("broken.so");
		poke("broken.so", DT_GNU_HASH, values[i]); /* DT_STRTAB (5) stands behind it */
		assert_int_equal(elf_obj_open(&obj, fixture_open("broken.so"), NULL), 0);
		assert_int_equal(symtab_load(&t, obj, NULL, NULL, &problem), 0);
		assert_int_equal(problem, -EBADMSG);
		assert_int_equal(symtab_count(t), 0);
		symtab_free(t);
		elf_obj_free(obj);
	}
}

/* Names are read late: a file that lost them answers "no name", not rubbish. */
static void test_names_of_a_file_cut_short(void **state)
{
	struct loaded l;
	struct buf name = {0};

	(void)state;
	fixture_run("cp many short");
	l = load("short");
	assert_int_equal(truncate("short", 4096), 0);
	assert_int_equal(symtab_name(l.t, 0, &name), -ENOENT);
	assert_int_equal(name.len, 0);
	buf_release(&name);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gnu_debugdata),
		cmocka_unit_test(test_damaged_gnu_debugdata_is_a_problem),
		cmocka_unit_test(test_files_without_a_section_table),
		cmocka_unit_test(test_symbols_without_a_size),
		cmocka_unit_test(test_damaged_dynamic_section),
		cmocka_unit_test(test_names_of_a_file_cut_short),
	};

	return cmocka_run_group_tests_name("symtab_sources", tests, many_setup, fixture_teardown);
}
