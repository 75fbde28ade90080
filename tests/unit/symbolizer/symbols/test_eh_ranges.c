// SPDX-License-Identifier: GPL-2.0-or-later
/* Function ranges out of .eh_frame against readelf. */
#include <errno.h>

#include "symbolizer/symbols/eh_ranges.h"
#include "symbolizer/elf/elf_obj.h"
#include "tests/lib/fixture.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

static int setup(void **state)
{
	int err = fixture_setup(state);
	FILE *f;

	if (err)
		return err;
	f = fopen("many.c", "we");
	for (int i = 0; i < 400; i++)
		fprintf(f, "int f%d(int x) { volatile int y = x; return y * %d; }\n", i, i);
	fprintf(f, "int main(void) { return f1(2); }\n");
	fclose(f);
	fixture_run("gcc -O1 many.c -o many && gcc -O1 -shared -fPIC many.c -o many.so && "
		    "strip -o many-stripped.so many.so");
	return 0;
}

/* readelf: "00000018 0000000000000014 0000001c FDE cie=00000000 pc=0000000000001040..0000000000001066" */
static void check_fdes(const char *oracle, const char *path, size_t at_least)
{
	struct elf_obj *obj;
	struct eh_ranges *r;
	char cmd[256], line[512];
	size_t n = 0;
	FILE *f;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	assert_int_equal(eh_ranges_load(&r, obj), 0);
	assert_int_equal(elf_obj_bytes(obj), 0);
	elf_obj_free(obj);
	snprintf(cmd, sizeof(cmd), "readelf --debug-dump=frames %s 2>/dev/null", oracle);
	f = popen(cmd, "re");
	while (fgets(line, sizeof(line), f)) {
		const char *pc = strstr(line, " pc=");
		unsigned long start, end;
		uint64_t got_start, got_end;

		if (!strstr(line, " FDE ") || !pc ||
		    sscanf(pc, " pc=%lx..%lx", &start, &end) != 2 || start == end)
			continue;
		assert_int_equal(eh_ranges_find(r, start, &got_start, &got_end), 0);
		assert_int_equal(got_start, start);
		assert_int_equal(got_end, end);
		assert_int_equal(eh_ranges_find(r, end - 1, &got_start, &got_end), 0);
		assert_int_equal(got_start, start);
		n++;
	}
	pclose(f);
	assert_true(n >= at_least);
	assert_int_equal(eh_ranges_count(r), n);
	eh_ranges_free(r);
}

static void test_fdes_against_readelf(void **state)
{
	(void)state;
	check_fdes("many", "many", 400);
	check_fdes("many-stripped.so", "many-stripped.so", 400);
	if (access(LIBC, R_OK) == 0)
		check_fdes(LIBC, LIBC, 1000);
}

/* The same without a section table: e_shoff, e_shnum and e_shstrndx made zero. */
static void test_fdes_without_sections(void **state)
{
	(void)state;
	fixture_run("cp many nosec && "
		    "dd if=/dev/zero of=nosec bs=1 seek=40 count=8 conv=notrunc status=none && "
		    "dd if=/dev/zero of=nosec bs=1 seek=60 count=4 conv=notrunc status=none");
	check_fdes("many", "nosec", 400);
}

static void test_no_fdes(void **state)
{
	struct elf_obj *obj;
	struct eh_ranges *r = NULL;

	(void)state;
	fixture_write("x.s", ".text\nf: .skip 16\n");
	fixture_run("gcc -nostdlib -shared x.s -o x.so");
	assert_int_equal(elf_obj_open(&obj, fixture_open("x.so"), NULL), 0);
	assert_int_equal(eh_ranges_load(&r, obj), -ENODATA);
	assert_null(r);
	elf_obj_free(obj);
}

/* Encodings compilers do not choose but others may: absolute, 2 and 8 bytes, LEB128. */
static void test_fde_encodings(void **state)
{
	static const struct {
		const char *encoding, *start, *len;
	} cases[] = {
		{"0x00", ".quad f", ".quad 32"},
		{"0x04", ".quad f", ".quad 32"},
		{"0x1b", ".long f - .", ".long 32"},
		{"0x1c", ".quad f - .", ".quad 32"},
		{"0x1a", ".short f - .", ".short 32"},
		{"0x03", ".long f", ".long 32"},
		{"0x09", ".sleb128 0x10000", ".sleb128 32"},
		{"0x01", ".uleb128 0x10000", ".uleb128 32"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct elf_obj *obj;
		struct eh_ranges *r;
		uint64_t start, end;
		char text[1024];

		snprintf(text, sizeof(text),
			 ".text\n.globl _start\n_start:\nf: .skip 32\n.section .eh_frame,\"a\"\n"
			 "c: .long 2f-1f\n1: .long 0\n.byte 1\n.asciz \"zPLR\"\n.uleb128 1\n"
			 ".sleb128 -8\n.byte 16\n.uleb128 8\n.byte 4\n.quad 0\n.byte 0xff\n"
			 ".byte %s\n.balign 8\n2:\n"
			 ".long 4f-3f\n3: .long 3b-c\n%s\n%s\n.byte 0\n.balign 8\n4:\n.long 0\n",
			 cases[i].encoding, cases[i].start, cases[i].len);
		fixture_write("e.s", text);
		/* ld would check and rewrite .eh_frame; a plain script keeps it as it is. */
		fixture_run(
			"gcc -c e.s -o e.o && ld -static --no-eh-frame-hdr --traditional-format "
			"-Ttext=0x10000 --section-start=.eh_frame=0x12000 e.o -o e");
		assert_int_equal(elf_obj_open(&obj, fixture_open("e"), NULL), 0);
		if (eh_ranges_load(&r, obj))
			fail_msg("encoding %s", cases[i].encoding);
		assert_int_equal(eh_ranges_find(r, 0x10010, &start, &end), 0);
		assert_int_equal(start, 0x10000);
		assert_int_equal(end, 0x10020);
		assert_int_equal(eh_ranges_find(r, 0x10020, &start, &end), -ENOENT);
		assert_int_equal(eh_ranges_count(r), 1);
		eh_ranges_free(r);
		elf_obj_free(obj);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fdes_against_readelf),
		cmocka_unit_test(test_fdes_without_sections),
		cmocka_unit_test(test_no_fdes),
		cmocka_unit_test(test_fde_encodings),
	};

	return cmocka_run_group_tests_name("eh_ranges", tests, setup, fixture_teardown);
}
