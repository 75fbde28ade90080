// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind and build id of ELF files that compilers made, and of bytes that lie. */
#include <elf.h>
#include <errno.h>

#include "profiler/base/text.h"
#include "symbolizer/head/elf_head.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_write("x.c", "int x(void) { return 0; }\n");
	fixture_run("gcc -g -shared -Wl,--build-id=0x0badcafe x.c -o full");
	fixture_run("gcc -c x.c -o object.o; ld -r --build-id=0x0badcafe object.o -o object");
	fixture_run("gcc -shared -Wl,--build-id=none x.c -o nameless");
	fixture_run("strip full -o stripped; objcopy --only-keep-debug full debug");
	return 0;
}

static struct elf_head head_of(const char *name)
{
	struct elf_head head;
	int fd = fixture_open(name);

	assert_int_equal(elf_head_of(&head, fd), 0);
	assert_int_equal(elf_head_type(fd), head.type);
	close(fd);
	return head;
}

static void assert_head(const char *name, uint16_t type, const char *id, bool has_symtab)
{
	struct elf_head head = head_of(name);
	char hex[2 * BUILD_ID_MAX + 1];

	text_hex(head.build_id.data, head.build_id.len, hex);
	assert_string_equal(hex, id);
	assert_int_equal(head.type, type);
	assert_int_equal(head.has_symtab, has_symtab);
}

TEST(what_compilers_make)
{
	assert_head("full", ET_DYN, "0badcafe", true);
	assert_head("stripped", ET_DYN, "0badcafe", false);
	assert_head("debug", ET_DYN, "0badcafe", true);
	assert_head("nameless", ET_DYN, "", true);
}

/* No program headers: the note is a section's. */
TEST(an_object_file)
{
	assert_head("object", ET_REL, "0badcafe", true);
}

/* --- bytes ------------------------------------------------------------------------------------- */

struct file { /* 64 bits: header, one program header, a note; 32 bits: the same, narrower */
	uint8_t data[512];
	size_t len;
};

static long read_file(void *ctx, void *buf, size_t len, uint64_t off)
{
	struct file *f = ctx;

	if (off >= f->len)
		return 0;
	if (len > f->len - off)
		len = f->len - off;
	memcpy(buf, f->data + off, len);
	return (long)len;
}

static const uint8_t note[] = {4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 7, 8, 9, 0};

#define IDENT(class)                                                                               \
	{                                                                                          \
		ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, class, ELFDATA2LSB, EV_CURRENT                 \
	}

/* A header, a program header and the note, one behind the other. */
static struct file join(const void *eh, size_t eh_len, const void *ph, size_t ph_len)
{
	struct file f = {.len = eh_len + ph_len + sizeof(note)};

	memcpy(f.data, eh, eh_len);
	memcpy(f.data + eh_len, ph, ph_len);
	memcpy(f.data + eh_len + ph_len, note, sizeof(note));
	return f;
}

static struct file make_64(void)
{
	const Elf64_Ehdr eh = {.e_ident = IDENT(ELFCLASS64),
			       .e_type = ET_EXEC,
			       .e_phoff = sizeof(eh),
			       .e_phentsize = sizeof(Elf64_Phdr),
			       .e_phnum = 1};
	const Elf64_Phdr ph = {.p_type = PT_NOTE,
			       .p_offset = sizeof(eh) + sizeof(ph),
			       .p_filesz = sizeof(note),
			       .p_align = 4};

	return join(&eh, sizeof(eh), &ph, sizeof(ph));
}

static struct file make_32(void)
{
	const Elf32_Ehdr eh = {.e_ident = IDENT(ELFCLASS32),
			       .e_type = ET_DYN,
			       .e_phoff = sizeof(eh),
			       .e_phentsize = sizeof(Elf32_Phdr),
			       .e_phnum = 1};
	const Elf32_Phdr ph = {.p_type = PT_NOTE,
			       .p_offset = sizeof(eh) + sizeof(ph),
			       .p_filesz = sizeof(note),
			       .p_align = 4};

	return join(&eh, sizeof(eh), &ph, sizeof(ph));
}

static struct build_id id_of(struct file *f)
{
	struct elf_head head;

	assert_int_equal(elf_head_read(&head, read_file, f), 0);
	return head.build_id;
}

static void assert_id(struct file f)
{
	struct build_id id = id_of(&f);

	assert_int_equal(id.len, 3);
	assert_memory_equal(id.data, "\7\10\11", 3);
}

TEST(both_classes)
{
	assert_id(make_64());
	assert_id(make_32());
}

/* Wherever the file ends, it has its build id or none. */
TEST(cut_anywhere)
{
	struct file whole = make_64();
	struct elf_head head;

	for (size_t len = 0; len < whole.len; len++) {
		struct file f = whole;

		f.len = len;
		if (len < EI_NIDENT + 2)
			assert_int_equal(elf_head_read(&head, read_file, &f), -ENOEXEC);
		else
			assert_int_equal(id_of(&f).len, len + 1 >= whole.len ? 3 : 0);
	}
}

/* Of the other byte order only the kind is known: a core dump must not pass for something else. */
TEST(big_endian)
{
	struct file f = make_64();
	struct elf_head head;

	f.data[EI_DATA] = ELFDATA2MSB;
	f.data[EI_NIDENT] = 0;
	f.data[EI_NIDENT + 1] = ET_CORE;
	assert_int_equal(elf_head_read(&head, read_file, &f), 0);
	assert_int_equal(head.type, ET_CORE);
	assert_int_equal(head.build_id.len, 0);
}

/* As many tables as a header can count, all notes, each as large as a length can be. */
struct bomb {
	struct file head;
	size_t reads, most; /* most bytes asked for at once */
};

static long read_bomb(void *ctx, void *buf, size_t len, uint64_t off)
{
	const Elf64_Phdr ph = {.p_type = PT_NOTE, .p_filesz = UINT64_MAX, .p_offset = 1 << 20};
	struct bomb *b = ctx;

	b->reads++;
	b->most = len > b->most ? len : b->most;
	if (off < sizeof(Elf64_Ehdr))
		return read_file(&b->head, buf, len, off);
	memset(buf, 0xff, len);
	for (size_t i = 0; off < ph.p_offset << 3 && i + sizeof(ph) <= len; i += sizeof(ph))
		memcpy((char *)buf + i, &ph, sizeof(ph));
	return (long)len;
}

TEST(a_bomb)
{
	struct bomb b = {.head = make_64()};
	struct elf_head head;

	memset(b.head.data + offsetof(Elf64_Ehdr, e_phnum), 0xfe, 2);
	assert_int_equal(elf_head_read(&head, read_bomb, &b), 0);
	assert_int_equal(head.build_id.len, 0);
	assert_int_equal(b.most, 65536);
	assert_true(b.reads > 1000 && b.reads < 1100);
}

TEST(no_elf_file)
{
	struct elf_head head;
	int fd = fixture_open("x.c");

	assert_int_equal(elf_head_of(&head, fd), -ENOEXEC);
	assert_int_equal(elf_head_type(fd), -ENOEXEC);
	close(fd);
	assert_int_equal(elf_head_of(&head, -1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_compilers_make), cmocka_unit_test(an_object_file),
		cmocka_unit_test(both_classes),	       cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(big_endian),	       cmocka_unit_test(a_bomb),
		cmocka_unit_test(no_elf_file),
	};

	return cmocka_run_group_tests_name("elf_head", tests, setup, fixture_teardown);
}
