/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbolizer/dwarf/dwarf.h against llvm-symbolizer 19: one program built in some way, every instruction of
 * it (or as many as asked for), every frame. Sources are in tests/fixtures/dwarf.
 */
#ifndef KILN_TESTS_DWARF_ORACLE_H
#define KILN_TESTS_DWARF_ORACLE_H

#include "tests/lib/fixture.h"

#include <inttypes.h>
#include <limits.h>

#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

#define LLVM "/usr/lib/llvm-19/bin/"

static char source_dir[PATH_MAX];

/* llvm-symbolizer takes its time; more addresses than this are thinned out evenly. */
static size_t addresses_max = 1000; /* MATRIX_ADDRESSES in the environment says otherwise */

struct config {
	const char *name, *build; /* shell command that makes ./prog; $S is the source directory */
	const char *needs; /* shell command without whose success the line is left out, or NULL */
	bool dwp;	   /* there is a prog.dwp */
	bool alt;	   /* there is a supplement named alt */
	bool relocatable;
	const char *oracle; /* same program in a form llvm-symbolizer reads; NULL: prog itself */
};

/* --- one program's answers ---------------------------------------------------------------------- */

struct frame {
	char *function, *file; /* base name */
	unsigned line;
};

struct answer {
	uint64_t va;
	VEC(struct frame) frames;
};

static VEC(struct answer) ours, theirs;

static void clear_answers(void)
{
	struct answer *a;

	for (size_t i = 0; i < ours.len + theirs.len; i++) {
		a = i < ours.len ? &ours.data[i] : &theirs.data[i - ours.len];
		for (size_t j = 0; j < a->frames.len; j++) {
			free(a->frames.data[j].function);
			free(a->frames.data[j].file);
		}
		vec_release(&a->frames);
	}
	vec_release(&ours);
	vec_release(&theirs);
}

static char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return strdup(slash ? slash + 1 : path ?: "??");
}

/* Addresses of instructions, into ours and theirs, without answers. */
static void list_addresses(void)
{
	VEC(uint64_t) all = {0};
	char line[512];
	uint64_t va;
	FILE *f = popen("objdump -d --no-show-raw-insn -j .text plain-text", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (line[0] == ' ' && sscanf(line, " %" SCNx64 ":", &va) == 1)
			assert_int_equal(vec_push(&all, va), 0);
	pclose(f);
	assert_true(all.len > 30);
	for (size_t i = 0; i < all.len && i < addresses_max; i++) {
		struct answer a = {.va = all.len <= addresses_max
						 ? all.data[i]
						 : all.data[i * all.len / addresses_max]};

		assert_int_equal(vec_push(&ours, a), 0);
		assert_int_equal(vec_push(&theirs, a), 0);
	}
	vec_release(&all);
}

static void ask_llvm(const char *dwp)
{
	char name[65536], place[8192], file[4200];
	FILE *f = fopen("addresses", "we");
	struct answer *a = theirs.data - 1;

	assert_non_null(f);
	for (size_t i = 0; i < theirs.len; i++)
		fprintf(f, "%#" PRIx64 "\n", theirs.data[i].va);
	fclose(f);
	snprintf(file, sizeof(file),
		 LLVM "llvm-symbolizer --inlines --functions=linkage --no-demangle"
		      " --no-debuginfod -a -e no-symbols %s%s < addresses 2>/dev/null",
		 dwp ? "--dwp=" : "", dwp ?: "");
	f = popen(file, "re");
	assert_non_null(f);
	while (fgets(name, sizeof(name), f)) {
		char *colon;

		if (name[0] == '\n')
			continue;
		if (!strncmp(name, "0x", 2)) {
			a++;
			assert_int_equal(strtoull(name, NULL, 16), a->va);
			continue;
		}
		assert_non_null(fgets(place, sizeof(place), f));
		name[strcspn(name, "\n")] = 0;
		colon = strrchr(place, ':');
		assert_non_null(colon);
		*colon = 0;
		colon = strrchr(place, ':');
		assert_non_null(colon);
		*colon = 0;
		assert_int_equal(vec_push(&a->frames, (struct frame){strdup(name), base_name(place),
								     atoi(colon + 1)}),
				 0);
	}
	pclose(f);
	assert_int_equal(a - theirs.data + 1, theirs.len);
}

static struct elf_obj *open_elf(const char *path)
{
	struct elf_obj *obj;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	return obj;
}

static struct elf_obj *open_dwo(void *ctx, const char *name, const char *comp_dir, uint64_t dwo_id)
{
	char path[PATH_MAX];
	unsigned *opened = ctx;

	assert_int_not_equal(dwo_id, 0);
	snprintf(path, sizeof(path), "%s/%s", comp_dir ?: "", name);
	if (access(name[0] == '/' ? name : path, R_OK))
		return NULL;
	++*opened;
	return open_elf(name[0] == '/' ? name : path);
}

static void take_answer(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
			enum dwarf_reason reason)
{
	struct answer *a = &ours.data[index];
	struct frame unknown = {strdup("??"), strdup("??"), 0};

	(void)ctx;
	assert_int_equal(a->frames.len, 0); /* once per address */
	assert_int_equal(reason, n ? DWARF_OK : DWARF_NO_UNIT);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			vec_push(&a->frames,
				 (struct frame){strdup(frames[i].linkage_name ?: "??"),
						base_name(frames[i].file), frames[i].line}),
			0);
	if (n) {
		free(unknown.function);
		free(unknown.file);
	} else {
		assert_int_equal(vec_push(&a->frames, unknown), 0);
	}
}

static void ask_kiln(const struct config *c, size_t whole_bytes, size_t cache_bytes)
{
	unsigned opened = 0;
	struct dwarf_opts opts = {.open_dwo = open_dwo,
				  .ctx = &opened,
				  .whole_bytes = whole_bytes,
				  .cache_bytes = cache_bytes};
	struct elf_obj *obj = open_elf("prog"), *alt = c->alt ? open_elf("alt") : NULL;
	struct elf_obj *dwp = c->dwp ? open_elf("prog.dwp") : NULL;
	/* elf_obj gives sections that have no address yet one of its own. */
	uint64_t shift = c->relocatable ? elf_obj_section(obj, ".text")->va : 0;
	uint64_t *va = calloc(ours.len, sizeof(*va));
	struct dwarf *d;

	for (size_t i = 0; i < ours.len; i++) {
		va[i] = ours.data[i].va + shift;
		for (size_t j = 0; j < ours.data[i].frames.len; j++) {
			free(ours.data[i].frames.data[j].function);
			free(ours.data[i].frames.data[j].file);
		}
		ours.data[i].frames.len = 0;
	}
	assert_int_equal(dwarf_new(&d, obj, alt, dwp, &opts), 0);
	assert_int_equal(dwarf_resolve(d, va, ours.len, take_answer, NULL), 0);
	assert_true(dwarf_bytes(d) > 0);
	dwarf_free(d);
	elf_obj_free(obj);
	elf_obj_free(alt);
	elf_obj_free(dwp);
	free(va);
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
	return !strcmp(a->function, b->function) && !strcmp(a->file, b->file) && a->line == b->line;
}

static void print_answer(const char *who, const struct answer *a)
{
	print_message("  %s\n", who);
	for (size_t i = 0; i < a->frames.len; i++)
		print_message("    %s %s:%u\n", a->frames.data[i].function, a->frames.data[i].file,
			      a->frames.data[i].line);
}

/* Frames that differ, of all frames. */
static size_t count_different(const char *name, size_t *frames, size_t *deep)
{
	size_t different = 0;

	*frames = *deep = 0;
	for (size_t i = 0; i < ours.len; i++) {
		const struct answer *a = &ours.data[i], *b = &theirs.data[i];
		bool same = a->frames.len == b->frames.len;

		for (size_t j = 0; same && j < a->frames.len; j++)
			same = same_frame(&a->frames.data[j], &b->frames.data[j]);
		*frames += b->frames.len;
		*deep += b->frames.len > 1;
		if (same || different++ >= 3)
			continue;
		print_message("%s: %#" PRIx64 "\n", name, a->va);
		print_answer("kiln", a);
		print_answer("llvm", b);
	}
	return different;
}

/* Builds and compares one; what earlier ones left in the directory stays. */
static void check_config(const struct config *c)
{
	const char *oracle = c->oracle ?: "prog";
	size_t frames, deep;

	clear_answers(); /* of a comparison that failed */
	fixture_run("S=%s && { %s; } 2>build.log || { cat build.log; false; }", source_dir,
		    c->build);
	/* A debug file has no code to disassemble; llvm is to take names from DWARF, not symbols. */
	fixture_run("test -e plain && cp plain plain-text || cp prog plain-text");
	if (c->relocatable) /* relocations need the symbols, which in C are named the same */
		fixture_run("cp %s no-symbols", oracle);
	else
		fixture_run(LLVM "llvm-objcopy --strip-all --keep-section='.debug*' %s no-symbols",
			    oracle);
	list_addresses();
	ask_llvm(c->dwp ? "prog.dwp" : NULL);
	ask_kiln(c, 0, 0);
	assert_int_equal(count_different(c->name, &frames, &deep), 0);
	/* Reading in blocks, and hardly any cache, must not change an answer. */
	ask_kiln(c, 1, 1);
	assert_int_equal(count_different(c->name, &frames, &deep), 0);
	print_message("%-60s %5zu addresses, %5zu frames, %4zu inlined\n", c->name, ours.len,
		      frames, deep);
}

static FIXTURE_UNUSED bool config_wanted(const struct config *c)
{
	const char *only = getenv("ONLY"); /* for debugging: part of a line's name */
	char cmd[256];

	if (only && !strstr(c->name, only))
		return false;
	snprintf(cmd, sizeof(cmd), "{ %s; } >/dev/null 2>&1", c->needs ?: "true");
	if (!system(cmd))
		return true;
	print_message("%s: left out, without success: %s\n", c->name, c->needs ?: "");
	return false;
}

/* cmocka group setup: a scratch directory, in which $S leads to the sources. */
static FIXTURE_UNUSED int dwarf_setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);
	const char *wanted = getenv("MATRIX_ADDRESSES");

	if (wanted)
		addresses_max = strtoul(wanted, NULL, 10);
	return dir ? (strcat(source_dir, "/tests/fixtures/dwarf"), fixture_setup(state)) : -1;
}

#endif
