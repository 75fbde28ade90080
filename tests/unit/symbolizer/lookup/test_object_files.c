// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Object files (ET_REL), such as kernel modules, whose debug information is elsewhere: neither file
 * has addresses. Every offset of every text section is asked for and must be answered as
 * llvm-symbolizer answers it in the same objects linked to addresses.
 */
#include <errno.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
#define _cleanup_elf_ _cleanup_(elf_obj_freep)

#define LLVM "/usr/lib/llvm-19/bin/llvm-symbolizer"

static const char *const sections[] = {".text", ".init.text", ".exit.text"};
static const char source_a[] = "#define __init __attribute__((noinline, section(\".init.text\")))\n"
			       "#define __exit __attribute__((noinline, section(\".exit.text\")))\n"
			       "extern int table[64];\n"
			       "static inline int inner(int x)\n"
			       "{\n"
			       "	return table[x & 63] * 3;\n"
			       "}\n"
			       "static inline int middle(int x)\n"
			       "{\n"
			       "	if (x > 5)\n"
			       "		x = inner(x) + 7;\n"
			       "	return inner(x + 1) ^ x;\n"
			       "}\n"
			       "int in_text(int x)\n"
			       "{\n"
			       "	for (int i = 0; i < x; i++)\n"
			       "		x += middle(i);\n"
			       "	return x;\n"
			       "}\n"
			       "int __init at_start(int x)\n"
			       "{\n"
			       "	table[1] = x;\n"
			       "	return middle(x) + in_text(x);\n"
			       "}\n"
			       "int __exit at_end(int x)\n"
			       "{\n"
			       "	return inner(x) - 1;\n"
			       "}\n";
static const char source_b[] = "#define __init __attribute__((noinline, section(\".init.text\")))\n"
			       "int table[64];\n"
			       "int in_text(int);\n"
			       "static int __attribute__((noinline)) second(int *p)\n"
			       "{\n"
			       "	return *p + in_text(*p);\n"
			       "}\n"
			       "int __init at_start_too(int x)\n"
			       "{\n"
			       "	return second(&table[x & 63]) * 5;\n"
			       "}\n";

static char debug_dir[128];

static struct elf_obj *open_obj(const char *path)
{
	struct elf_obj *obj = NULL;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	return obj;
}

/* mod.ko, the whole; stripped.ko, what a distribution installs; linked, what the oracle reads. */
static void build(int dwarf, const char *compress)
{
	fixture_write("a.c", source_a);
	fixture_write("b.c", source_b);
	fixture_run("rm -rf debug && mkdir debug && gcc -O2 -g -gdwarf-%d -fno-pic -c a.c b.c && "
		    "ld -r --build-id=sha1 -o whole.ko a.o b.o && "
		    "ld -o linked whole.ko -e 0 --unresolved-symbols=ignore-all && "
		    "objcopy %s whole.ko mod.ko && objcopy --strip-debug mod.ko stripped.ko",
		    dwarf, compress);
}

static void hex_of_id(char *hex)
{
	_cleanup_elf_ struct elf_obj *obj = open_obj("stripped.ko");
	const struct build_id *id = elf_obj_build_id(obj);

	assert_true(id->len > 2);
	text_hex(id->data, id->len, hex);
}

/* --- what kiln says --------------------------------------------------------------------------- */

struct said {
	struct buf *lines; /* by index, in the form of the oracle */
};

static void on_result(void *ctx, size_t index, const struct sym_result *r)
{
	struct buf *b = &((struct said *)ctx)->lines[index];

	for (size_t i = 0; i < r->n_frames; i++) {
		const struct sym_frame *f = &r->frames[i];
		bool named = i + 1 < r->n_frames || r->reason == SYM_OK;
		const char *base = f->file ? strrchr(f->file, '/') : NULL;

		buf_printf(b, "%s %s:%u;", named ? f->raw_name : "??",
			   base	     ? base + 1
			   : f->file ? f->file
				     : "??",
			   f->line);
	}
}

/* --- what llvm-symbolizer says ---------------------------------------------------------------- */

static void ask_oracle(uint64_t va, size_t n, struct buf *lines)
{
	char line[512], name[512] = "", cmd[128];
	size_t at = 0, in_frame = 0;
	FILE *f = fopen("asked", "we");

	for (size_t i = 0; i < n; i++)
		fprintf(f, "0x%lx\n", (unsigned long)(va + i));
	fclose(f);
	snprintf(cmd, sizeof(cmd), LLVM " --obj=linked -s --output-style=LLVM <asked");
	f = popen(cmd, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *colon;

		line[strcspn(line, "\n")] = '\0';
		if (!*line) { /* the end of an answer */
			at++;
			in_frame = 0;
			continue;
		}
		if (in_frame++ % 2 == 0) {
			snprintf(name, sizeof(name), "%s", line);
			continue;
		}
		colon = strrchr(line, ':'); /* the column */
		assert_non_null(colon);
		*colon = '\0';
		assert_true(at < n);
		buf_printf(&lines[at], "%s %s;", name, line);
	}
	pclose(f);
	assert_int_equal(at, n);
}

/* --- the comparison --------------------------------------------------------------------------- */

static size_t compare_section(struct symbolizer *s, const char *section)
{
	_cleanup_elf_ struct elf_obj *ours = open_obj("stripped.ko"), *linked = open_obj("linked");
	const struct elf_section *sec = elf_obj_section(ours, section);
	const struct elf_section *at = elf_obj_section(linked, section);
	struct sym_file file = {.fd = fixture_open("stripped.ko"), .root_fd = -1};
	size_t n = sec ? sec->size : 0, inlined = 0;
	struct buf *got = calloc(n + 1, sizeof(*got)), *want = calloc(n + 1, sizeof(*want));
	uint64_t *va = calloc(n + 1, sizeof(*va));
	struct said said = {got};

	assert_non_null(sec);
	assert_non_null(at);
	assert_int_equal(at->size, n);
	file.path = fixture_at("stripped.ko");
	for (size_t i = 0; i < n; i++)
		va[i] = sec->va + i;
	assert_int_equal(symbolizer_resolve_va(s, &file, va, n, on_result, &said), 0);
	ask_oracle(at->va, n, want);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(buf_cstr(&got[i]), buf_cstr(&want[i])) != 0)
			fail_msg("%s+0x%zx: '%s', llvm-symbolizer has '%s'", section, i,
				 buf_cstr(&got[i]), buf_cstr(&want[i]));
		inlined += strchr(strchr(buf_cstr(&got[i]), ';') + 1, ';') != NULL;
		buf_release(&got[i]);
		buf_release(&want[i]);
	}
	close(file.fd);
	free(got);
	free(want);
	free(va);
	return inlined;
}

static void compare(void)
{
	const char *const dirs[] = {debug_dir, NULL};
	struct symbolizer_opts opts = {.debug_dirs = dirs};
	struct symbolizer *s;
	size_t inlined = 0;

	snprintf(debug_dir, sizeof(debug_dir), "%s/debug", fixture_dir);
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		inlined += compare_section(s, sections[i]);
	assert_true(inlined > 10); /* else this tests little */
	symbolizer_free(s);
}

/* Where its build id says, and only the debug sections: the others have offsets that overlap. */
static void by_build_id(void)
{
	char hex[2 * BUILD_ID_MAX + 1];

	hex_of_id(hex);
	fixture_run("mkdir -p debug/.build-id/%.2s && "
		    "objcopy --only-keep-debug mod.ko debug/.build-id/%.2s/%s.debug",
		    hex, hex, hex + 2);
	compare();
}

static void test_dwarf_5(void **state)
{
	(void)state;
	build(5, "");
	by_build_id();
}

static void test_dwarf_4(void **state)
{
	(void)state;
	build(4, "");
	by_build_id();
}

static void test_compressed(void **state)
{
	(void)state;
	build(5, "--compress-debug-sections=zlib");
	by_build_id();
}

/* Below the directory of debug files at its own path, as Debian's kernel modules are: whole. */
static void test_at_its_own_path(void **state)
{
	(void)state;
	build(5, "");
	fixture_run("mkdir -p debug%s && cp mod.ko debug%s/stripped.ko", fixture_dir, fixture_dir);
	compare();
	fixture_run("mv debug%s/stripped.ko debug%s/stripped.ko.debug", fixture_dir, fixture_dir);
	compare();
}

/* Another build of the same: its lines would be wrong. */
static void test_other_build(void **state)
{
	const char *const dirs[] = {debug_dir, NULL};
	struct symbolizer_opts opts = {.debug_dirs = dirs};
	struct buf line = {0};
	struct said said = {&line};
	struct sym_file file = {.root_fd = -1};
	struct symbolizer *s;
	uint64_t va;

	(void)state;
	build(5, "");
	fixture_run("mkdir -p debug%s && ld -r --build-id=md5 -o debug%s/stripped.ko a.o b.o",
		    fixture_dir, fixture_dir);
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	file.fd = fixture_open("stripped.ko");
	file.path = fixture_at("stripped.ko");
	{
		_cleanup_elf_ struct elf_obj *obj = open_obj("stripped.ko");

		va = elf_obj_section(obj, ".init.text")->va;
	}
	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, on_result, &said), 0);
	assert_string_equal(buf_cstr(&line), "at_start ??:0;");
	buf_release(&line);
	close(file.fd);
	symbolizer_free(s);
}

/* Sections that the file does not hold get places of their own, apart from each other. */
static void test_places_without_bytes(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	uint64_t end = 0;

	(void)state;
	build(5, "");
	fixture_run("objcopy --only-keep-debug mod.ko only.debug");
	obj = open_obj("only.debug");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		const struct elf_section *sec = elf_obj_section(obj, sections[i]);

		assert_non_null(sec);
		assert_true(sec->va >= elf_obj_file_size(obj) && sec->va >= end);
		end = sec->va + sec->size;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dwarf_5),	    cmocka_unit_test(test_dwarf_4),
		cmocka_unit_test(test_compressed),  cmocka_unit_test(test_at_its_own_path),
		cmocka_unit_test(test_other_build), cmocka_unit_test(test_places_without_bytes),
	};

	return cmocka_run_group_tests_name("object_files", tests, fixture_setup, fixture_teardown);
}
