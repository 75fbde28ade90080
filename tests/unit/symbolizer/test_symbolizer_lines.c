// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines and inlined calls through the symbolizer's door, against addr2line. */
#include <errno.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)
#define _cleanup_sym_ _cleanup_(symbolizer_freep)

static const char cxx_source[] =
	"volatile int sink;\n"
	"namespace deep {\n"
	"struct point { int x, y; int norm() const { sink = x; return x * x + y * y; } };\n"
	"inline __attribute__((always_inline)) int twice(const point &p)\n"
	"{\n"
	"	sink = p.y;\n"
	"	return p.norm() +\n"
	"	       p.norm();\n"
	"}\n"
	"__attribute__((noinline)) int outer(int a, int b)\n"
	"{\n"
	"	point p = {a, b};\n"
	"	int n = twice(p);\n"
	"	for (int i = 0; i < a; i++)\n"
	"		n += twice(point{i, n});\n"
	"	return n;\n"
	"}\n"
	"}\n"
	"int main(int argc, char **) { return deep::outer(argc, 3); }\n";

static bool sandboxed; /* everything is tried in this process and in another */

/* One line a frame, as addr2line -f -i prints it: raw name, then file:line. */
static void print_frames(void *ctx, size_t index, const struct sym_result *r)
{
	struct buf *out = (struct buf *)ctx + index;

	for (size_t i = 0; i < r->n_frames; i++) {
		const struct sym_frame *f = &r->frames[i];
		const char *slash = f->file ? strrchr(f->file, '/') : NULL;

		buf_printf(out, "%s %s:%u\n", f->raw_name, slash ? slash + 1 : f->file ?: "?", f->line);
	}
}

static void read_addr2line(const char *prog, uint64_t va, struct buf *out)
{
	char cmd[256], name[256], where[512];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "addr2line -f -i -e %s %lx", prog, (unsigned long)va);
	f = popen(cmd, "re");
	while (fgets(name, sizeof(name), f) && fgets(where, sizeof(where), f)) {
		name[strcspn(name, "\n")] = where[strcspn(where, " \n")] = 0;
		buf_printf(out, "%s %s\n", name,
			   strrchr(where, '/') ? strrchr(where, '/') + 1 : where);
	}
	pclose(f);
}

/* How many of the addresses of deep::outer have inlined frames; all are as addr2line has them. */
static size_t compare_lines(const struct symbolizer_opts *opts, const char *path)
{
	_cleanup_sym_ struct symbolizer *s = NULL;
	_cleanup_close_ int fd = fixture_open(path);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(path)};
	uint64_t start = fixture_nm("lines", "_ZN4deep5outerEii");
	size_t with_inlines = 0;

	assert_int_equal(symbolizer_new(&s, opts), 0);
	for (uint64_t va = start; va < start + 64; va += 3) {
		struct buf got = {0}, want = {0};

		assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, print_frames, &got), 0);
		read_addr2line("lines", va, &want);
		assert_string_equal(buf_cstr(&got), buf_cstr(&want));
		with_inlines += strchr(got.data, '\n') != strrchr(got.data, '\n');
		buf_release(&got);
		buf_release(&want);
	}
	return with_inlines;
}

static void count_name(void *ctx, size_t index, const struct sym_result *r)
{
	(void)index;
	*(int *)ctx += r->reason == SYM_OK;
}

/* Whether there is a name for the start of deep::outer. */
static int count_named(const struct symbolizer_opts *opts, const char *path)
{
	_cleanup_sym_ struct symbolizer *s = NULL;
	_cleanup_close_ int fd = fixture_open(path);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(path)};
	uint64_t va = fixture_nm("lines", "_ZN4deep5outerEii");
	int named = 0;

	assert_int_equal(symbolizer_new(&s, opts), 0);
	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, count_name, &named), 0);
	return named;
}

static void test_lines_against_addr2line(void **state)
{
	const char *dirs[] = {fixture_at("debug"), NULL};
	struct symbolizer_opts opts = {.debug_dirs = dirs, .sandbox = sandboxed};
	char hex[2 * BUILD_ID_MAX + 1];
	struct elf_obj *obj;

	(void)state;
	fixture_write("lines.cc", cxx_source);
	fixture_run("g++ -O2 -g -Wl,--build-id=sha1 lines.cc -o lines && "
		    "strip -o lines-stripped lines");
	assert_true(compare_lines(&opts, "lines") > 5);
	assert_int_equal(elf_obj_open(&obj, fixture_open("lines"), NULL), 0);
	text_hex(elf_obj_build_id(obj)->data, elf_obj_build_id(obj)->len, hex);
	elf_obj_free(obj);
	fixture_run("mkdir -p debug/.build-id/%.2s && objcopy --only-keep-debug "
		    "--compress-debug-sections=zlib lines debug/.build-id/%.2s/%s.debug",
		    hex, hex, hex + 2);
	assert_true(compare_lines(&opts, "lines-stripped") > 5);
	/* Too little room to keep anything parsed: slower, and the same. */
	opts.cache_bytes = 1;
	assert_true(compare_lines(&opts, "lines-stripped") > 5);
}

static void test_split_units(void **state)
{
	struct symbolizer_opts opts = {.sandbox = sandboxed};

	(void)state;
	fixture_write("lines.cc", cxx_source);
	fixture_run("g++ -O2 -g -Wl,--build-id=sha1 lines.cc -o lines && "
		    "g++ -O2 -g -gsplit-dwarf -Wl,--build-id=sha1 lines.cc -o lines-split");
	assert_true(compare_lines(&opts, "lines-split") > 5);
}

/* dwz moves what two files share into a third, which both link to. */
static void test_common_file_of_dwz(void **state)
{
	struct symbolizer_opts opts = {.sandbox = sandboxed};

	(void)state;
	if (system("command -v dwz >/dev/null")) {
		print_message("skipped: no dwz\n");
		skip();
	}
	fixture_write("lines.cc", cxx_source);
	fixture_run("g++ -O2 -g -Wl,--build-id=sha1 lines.cc -o lines && cp lines lines-dwz && "
		    "g++ -O2 -g -Wl,--build-id=sha1 -DOTHER lines.cc -o lines-dwz2 && "
		    "dwz -m %s/lines.common lines-dwz lines-dwz2 && "
		    "readelf -SW lines-dwz | grep -q gnu_debugaltlink",
		    fixture_dir);
	assert_true(compare_lines(&opts, "lines-dwz") > 5);
}

struct finder {
	const char *path;
	int asked;
};

static int find_debug(void *ctx, const struct build_id *id)
{
	struct finder *f = ctx;

	f->asked++;
	assert_int_equal(id->len, 20);
	return f->path ? fixture_open(f->path) : -ENOENT;
}

/* What no directory has somebody else may have; it is checked as any other. */
static void test_debug_file_from_elsewhere(void **state)
{
	static const char *const nowhere[] = {"/nonexistent", NULL};
	struct finder f = {NULL};
	struct symbolizer_opts opts = {
		.debug_dirs = nowhere,
		.sandbox = sandboxed,
		.find_debug = find_debug,
		.find_ctx = &f,
	};

	(void)state;
	fixture_write("lines.cc", cxx_source);
	fixture_run("g++ -O2 -g -Wl,--build-id=sha1 lines.cc -o lines && "
		    "strip -o bare lines && objcopy --only-keep-debug lines found && "
		    "g++ -O1 -g -Wl,--build-id=sha1 lines.cc -o other");
	f.path = "found";
	assert_true(compare_lines(&opts, "bare") > 5);
	assert_int_equal(f.asked, 1);
	assert_int_equal(count_named(&opts, "bare"), 1);
	f.path = "other";
	assert_int_equal(count_named(&opts, "bare"), 0);
	f.path = NULL;
	assert_int_equal(count_named(&opts, "bare"), 0);
	assert_int_equal(f.asked, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_against_addr2line),
		cmocka_unit_test(test_split_units),
		cmocka_unit_test(test_common_file_of_dwz),
		cmocka_unit_test(test_debug_file_from_elsewhere),
	};

	int failed = cmocka_run_group_tests_name("symbolizer_lines", tests, fixture_setup,
						 fixture_teardown);

	sandboxed = true;
	return failed + cmocka_run_group_tests_name("symbolizer_lines in a process of its own",
						    tests, fixture_setup, fixture_teardown);
}
