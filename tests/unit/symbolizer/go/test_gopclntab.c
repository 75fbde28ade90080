// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Go's function table: hand-made ones of every format, and what the table of a stripped program says
 * against `go tool addr2line`, `go tool nm` and the DWARF of the same program unstripped.
 */
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/go/gopclntab.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"
#include "tests/lib/go_toolchains.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)

/* Addresses compared of each program; more are thinned out evenly. */
#define ADDRESSES_MAX 8000

static char source_dir[PATH_MAX];

/* --- hand-made tables --------------------------------------------------------------------------- */

static void make_table(const char *flags)
{
	fixture_run("gcc -nostdlib -static -no-pie -Wl,-N,-w,--build-id=none %s %s/table.S -o "
		    "table 2>link.log || { cat link.log; false; }",
		    flags, source_dir);
}

/* "name file:line" of each frame, and its first line in brackets. */
static const char *frames_at(struct gopclntab *t, uint64_t va)
{
	static char text[1024];
	const struct dwarf_frame *f;
	int n = gopclntab_find(t, va, &f);
	size_t len = 0;

	assert_true(n >= 0);
	assert_int_equal(n > 0, gopclntab_covers(t, va));
	text[0] = 0;
	for (int i = 0; i < n; i++) {
		assert_string_equal(f[i].name, f[i].linkage_name);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s:%u[%u]",
					i ? " < " : "", f[i].name, f[i].file, f[i].line,
					f[i].start_line);
	}
	return text;
}

struct expected {
	unsigned offset;
	const char *frames;
};

static void check_table(const char *flags, const struct expected *want, size_t n, bool inlines)
{
	uint64_t base;
	struct gopclntab *t;
	struct elf_obj *obj;

	make_table(flags);
	base = fixture_nm("table", "outer");
	fixture_run("strip -s table");
	assert_int_equal(elf_obj_open(&obj, fixture_open("table"), NULL), 0);
	assert_int_equal(gopclntab_open(&t, obj), 0);
	assert_int_equal(gopclntab_functions(t), 2);
	assert_int_equal(gopclntab_has_inlines(t), inlines);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(frames_at(t, base + want[i].offset), want[i].frames);
	/* Padding, before the first function, behind the last. */
	assert_string_equal(frames_at(t, base + 64), "");
	assert_string_equal(frames_at(t, base + 79), "");
	assert_string_equal(frames_at(t, base - 1), "");
	assert_string_equal(frames_at(t, base + 96), "");
	assert_string_equal(frames_at(t, 0), "");
	assert_string_equal(frames_at(t, UINT64_MAX), "");
	assert_true(gopclntab_bytes(t) > 0);
	assert_false(gopclntab_limited(t));
	gopclntab_free(t);
	elf_obj_free(obj);
}

#define CHECK_TABLE(flags, inlines, ...)                                                           \
	do {                                                                                       \
		static const struct expected want_[] = {__VA_ARGS__};                              \
		check_table(flags, want_, sizeof(want_) / sizeof(*want_), inlines);                \
	} while (0)

#define SECTION "'-DSECTION=.gopclntab'"

static void test_formats_without_inlined_calls(void **state)
{
	static const char *const formats[] = {"-DFORMAT=2 " SECTION, "-DFORMAT=16 " SECTION};

	(void)state;
	for (int i = 0; i < 2; i++)
		CHECK_TABLE(formats[i], false, {0, "main.outer /src/a.go:10[0]"},
			    {15, "main.outer /src/a.go:12[0]"}, {16, "main.outer /src/b.go:20[0]"},
			    {63, "main.outer /src/a.go:13[0]"}, {80, "main.plain /src/a.go:40[0]"},
			    {95, "main.plain /src/a.go:40[0]"});
}

static void test_inlined_calls(void **state)
{
	(void)state;
	CHECK_TABLE("-DFORMAT=18 " SECTION, true, {0, "main.outer /src/a.go:10[0]"},
		    {16, "main.middle /src/b.go:20[0] < main.outer /src/a.go:12[0]"},
		    {47, "main.inner /src/b.go:30[0] < main.middle /src/b.go:21[0] < "
			 "main.outer /src/a.go:12[0]"},
		    {48, "main.outer /src/a.go:13[0]"});
	CHECK_TABLE("-DFORMAT=20 " SECTION, true, {0, "main.outer /src/a.go:10[9]"},
		    {31, "main.middle /src/b.go:21[19] < main.outer /src/a.go:12[9]"},
		    {32, "main.inner /src/b.go:30[29] < main.middle /src/b.go:21[19] < "
			 "main.outer /src/a.go:12[9]"},
		    {95, "main.plain /src/a.go:40[39]"});
}

/* Since Go 1.26 only the moduledata says where text starts; without one .text is taken. */
static void test_text_start(void **state)
{
	(void)state;
	CHECK_TABLE("-DFORMAT=20 -DNO_TEXT " SECTION, true,
		    {31, "main.middle /src/b.go:21[19] < main.outer /src/a.go:12[9]"});
	CHECK_TABLE("-DFORMAT=20 -DNO_TEXT -DNO_MODULE " SECTION, false,
		    {16, "main.outer /src/b.go:20[9]"}, {80, "main.plain /src/a.go:40[39]"});
	CHECK_TABLE("-DFORMAT=20 -DNO_MODULE " SECTION, false, {16, "main.outer /src/b.go:20[9]"});
}

static int open_table(const char *path)
{
	struct gopclntab *t = NULL;
	struct elf_obj *obj;
	int err;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	err = gopclntab_open(&t, obj);
	gopclntab_free(t);
	elf_obj_free(obj);
	return err;
}

static void test_where_it_is_found(void **state)
{
	(void)state;
	make_table("-DFORMAT=20 " SECTION);
	fixture_run("objcopy --rename-section .gopclntab=.data.rel.ro.gopclntab table");
	assert_int_equal(open_table("table"), 0);
	/* A file with sections none of which is Go's is not searched. */
	make_table("-DFORMAT=20 '-DSECTION=.other'");
	assert_int_equal(open_table("table"), -ENODATA);
	fixture_run("objcopy --add-section .go.buildinfo=/dev/null table table-go");
	assert_int_equal(open_table("table-go"), 0);
	fixture_drop_sections("table");
	assert_int_equal(open_table("table"), 0);
	assert_int_equal(open_table("/bin/sh"), -ENODATA);
}

/* Every byte of the table and of the moduledata in turn. What comes out may be anything short. */
static void test_damage(void **state)
{
	const size_t text_off = 0x78; /* behind the headers */
	uint64_t base;
	uint8_t *data;
	size_t len;

	(void)state;
	make_table("-DFORMAT=20 " SECTION);
	base = fixture_nm("table", "outer");
	fixture_run("strip -s table");
	data = fixture_read("table", &len);
	for (size_t i = 4 * text_off; i < len * 4; i++) {
		static const uint8_t flips[] = {0xff, 0x80, 0x01, 0x7f};
		struct gopclntab *t = NULL;
		const struct dwarf_frame *f;
		struct elf_obj *obj;

		data[i / 4] ^= flips[i % 4];
		if (elf_obj_open_bytes(&obj, data, len, NULL))
			fail();
		if (!gopclntab_open(&t, obj))
			for (uint64_t va = base; va < base + 100; va += 8)
				assert_in_range(gopclntab_find(t, va, &f), 0, 128);
		gopclntab_free(t);
		elf_obj_free(obj);
		data[i / 4] ^= flips[i % 4];
	}
	free(data);
}

/* --- programs of the Go compiler ---------------------------------------------------------------- */

struct answer {
	uint64_t va;
	char *names, *places; /* of all frames, innermost first */
	size_t n;
};

struct answers {
	VEC(struct answer) v;
	struct answer *next;
};

static void answers_free(struct answers *a)
{
	for (size_t i = 0; i < a->v.len; i++) {
		free(a->v.data[i].names);
		free(a->v.data[i].places);
	}
	vec_release(&a->v);
}

/* Type arguments are left out of the table's names, some characters spelled otherwise. */
static void add_name(char *out, size_t size, const char *name)
{
	size_t len = strlen(out);

	for (; *name && len + 2 < size; name++) {
		if (*name == '[' && strchr(name, ']'))
			name = strrchr(name, ']');
		else if (!strncmp(name, "\302\267", 2))
			out[len++] = '.', name++;
		else
			out[len++] = *name;
	}
	out[len] = ' ';
	out[len + 1] = 0;
}

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	struct answers *all = ctx;
	struct answer *a = &all->v.data[index];
	char names[8192] = "", places[16384] = "";

	for (size_t i = 0; i < r->n_frames; i++) {
		const struct sym_frame *f = &r->frames[i];
		const char *slash = f->file ? strrchr(f->file, '/') : NULL;
		size_t len = strlen(places);

		add_name(names, sizeof(names), r->reason == SYM_OK ? f->name : "??");
		snprintf(places + len, sizeof(places) - len, "%s:%u ",
			 slash ? slash + 1 : f->file ?: "?", f->line);
	}
	a->names = strdup(names);
	a->places = strdup(places);
	a->n = r->n_frames;
}

static struct answers ask(const char *path, const struct answers *like)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	static const char *const no_dirs[] = {NULL};
	struct symbolizer_opts opts = {.debug_dirs = no_dirs};
	_cleanup_close_ int fd = fixture_open(path);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(path)};
	uint64_t *va = calloc(like->v.len, sizeof(*va));
	struct answers a = {0};

	for (size_t i = 0; i < like->v.len; i++) {
		va[i] = like->v.data[i].va;
		assert_int_equal(vec_push(&a.v, (struct answer){.va = va[i]}), 0);
	}
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	assert_int_equal(symbolizer_resolve_va(s, &file, va, a.v.len, take, &a), 0);
	free(va);
	return a;
}

/* Instructions of the program's Go functions, that is of all but what C's startup files bring. */
static struct answers list_addresses(const char *path)
{
	struct answers all = {0}, some = {0};
	char cmd[256], line[512];
	uint64_t first = fixture_nm(path, "runtime.text"), end = fixture_nm(path, "runtime.etext");
	unsigned long va;
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "objdump -d --no-show-raw-insn --start-address=%#lx --stop-address=%#lx %s",
		 (unsigned long)first, (unsigned long)end, path);
	f = popen(cmd, "re");
	while (fgets(line, sizeof(line), f))
		if (line[0] == ' ' && sscanf(line, " %lx:", &va) == 1 && !strstr(line, "int3"))
			assert_int_equal(vec_push(&all.v, (struct answer){.va = va}), 0);
	pclose(f);
	assert_true(all.v.len > ADDRESSES_MAX);
	for (size_t i = 0; i < ADDRESSES_MAX; i++)
		assert_int_equal(vec_push(&some.v, all.v.data[i * all.v.len / ADDRESSES_MAX]), 0);
	vec_release(&all.v);
	return some;
}

struct tally {
	size_t same, inlined, no_line, wrapper, other;
};

/* What the DWARF of Go's compiler is without: lines of generated functions, in Go 1.19 the inlining
 * into generated wrappers. */
static struct tally compare(const struct answers *got, const struct answers *want, bool names_only)
{
	struct tally t = {0};

	for (size_t i = 0; i < got->v.len; i++) {
		const struct answer *g = &got->v.data[i], *w = &want->v.data[i];

		assert_null(strstr(g->names, "??"));
		t.inlined += g->n > 1;
		if (!strcmp(g->names, w->names) && (names_only || !strcmp(g->places, w->places)))
			t.same++;
		else if (!strcmp(w->places, "?:0 "))
			t.no_line++;
		else if (strstr(g->places, "<autogenerated>"))
			t.wrapper++;
		else if (t.other++ < 5)
			print_message("%#lx: %s%s\n  want %s%s\n", (unsigned long)g->va, g->names,
				      g->places, w->names, w->places);
	}
	return t;
}

static void check_against_dwarf(const char *full, const char *stripped)
{
	struct answers like = list_addresses(full), want = ask(full, &like);
	struct answers got = ask(stripped, &like);
	struct tally t = compare(&got, &want, false);

	print_message("%s: %zu same (%zu inlined), %zu without a line in DWARF, %zu in generated "
		      "functions, %zu other\n",
		      stripped, t.same, t.inlined, t.no_line, t.wrapper, t.other);
	assert_true(t.inlined > ADDRESSES_MAX / 20);
	/* Go 1.19's DWARF and table differ in the lines of a handful of instructions. */
	assert_true(t.other <= ADDRESSES_MAX / 1000);
	assert_true(t.no_line + t.wrapper <= ADDRESSES_MAX / 200);
	answers_free(&like);
	answers_free(&want);
	answers_free(&got);
}

static void test_stripped_against_dwarf(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(toolchains) / sizeof(*toolchains); i++) {
		const struct toolchain *t = &toolchains[i];

		if (skip_without(t))
			continue;
		build_go(t, source_dir, "", "full");
		build_go(t, source_dir, "-ldflags=-w", "no-dwarf");
		build_go(t, source_dir, "'-ldflags=-s -w'", "go-stripped");
		fixture_run("strip -s -o stripped full && cp stripped sectionless");
		fixture_drop_sections("sectionless");
		check_against_dwarf("full", "no-dwarf");
		check_against_dwarf("full", "go-stripped");
		check_against_dwarf("full", "stripped");
		check_against_dwarf("full", "sectionless");
	}
}

/* Pointers of these are in relocations, and with GNU ld only there. */
static void test_position_independent(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(toolchains) / sizeof(*toolchains); i++) {
		const struct toolchain *t = &toolchains[i];

		if (!t->pie || skip_without(t))
			continue;
		build_go(t, source_dir, "-buildmode=pie", "pie");
		build_go(t, source_dir, "-buildmode=pie -ldflags=-linkmode=external", "pie-ld");
		fixture_run("strip -s -o pie-stripped pie && strip -s -o pie-ld-stripped pie-ld && "
			    "cp pie-ld-stripped pie-ld-sectionless");
		fixture_drop_sections("pie-ld-sectionless");
		check_against_dwarf("pie", "pie-stripped");
		check_against_dwarf("pie-ld", "pie-ld-stripped");
		check_against_dwarf("pie-ld", "pie-ld-sectionless");
	}
}

/* `go tool addr2line` prints the function and the innermost position, two lines an address. */
static void read_addr2line(const struct toolchain *t, const char *path, struct answers *a)
{
	char cmd[256], name[1024], place[1024];
	FILE *f = fopen("addresses", "we");

	for (size_t i = 0; i < a->v.len; i++)
		fprintf(f, "%#lx\n", (unsigned long)a->v.data[i].va);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "%s tool addr2line %s <addresses", t->go, path);
	f = popen(cmd, "re");
	for (size_t i = 0; i < a->v.len; i++) {
		char text[1024] = "", *slash;

		assert_non_null(fgets(name, sizeof(name), f));
		assert_non_null(fgets(place, sizeof(place), f));
		name[strcspn(name, "\n")] = place[strcspn(place, "\n")] = 0;
		add_name(text, sizeof(text), name);
		slash = strrchr(place, '/');
		a->v.data[i].names = strdup(text);
		a->v.data[i].places = strdup(slash ? slash + 1 : place);
	}
	assert_null(fgets(name, sizeof(name), f));
	pclose(f);
}

/* Is that the last of some names that each end in a space (and may have others inside)? */
static bool is_last(const char *names, const char *name)
{
	size_t len = strlen(names), n = strlen(name);

	return len >= n && !strcmp(names + len - n, name) &&
	       (len == n || names[len - n - 1] == ' ');
}

static void test_against_addr2line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(toolchains) / sizeof(*toolchains); i++) {
		const struct toolchain *t = &toolchains[i];
		struct answers want, got;

		if (skip_without(t))
			continue;
		build_go(t, source_dir, "", "full");
		fixture_run("strip -s -o stripped full");
		want = list_addresses("full");
		got = ask("stripped", &want);
		read_addr2line(t, "full", &want);
		for (size_t k = 0; k < want.v.len; k++) {
			const struct answer *w = &want.v.data[k], *g = &got.v.data[k];

			if (!is_last(g->names, w->names) ||
			    strncmp(g->places, w->places, strlen(w->places)) ||
			    g->places[strlen(w->places)] != ' ')
				fail_msg("%#lx: %s at %s, want %s at %s", (unsigned long)g->va,
					 g->names, g->places, w->names, w->places);
		}
		answers_free(&want);
		answers_free(&got);
	}
}

/* "  401000 T main.main" */
static struct answers read_nm(const struct toolchain *t, const char *path)
{
	struct answers all = {0};
	char cmd[256], line[1024];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s tool nm %s", t->go, path);
	f = popen(cmd, "re");
	while (fgets(line, sizeof(line), f)) {
		struct answer a = {0};
		char type, name[512], text[520] = "";
		unsigned long va;

		if (sscanf(line, "%lx %c %511[^\n]", &va, &type, name) != 3 || toupper(type) != 'T')
			continue;
		/* The linker's marks between sections. */
		if (!strncmp(name, "go:", 3) || !strcmp(name, "runtime.text") ||
		    !strcmp(name, "runtime.etext"))
			continue;
		if (strlen(name) > 5 && !strcmp(name + strlen(name) - 5, ".abi0"))
			name[strlen(name) - 5] = 0;
		add_name(text, sizeof(text), name);
		a.va = va;
		a.names = strdup(text);
		assert_int_equal(vec_push(&all.v, a), 0);
	}
	pclose(f);
	return all;
}

/* Every function `go tool nm` knows is found at its start under that name. */
static void test_against_nm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(toolchains) / sizeof(*toolchains); i++) {
		const struct toolchain *t = &toolchains[i];
		struct answers want, got;

		if (skip_without(t))
			continue;
		build_go(t, source_dir, "", "full");
		fixture_run("strip -s -o stripped full");
		want = read_nm(t, "full");
		assert_true(want.v.len > 1000);
		got = ask("stripped", &want);
		for (size_t k = 0; k < want.v.len; k++)
			if (!is_last(got.v.data[k].names, want.v.data[k].names))
				fail_msg("%s, want %s", got.v.data[k].names, want.v.data[k].names);
		answers_free(&want);
		answers_free(&got);
	}
}

/* "main.cold" is a function, not a part of "main" that a C compiler moved away. */
static void test_names_are_not_folded(void **state)
{
	static const char *const paths[] = {"full", "stripped"};
	struct answers want = {0}, got;

	(void)state;
	if (skip_without(&toolchains[0]))
		skip();
	build_go(&toolchains[0], source_dir, "", "full");
	fixture_run("strip -s -o stripped full");
	assert_int_equal(vec_push(&want.v, (struct answer){fixture_nm("full", "main.cold")}), 0);
	for (int i = 0; i < 2; i++) {
		got = ask(paths[i], &want);
		assert_string_equal(got.v.data[0].names, "main.cold ");
		answers_free(&got);
	}
	answers_free(&want);
}

static int setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);

	return dir ? (strcat(source_dir, "/tests/fixtures/go"), fixture_setup(state)) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_without_inlined_calls),
		cmocka_unit_test(test_inlined_calls),
		cmocka_unit_test(test_text_start),
		cmocka_unit_test(test_where_it_is_found),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_stripped_against_dwarf),
		cmocka_unit_test(test_position_independent),
		cmocka_unit_test(test_against_addr2line),
		cmocka_unit_test(test_against_nm),
		cmocka_unit_test(test_names_are_not_folded),
	};

	return cmocka_run_group_tests_name("gopclntab", tests, setup, fixture_teardown);
}
