// SPDX-License-Identifier: GPL-2.0-or-later
/* Naming finished profiles: every way addresses are written down, and nothing but names changes. */
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/profile.h"
#include "profiler/naming/rename.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define LOADED_AT  0x7f1200000000ull /* where a process had the program */

DEFINE_CLEANUP(profile, profile_free)
DEFINE_CLEANUP(symbolizer, symbolizer_free)

static const char source[] =
	"volatile int sink;\n"
	"static inline int twice(int x) { sink = x; return x + x; }\n"
	"__attribute__((noinline)) int shown(int x) { return twice(x) * 3; }\n"
	"int main(int argc, char **argv) { (void)argv; return shown(argc); }\n";

static uint64_t shown_va;
static struct elf_segment text;
static char build_id[2 * BUILD_ID_MAX + 1];

/* An address after this one where addr2line, too, sees a function in a function. */
static uint64_t inlined_va(uint64_t va)
{
	char cmd[128];

	for (uint64_t end = va + 16; va < end; va++) {
		snprintf(cmd, sizeof(cmd), "test $(addr2line -i -e prog %lx | wc -l) = 2",
			 (unsigned long)va);
		if (!system(cmd))
			return va;
	}
	return 0;
}

/* prog: its text is not where it is in the file. prog.debug: what strip would take away. */
static int setup(void **state)
{
	struct elf_obj *obj;
	int err = fixture_setup(state);

	if (err)
		return err;
	fixture_write("prog.c", source);
	fixture_run("gcc -O2 -g -Wl,--build-id=sha1 -Wl,-Ttext-segment=0x3000000 prog.c -o prog && "
		    "objcopy --only-keep-debug prog prog.debug && mkdir empty debug exes && "
		    "strip -o exes/prog prog");
	shown_va = inlined_va(fixture_nm("prog", "shown"));
	assert_int_equal(elf_obj_open(&obj, fixture_open("prog"), NULL), 0);
	text = *elf_obj_segment_at_va(obj, shown_va);
	text_hex(elf_obj_build_id(obj)->data, elf_obj_build_id(obj)->len, build_id);
	elf_obj_free(obj);
	assert_true(text.exec && text.va != text.file_off);
	fixture_run("mkdir -p debug/.build-id/%.2s && cp prog.debug debug/.build-id/%.2s/%s.debug",
		    build_id, build_id, build_id + 2);
	return 0;
}

struct setting {
	const char *exe_dir, *debug_dir;
	bool force, no_lines;
	struct rename_result result;
};

static void rename_with(struct profile *p, struct setting *s)
{
	const char *exe_dirs[] = {fixture_at(s->exe_dir ? s->exe_dir : "empty"), NULL};
	const char *debug_dirs[] = {fixture_at(s->debug_dir ? s->debug_dir : "empty"), NULL};
	struct elf_search search = {.exe_dirs = exe_dirs, .debug_dirs = debug_dirs};
	struct symbolizer_opts opts = {.debug_dirs = debug_dirs, .names_only = s->no_lines};
	_cleanup_(symbolizer_freep) struct symbolizer *symbolizer = NULL;
	struct rename_opts rename = {.search = &search, .force = s->force, .no_lines = s->no_lines};

	assert_int_equal(symbolizer_new(&symbolizer, &opts), 0);
	rename.symbolizer = symbolizer;
	memset(&s->result, 0, sizeof(s->result));
	assert_int_equal(rename_profile(p, &rename, &s->result), 0);
}

static uint32_t text_id(struct profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(profile_string(p, s, &id), 0);
	return id;
}

/* A location in a mapping, named as told (NULL: not at all). */
static uint32_t add(struct profile *p, struct profile_mapping m, const char *file, const char *id,
		    uint64_t address, const char *name)
{
	struct profile_line line = {0};
	uint32_t mapping, location;

	m.file = text_id(p, file);
	m.build_id = text_id(p, id);
	assert_int_equal(profile_mapping(p, &m, &mapping), 0);
	if (name)
		assert_int_equal(profile_named_function(p, name, NULL, NULL, 0, &line.function), 0);
	assert_int_equal(profile_location(p, mapping, address, &line, name ? 1 : 0, &location), 0);
	return location;
}

/* Its functions, "inner<outer", each with ":LINE" if it has one. */
static const char *said(const struct profile *p, uint32_t location)
{
	static char out[512];
	const struct profile_location *l = &p->locations.data[location];
	size_t at = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < l->n_lines; i++) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];

		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s", i ? "<" : "",
				       profile_text(p, p->functions.data[line->function].name));
		if (line->line)
			at += (size_t)snprintf(out + at, sizeof(out) - at, ":%d", (int)line->line);
	}
	return out;
}

static struct profile_mapping as_kiln(void)
{
	return (struct profile_mapping){
		.start = text.va, .limit = text.va + text.mem_len, .offset = text.file_off};
}

static struct profile_mapping as_process(void)
{
	uint64_t page = text.file_off & ~4095ull;

	return (struct profile_mapping){
		.start = LOADED_AT, .limit = LOADED_AT + 0x1000000, .offset = page};
}

static uint64_t process_address(uint64_t va)
{
	return va - text.va + text.file_off - (text.file_off & ~4095ull) + LOADED_AT;
}

static const struct profile_mapping unknown; /* the address is the file's */
static const struct profile_mapping by_offset = {.limit = UINT64_MAX};

struct ways {
	uint32_t kiln, process, unknown, offset, outside;
};

/* The same instruction as different profilers write it down. */
static struct ways add_ways(struct profile *p, const char *path, const char *id)
{
	struct ways w = {
		.kiln = add(p, as_kiln(), path, id, shown_va, NULL),
		.process = add(p, as_process(), path, id, process_address(shown_va), NULL),
		.unknown = add(p, unknown, path, id, shown_va, "prog+0x1234"),
		.offset = add(p, by_offset, path, id, shown_va - text.va + text.file_off,
			      "prog+sub_99"),
		.outside = add(p, as_process(), path, id, shown_va, "[prog]+0x1234"),
	};
	return w;
}

static void expect_ways(const struct profile *p, const struct ways *w, const char *wanted)
{
	assert_string_equal(said(p, w->kiln), wanted);
	assert_string_equal(said(p, w->process), wanted);
	assert_string_equal(said(p, w->unknown), wanted);
	assert_string_equal(said(p, w->outside), wanted);
}

TEST(test_ways_of_writing_addresses)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct ways w = add_ways(p, fixture_at("prog"), build_id);
	struct setting s = {0};

	rename_with(p, &s);
	expect_ways(p, &w, "twice:2<shown:3");
	assert_string_equal(said(p, w.offset), "twice:2<shown:3");
	assert_int_equal(s.result.files.len, 1);
	assert_int_equal(s.result.files.data[0].looked_up, 5);
	assert_int_equal(s.result.files.data[0].improved, 5);
	assert_int_equal(s.result.files.data[0].unnamed, 0);
	for (size_t i = 0; i < p->mappings.len; i++)
		assert_true(p->mappings.data[i].has_functions &&
			    p->mappings.data[i].has_filenames &&
			    p->mappings.data[i].has_line_numbers &&
			    p->mappings.data[i].has_inline_frames);
	rename_result_release(&s.result);
}

/* A debug file does not know where in the program's file anything is. */
TEST(test_debug_file_alone)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct ways w = add_ways(p, "/gone/prog", build_id);
	struct setting s = {.debug_dir = "debug"};

	rename_with(p, &s);
	expect_ways(p, &w, "twice:2<shown:3");
	assert_string_equal(said(p, w.offset), "prog+sub_99"); /* nobody can say: no guess */
	rename_result_release(&s.result);
}

TEST(test_stripped_program_and_debug_file)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct ways w = add_ways(p, "/gone/prog", build_id);
	struct setting s = {.exe_dir = "exes", .debug_dir = "debug"};

	rename_with(p, &s);
	expect_ways(p, &w, "twice:2<shown:3");
	assert_string_equal(said(p, w.offset), "twice:2<shown:3");
	rename_result_release(&s.result);
}

TEST(test_names_only)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct ways w = add_ways(p, fixture_at("prog"), build_id);
	struct setting s = {.no_lines = true};

	rename_with(p, &s);
	expect_ways(p, &w, "shown");
	assert_false(p->mappings.data[0].has_line_numbers);
	rename_result_release(&s.result);
	s.no_lines = false; /* and with lines, later */
	rename_with(p, &s);
	expect_ways(p, &w, "twice:2<shown:3");
	rename_result_release(&s.result);
}

/* Functions of a library without lines are in a program that has them: of the program that is not said. */
TEST(test_what_has_no_line)
{
	static const char *const programs[] = {"prog", "exes/prog"};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_(profile_freep) struct profile *p = profile_new();
		struct setting s = {0};
		uint32_t l = add(p, as_kiln(), fixture_at(programs[i]), build_id,
				 fixture_nm("prog", "_start"), "_start");

		rename_with(p, &s);
		assert_string_equal(said(p, l), "_start");
		assert_int_equal(s.result.files.len, 1);
		assert_int_equal(s.result.files.data[0].lineless, 1);
		assert_int_equal(s.result.files.data[0].knows_lines, i == 0);
		rename_result_release(&s.result);
	}
}

/* A debug file that gave lines is as good. */
TEST(test_what_has_no_line_in_a_debug_file)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct setting s = {.debug_dir = "debug"};

	add(p, as_kiln(), fixture_at("exes/prog"), build_id, shown_va, NULL);
	rename_with(p, &s);
	rename_result_release(&s.result);
	add(p, as_kiln(), fixture_at("exes/prog"), build_id, fixture_nm("prog", "_start"),
	    "_start");
	rename_with(p, &s);
	assert_int_equal(s.result.files.len, 1);
	assert_int_equal(s.result.files.data[0].lineless, 1);
	assert_true(s.result.files.data[0].knows_lines);
	rename_result_release(&s.result);
}

static void expect_problem(const char *path, const char *id, struct setting *s,
			   enum elf_find_problem problem)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	uint32_t l = add(p, as_kiln(), path, id, shown_va, NULL);

	rename_with(p, s);
	assert_string_equal(said(p, l), "");
	assert_int_equal(s->result.files.len, 1);
	assert_string_equal(elf_find_text(s->result.files.data[0].problem), elf_find_text(problem));
	assert_int_equal(s->result.files.data[0].unnamed, 1);
	rename_result_release(&s->result);
}

TEST(test_what_is_not_found)
{
	struct setting none = {0}, exes = {.exe_dir = "exes", .debug_dir = "debug"};

	expect_problem("/gone/prog", build_id, &none, ELF_FIND_NO_ID);
	expect_problem("/gone/prog", "", &none, ELF_FIND_NO_FILE);
	expect_problem("", build_id, &none, ELF_FIND_NO_ID);
	expect_problem("/gone/prog", "0123456789", &exes, ELF_FIND_NO_ID);
	expect_problem(fixture_at("prog"), "0123456789", &exes, ELF_FIND_OTHER_ID);
	expect_problem(fixture_at("prog.c"), "", &none, ELF_FIND_NOT_ELF);
	/* Go's build ids are no build ids of ELF files: 83 bytes, here in hexadecimal */
	expect_problem("/gone/prog",
		       "7a70754369315538474a32732d3057314d3279762f48795076505577473673597a4e397235"
		       "335533502f61444954757545",
		       &none, ELF_FIND_NO_FILE);
}

/* What has a name keeps it, unless told otherwise or there is a line to be had. */
TEST(test_what_has_a_name)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	const char *path = fixture_at("prog");
	uint32_t plain = add(p, as_kiln(), path, build_id, shown_va, "mine");
	uint32_t no_line = add(p, as_kiln(), path, build_id, text.va + text.mem_len - 1, "theirs");
	uint32_t kernel = add(p, unknown, MAPPING_KERNEL, "", shown_va, NULL);
	uint32_t jit = add(p, unknown, "//anon", "", shown_va, NULL);
	uint32_t nowhere = add(p, as_kiln(), path, build_id, 0, NULL);
	uint32_t done;
	struct profile_line line = {.line = 7};
	struct setting s = {0};

	assert_int_equal(profile_named_function(p, "done", NULL, "x.c", 1, &line.function), 0);
	assert_int_equal(profile_location(p, 0, shown_va + 1, &line, 1, &done), 0);
	rename_with(p, &s);
	assert_string_equal(said(p, plain), "twice:2<shown:3");
	assert_string_equal(said(p, no_line), "theirs");
	assert_string_equal(said(p, done), "done:7");
	assert_string_equal(said(p, kernel), "");
	assert_string_equal(said(p, jit), "");
	assert_string_equal(said(p, nowhere), "");
	assert_int_equal(s.result.complete, 1);
	assert_int_equal(s.result.no_file, 3);
	rename_result_release(&s.result);
	s.force = true;
	rename_with(p, &s);
	assert_string_equal(said(p, done), "twice:2<shown:3");
	assert_string_equal(said(p, no_line), "_fini");
	rename_result_release(&s.result);
}

/* A name that only looks like a placeholder is a name. */
TEST(test_placeholders)
{
	static const struct {
		const char *name;
		bool is_one;
	} cases[] = {
		{"prog+0x12", true},   {"prog+sub_12ab", true}, {"[prog]+0x12", true},
		{"0x401000", true},    {"[prog]", true},	{"[other]", false},
		{"??", true},	       {"[unknown]", true},	{"prog+0x", false},
		{"prog+0x12g", false}, {"prog", false},		{"other+0x12", false},
		{"prog+12", false},    {"[prog+0x12", false},	{"prog+sub_x", false},
		{"operator+", false},  {"progx+0x12", false},	{"0xbeef_f", false},
	};
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct setting s = {.no_lines = true};
	uint32_t ids[sizeof(cases) / sizeof(*cases)];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ids[i] = add(p, as_kiln(), fixture_at("prog"), build_id, shown_va, cases[i].name);
	rename_with(p, &s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(said(p, ids[i]), cases[i].is_one ? "shown" : cases[i].name);
	rename_result_release(&s.result);
}

/* Samples, stacks, labels and addresses are the same bytes before and after; equal stacks stay two. */
TEST(test_nothing_else_changes)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct ways w;
	struct setting s = {0};
	uint32_t stacks[2], labels;
	int64_t one[2] = {1, 10}, two[2] = {2, 20};

	assert_int_equal(profile_init_cpu(p, 10), 0);
	w = add_ways(p, fixture_at("prog"), build_id);
	assert_int_equal(profile_stack(p, (uint32_t[]){w.kiln, w.process}, 2, &stacks[0]), 0);
	assert_int_equal(profile_stack(p, (uint32_t[]){w.unknown, w.offset}, 2, &stacks[1]), 0);
	assert_int_equal(profile_labelset(p, NULL, 0, &labels), 0);
	assert_int_equal(profile_add(p, stacks[0], labels, one), 0);
	assert_int_equal(profile_add(p, stacks[1], labels, two), 0);
	rename_with(p, &s);
	assert_int_equal(p->samples.len, 2);
	assert_int_equal(p->stacks.len, 2);
	assert_int_equal(p->locations.len, 5);
	assert_int_equal(p->mappings.len, 4);
	assert_memory_equal(p->values.data, ((int64_t[]){1, 10, 2, 20}), 4 * sizeof(int64_t));
	assert_memory_equal(p->frames.data, ((uint32_t[]){w.kiln, w.process, w.unknown, w.offset}),
			    4 * sizeof(uint32_t));
	assert_int_equal(p->locations.data[w.process].address, process_address(shown_va));
	rename_result_release(&s.result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways_of_writing_addresses),
		cmocka_unit_test(test_debug_file_alone),
		cmocka_unit_test(test_stripped_program_and_debug_file),
		cmocka_unit_test(test_names_only),
		cmocka_unit_test(test_what_has_no_line),
		cmocka_unit_test(test_what_has_no_line_in_a_debug_file),
		cmocka_unit_test(test_what_is_not_found),
		cmocka_unit_test(test_what_has_a_name),
		cmocka_unit_test(test_placeholders),
		cmocka_unit_test(test_nothing_else_changes),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
