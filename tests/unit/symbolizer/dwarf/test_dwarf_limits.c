// SPDX-License-Identifier: GPL-2.0-or-later
/* symbolizer/dwarf/dwarf.h at its edges: limits, damaged and hostile files, the cache. */
#include "tests/lib/fixture.h"

#include <errno.h>
#include <limits.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
#define _cleanup_elf_ _cleanup_(elf_obj_freep)

#define CALLS_MAX 4096

static char source_dir[PATH_MAX];

/* What the callback saw of each address. */
struct seen {
	unsigned calls;
	size_t n;
	enum dwarf_reason reason;
	char inner[128], outer[128];
	uint32_t line, start_line;
};

static struct seen seen[CALLS_MAX];

static void see(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
		enum dwarf_reason reason)
{
	struct seen *s = &seen[index];

	(void)ctx;
	assert_in_range(index, 0, CALLS_MAX - 1);
	assert_in_range(n, 0, 256);
	s->calls++;
	s->n = n;
	s->reason = reason;
	if (!n)
		return;
	snprintf(s->inner, sizeof(s->inner), "%s", frames[0].linkage_name ?: "??");
	snprintf(s->outer, sizeof(s->outer), "%s", frames[n - 1].linkage_name ?: "??");
	s->line = frames[0].line;
	s->start_line = frames[0].start_line;
	for (size_t i = 0; i < n; i++) /* every string has an end */
		assert_true(strlen(frames[i].name ?: "") + strlen(frames[i].linkage_name ?: "") +
				    strlen(frames[i].file ?: "") <
			    1u << 24);
}

static struct elf_obj *open_elf(const char *path)
{
	struct elf_obj *obj;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	return obj;
}

/* Resolves; returns the bytes held at the end. */
static size_t resolve(struct elf_obj *obj, const uint64_t *va, size_t n,
		      const struct dwarf_opts *opts)
{
	struct dwarf *d;
	size_t bytes;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(dwarf_new(&d, obj, NULL, NULL, opts), 0);
	assert_int_equal(dwarf_resolve(d, va, n, see, NULL), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(seen[i].calls, 1);
	bytes = dwarf_bytes(d);
	dwarf_free(d);
	return bytes;
}

/* Addresses over .text, n of them. */
static void spread(const struct elf_obj *obj, uint64_t *va, size_t n)
{
	const struct elf_section *text = elf_obj_section(obj, ".text");

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		va[i] = text->va + text->size * i / n;
}

static uint64_t symbol_va(const char *path, const char *symbol)
{
	unsigned long va = 0;
	char cmd[256];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "nm %s | sed -n 's/^\\([0-9a-f]*\\) [tT] %s$/\\1/p'", path,
		 symbol);
	f = popen(cmd, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lx", &va), 1);
	pclose(f);
	return va;
}

static void test_no_debug_info(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	struct dwarf *d = (void *)1;

	(void)state;
	fixture_run("gcc -fPIC -shared -o bare %s/four.c", source_dir);
	obj = open_elf("bare");
	assert_int_equal(dwarf_new(&d, obj, NULL, NULL, NULL), -ENODATA);
	assert_ptr_equal(d, (void *)1);
	dwarf_free(NULL);
}

static void test_addresses(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	uint64_t fill, va[6];

	(void)state;
	fixture_run("gcc -g -O0 -fPIC -shared -o lib %s/four.c", source_dir);
	obj = open_elf("lib");
	fill = symbol_va("lib", "fill");
	va[0] = symbol_va("lib", "twice");
	va[1] = fill;
	va[2] = UINT64_MAX;
	va[3] = fill; /* twice, and not in order */
	va[4] = 0;
	va[5] = elf_obj_section(obj, ".init")->va;
	resolve(obj, va, 6, NULL);
	assert_string_equal(seen[0].inner, "twice");
	assert_int_equal(seen[0].n, 1);
	assert_int_equal(seen[0].start_line, 27);
	for (int i = 1; i < 4; i += 2) {
		assert_string_equal(seen[i].inner, "fill");
		assert_int_equal(seen[i].line, 19);
		assert_int_equal(seen[i].start_line, 18);
	}
	for (int i = 2; i < 6; i += i == 2 ? 2 : 1) {
		assert_int_equal(seen[i].n, 0);
		assert_int_equal(seen[i].reason, DWARF_NO_UNIT);
	}
	resolve(obj, NULL, 0, NULL);
}

/* 300 calls inlined into each other: the outermost are cut off, and that is said. */
static void test_depth(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	uint64_t va[512];
	size_t limited = 0, deepest = 0;

	(void)state;
	fixture_run("(echo 'volatile int v; static inline int f0(int x) { return v += x; }'; "
		    "for i in $(seq 1 300); do echo \"static inline __attribute__((always_inline)) "
		    "int f$i(int x) { return f$((i - 1))(x + 1) ^ v; }\"; done; "
		    "echo 'int start(int x) { return f300(x); }') > deep.c && "
		    "gcc -g -O1 -shared -fPIC -o deep deep.c");
	obj = open_elf("deep");
	spread(obj, va, 512);
	resolve(obj, va, 512, NULL);
	for (size_t i = 0; i < 512; i++) {
		limited += seen[i].reason == DWARF_LIMIT;
		deepest = seen[i].n > deepest ? seen[i].n : deepest;
		if (seen[i].n)
			assert_string_equal(seen[i].outer, "start");
	}
	assert_true(limited > 0);
	assert_int_equal(deepest, 256);
}

/* What is held stays below the cap, or at what cannot be given back. */
static void test_cache(void **state)
{
	static const size_t caps[] = {1, 16 << 10, 40 << 10, 1 << 20};
	_cleanup_elf_ struct elf_obj *obj = NULL;
	struct seen first[256];
	size_t floor = 0, bytes = 0;
	uint64_t va[256];

	(void)state;
	fixture_run("for i in $(seq 20); do gcc -g -O2 -fPIC -c -o m$i.o -Dfill=fill$i "
		    "-Dtwice=twice$i -Dtable=table$i -Dinner=inner$i %s/four.c || exit 1; done && "
		    "gcc -shared -o many m*.o",
		    source_dir);
	obj = open_elf("many");
	spread(obj, va, 256);
	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		struct dwarf_opts opts = {.cache_bytes = caps[i]};

		bytes = resolve(obj, va, 256, &opts);
		if (!i) {
			floor = bytes;
			memcpy(first, seen, sizeof(first));
		}
		assert_true(bytes <= (caps[i] > floor ? caps[i] : floor));
		for (size_t j = 0; j < 256; j++) {
			assert_int_equal(seen[j].n, first[j].n);
			assert_string_equal(seen[j].inner, first[j].inner);
			assert_int_equal(seen[j].line, first[j].line);
		}
	}
	assert_true(bytes > floor); /* something is kept where there is room */
}

/* --- hand-made units ------------------------------------------------------------------------------ */

/* A unit of one function: its abbreviation's attributes, and their values. */
static void make_unit(const char *abbrev, const char *values, const char *more)
{
	FILE *f = fopen("hand.s", "we");

	assert_non_null(f);
	fprintf(f,
		".text\nstart:\n.globl start\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nend:\n"
		".section .debug_abbrev,\"\",@progbits\n"
		".uleb128 1, 0x11\n.byte 1\n.uleb128 0x11, 1, 0x12, 7, 0, 0\n"
		".uleb128 2, 0x2e\n.byte 0\n%s\n.uleb128 0, 0\n"
		".uleb128 3, 0x2e\n.byte 0\n.uleb128 0x47, 0x13, 0, 0\n.byte 0\n"
		".section .debug_info,\"\",@progbits\n"
		"unit: .long unit_end - unit - 4\n.value 4\n.long .debug_abbrev\n.byte 8\n"
		".uleb128 1\n.quad start\n.quad end - start\n"
		"func: .uleb128 2\n%s\n"
		"func_end: .byte 0\nunit_end:\n"
		"%s\n",
		abbrev, values, more);
	fclose(f);
	fixture_run("gcc -c hand.s && ld -shared -o hand hand.o");
}

static const struct seen *resolve_hand(void)
{
	_cleanup_elf_ struct elf_obj *obj = open_elf("hand");
	uint64_t va = symbol_va("hand", "start") + 3;

	resolve(obj, &va, 1, NULL);
	return &seen[0];
}

#define PC_ABBREV ".uleb128 0x11, 1, 0x12, 7\n"
#define PC_VALUES ".quad start\n.quad end - start\n"

static void test_forms(void **state)
{
	(void)state;
	/* A name behind forms of all sizes; the name itself over DW_FORM_indirect. */
	make_unit(PC_ABBREV ".uleb128 0x3001, 0x1e, 0x3002, 0x09, 0x3003, 0x03, 0x3004, 0x04, "
			    "0x3005, 0x0d, 0x3006, 0x19, 0x3007, 0x08, 0x3008, 0x16, 3, 0x16, 0, 0",
		  PC_VALUES ".quad 1, 2\n.uleb128 3\n.byte 1, 2, 3\n.value 1\n.byte 9\n.long 2\n"
			    ".byte 7, 8\n.sleb128 -70000\n.asciz \"text\"\n.uleb128 0x0f, 300000\n"
			    ".uleb128 0x08\n.asciz \"hand_made\"",
		  "");
	assert_string_equal(resolve_hand()->inner, "hand_made");
	assert_int_equal(seen[0].reason, DWARF_OK);
	/* DW_FORM_indirect that names itself, and a form nobody knows. */
	make_unit(PC_ABBREV ".uleb128 3, 0x16, 0, 0",
		  PC_VALUES ".uleb128 0x16, 0x16, 0x16\n.asciz \"x\"", "");
	assert_int_equal(resolve_hand()->n, 0);
	assert_int_equal(seen[0].reason, DWARF_MALFORMED);
	make_unit(PC_ABBREV ".uleb128 3, 0x1fff, 0, 0", PC_VALUES ".asciz \"x\"", "");
	assert_int_equal(resolve_hand()->n, 0);
	assert_int_equal(seen[0].reason, DWARF_MALFORMED);
}

static void test_reference_cycles(void **state)
{
	(void)state;
	/* A function that is its own abstract origin. */
	make_unit(PC_ABBREV ".uleb128 0x31, 0x13, 0, 0", PC_VALUES ".long func - unit", "");
	assert_string_equal(resolve_hand()->inner, "??");
	assert_int_equal(seen[0].n, 1);
	assert_int_equal(seen[0].reason, DWARF_LIMIT);
	/* References out of the unit, out of the section, and into the header. */
	make_unit(PC_ABBREV ".uleb128 0x31, 0x13, 0x47, 0x10, 0, 0",
		  PC_VALUES ".long 0x7fffffff\n.long 0xfffffff0", "");
	assert_string_equal(resolve_hand()->inner, "??");
	assert_int_equal(seen[0].n, 1);
	assert_int_equal(seen[0].reason, DWARF_OK);
	make_unit(PC_ABBREV ".uleb128 0x31, 0x13, 0, 0", PC_VALUES ".long 2", "");
	assert_int_equal(resolve_hand()->n, 1);
}

/* Many functions that all claim one endless list of ranges: the work has an end. */
static void test_range_bomb(void **state)
{
	(void)state;
	make_unit(".uleb128 0x55, 0x17, 0, 0",
		  ".long ranges\n.rept 20000\n.uleb128 2\n.long ranges\n.endr",
		  ".section .debug_ranges,\"\",@progbits\nranges:\n.rept 100000\n"
		  ".quad 1, 2\n.endr\n.quad 0, 8, 0, 0\n");
	assert_int_equal(resolve_hand()->reason, DWARF_LIMIT);
}

/* --- damage ------------------------------------------------------------------------------------- */

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

/* Changes 1 to 40 bytes of debug sections. */
static void damage(uint8_t *data, const struct elf_obj *obj, uint64_t *random)
{
	unsigned n = 1 + next_random(random) % 40;

	while (n) {
		size_t count = elf_obj_section_count(obj);
		const struct elf_section *sec =
			elf_obj_section_by_index(obj, next_random(random) % count);
		uint64_t span;

		if (strncmp(sec->name, ".debug", 6) || !sec->size)
			continue;
		/* Headers are where most can go wrong. */
		span = next_random(random) % 2 && sec->size > 64 ? 64 : sec->size;
		data[sec->file_off + next_random(random) % span] = (uint8_t)next_random(random);
		n--;
	}
}

static void damage_and_resolve(const char *path, unsigned mutants)
{
	_cleanup_elf_ struct elf_obj *whole = open_elf(path);
	_cleanup_free_ uint8_t *good = NULL, *bad = NULL;
	uint64_t random = 42, va[200];
	size_t len, known = 0;

	good = fixture_read(path, &len);
	bad = malloc(len);
	assert_non_null(bad);
	spread(whole, va, 200);
	for (unsigned i = 0; i < mutants; i++) {
		_cleanup_elf_ struct elf_obj *obj = NULL;
		struct dwarf_opts opts = {.whole_bytes = i % 2 ? 1 : 0};

		memcpy(bad, good, len);
		damage(bad, whole, &random);
		assert_int_equal(elf_obj_open_bytes(&obj, bad, len, NULL), 0);
		resolve(obj, va, 200, &opts);
		for (size_t j = 0; j < 200; j++)
			known += seen[j].n > 0;
	}
	/* Most damage is local: other units, functions and lines are still read. */
	assert_true(known > mutants * 20);
}

static void test_damage(void **state)
{
	(void)state;
	fixture_run("g++ -g -O2 -gdwarf-5 -o gcc5 %s/one.cc %s/two.cc", source_dir, source_dir);
	fixture_run("clang++ -g -O2 -gdwarf-5 -o clang5 %s/one.cc %s/two.cc", source_dir,
		    source_dir);
	fixture_run("g++ -g -O2 -gdwarf-4 -flto -o lto4 %s/one.cc %s/two.cc", source_dir,
		    source_dir);
	damage_and_resolve("gcc5", 150);
	damage_and_resolve("clang5", 150);
	damage_and_resolve("lto4", 150);
}

/* A debug file cut short anywhere. */
static void test_truncation(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	_cleanup_elf_ struct elf_obj *whole = NULL;
	uint64_t va[50];
	size_t len;

	(void)state;
	fixture_run("gcc -g -O2 -fPIC -shared -o cut %s/four.c", source_dir);
	whole = open_elf("cut");
	spread(whole, va, 50);
	data = fixture_read("cut", &len);
	for (size_t i = 1; i < 60; i++) {
		_cleanup_elf_ struct elf_obj *obj = NULL;
		struct dwarf *d = NULL;

		if (elf_obj_open_bytes(&obj, data, len * i / 60, NULL))
			continue;
		if (!dwarf_new(&d, obj, NULL, NULL, NULL))
			assert_int_equal(dwarf_resolve(d, va, 50, see, NULL), 0);
		dwarf_free(d);
	}
}

static int setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);

	return dir ? (strcat(source_dir, "/tests/fixtures/dwarf"), fixture_setup(state)) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_debug_info), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_depth),	      cmocka_unit_test(test_cache),
		cmocka_unit_test(test_forms),	      cmocka_unit_test(test_reference_cycles),
		cmocka_unit_test(test_range_bomb),    cmocka_unit_test(test_damage),
		cmocka_unit_test(test_truncation),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
