// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbolizer/dwarf.h against llvm-symbolizer 19: a matrix of compilers and formats, every
 * instruction, every frame. Fixtures are built here from tests/fixtures/dwarf.
 */
#include "tests/lib/fixture.h"

#include <inttypes.h>
#include <limits.h>

#include "profiler/base/vec.h"
#include "symbolizer/dwarf.h"
#include "symbolizer/elf_obj.h"

/* llvm-symbolizer takes its time; more addresses than this are thinned out evenly. */
#define ADDRESSES_MAX 3000

#define LLVM "/usr/lib/llvm-19/bin/"

static char source_dir[PATH_MAX];

struct config {
	const char *name, *build; /* shell command that makes ./prog; $S is the source directory */
	const char *needs;	  /* command without which the line is left out, or NULL */
	bool dwp;		  /* there is a prog.dwp */
	bool alt;		  /* there is a supplement named alt */
	bool relocatable;
	const char *oracle; /* same program in a form llvm-symbolizer reads; NULL: prog itself */
};

static const struct config configs[] = {
#define CC_LINE(cc, flags)                                                                         \
	{                                                                                          \
		cc " " flags, cc " " flags " -o prog $S/one.cc $S/two.cc"                          \
	}
	CC_LINE("g++", "-g -O0 -gdwarf-4"),
	CC_LINE("g++", "-g -O2 -gdwarf-4"),
	CC_LINE("g++", "-g -O3 -gdwarf-5"),
	CC_LINE("g++", "-g -O2 -gdwarf-2"),
	CC_LINE("g++", "-g -O0 -gdwarf-5"),
	CC_LINE("g++", "-g1 -O2"),
	CC_LINE("g++", "-g -O2 -gz=zlib"),
	CC_LINE("g++", "-g -O2 -gdwarf64 -gdwarf-5"),
	CC_LINE("g++", "-g -O2 -gdwarf64 -gdwarf-4"),
	CC_LINE("g++", "-g -O2 -fdebug-types-section"),
	CC_LINE("g++", "-g -O2 -fdebug-types-section -gdwarf-4"),
	CC_LINE("g++", "-g -O2 -ffunction-sections -Wl,--gc-sections"),
	CC_LINE("g++", "-g -O2 -flto"),
	CC_LINE("g++", "-g -O3 -flto -gdwarf-4 -fuse-ld=gold"),
	CC_LINE("g++", "-g -O2 -fuse-ld=gold -Wl,--icf=safe -ffunction-sections"),
	CC_LINE("clang++", "-g -O0 -gdwarf-5"),
	CC_LINE("clang++", "-g -O2 -gdwarf-4"),
	CC_LINE("clang++", "-g -O3 -gdwarf-5"),
	CC_LINE("clang++", "-g -O2 -gdwarf-2"),
	CC_LINE("clang++", "-g1 -O2"),
	CC_LINE("clang++", "-g -O2 -gdwarf-5 -gdwarf64"),
	CC_LINE("clang++", "-g -O2 -gdwarf-aranges"),
	CC_LINE("clang++", "-g -O2 -fdebug-types-section"),
	CC_LINE("clang++", "-g -O2 -ffunction-sections -Wl,--gc-sections"),
	CC_LINE("clang++", "-g -O2 -Xclang -gsimple-template-names=simple"),
#define SPLIT_LINE(cc, flags)                                                                      \
	{                                                                                          \
		cc " " flags, cc " " flags " -c $S/one.cc $S/two.cc && " cc " -o prog one.o two.o" \
	}
	SPLIT_LINE("g++", "-g -O2 -gsplit-dwarf -gdwarf-4"),
	SPLIT_LINE("g++", "-g -O2 -gsplit-dwarf -gdwarf-5"),
	SPLIT_LINE("clang++", "-g -O2 -gsplit-dwarf -gdwarf-4"),
	SPLIT_LINE("clang++", "-g -O2 -gsplit-dwarf -gdwarf-5"),
	SPLIT_LINE("clang++", "-g -O2 -gsplit-dwarf -gdwarf-5 -fsplit-dwarf-inlining"),
	SPLIT_LINE("clang++", "-g -O2 -gsplit-dwarf -gdwarf-5 -fdebug-types-section"),
	{"clang++ split, .dwo files gone",
	 "clang++ -g -O2 -gsplit-dwarf -fsplit-dwarf-inlining -c $S/one.cc $S/two.cc && "
	 "clang++ -o prog one.o two.o && rm one.dwo two.dwo"},
	{"clang++ package, DWARF 5",
	 "clang++ -g -O2 -gsplit-dwarf -gdwarf-5 -c $S/one.cc $S/two.cc && "
	 "clang++ -o prog one.o two.o && " LLVM
	 "llvm-dwp -e prog -o prog.dwp && rm one.dwo two.dwo",
	 .dwp = true},
	{"clang++ package, DWARF 4",
	 "clang++ -g -O2 -gsplit-dwarf -gdwarf-4 -c $S/one.cc $S/two.cc && "
	 "clang++ -o prog one.o two.o && " LLVM
	 "llvm-dwp -e prog -o prog.dwp && rm one.dwo two.dwo",
	 .dwp = true},
	{"clang++ package, type units",
	 "clang++ -g -O2 -gsplit-dwarf -gdwarf-5 -fdebug-types-section -c $S/one.cc $S/two.cc && "
	 "clang++ -o prog one.o two.o && " LLVM
	 "llvm-dwp -e prog -o prog.dwp && rm one.dwo two.dwo",
	 .dwp = true},
	{"clang++ LTO",
	 "clang++ -g -O2 -flto -c $S/one.cc && clang++ -g -O2 -flto -c $S/two.cc && " LLVM
	 "../../llvm-14/bin/llvm-lto -O2 --exported-symbol=main -o all.o one.o two.o "
	 "&& clang++ -o prog all.o"},
	{"zstd sections", "g++ -g -O2 -o plain $S/one.cc $S/two.cc && " LLVM
			  "llvm-objcopy --compress-debug-sections=zstd plain prog"},
	{".zdebug sections",
	 "g++ -g -O2 -gdwarf-4 -o plain $S/one.cc $S/two.cc && "
	 "objcopy --compress-debug-sections=zlib-gnu plain prog",
	 .oracle = "plain"},
	{"no .debug_aranges", "g++ -g -O2 -o plain $S/one.cc $S/two.cc && "
			      "objcopy -R .debug_aranges plain prog"},
	{"GNU package, DWARF 4",
	 "g++ -g -O2 -gsplit-dwarf -gdwarf-4 -c $S/one.cc $S/two.cc && g++ -o prog one.o two.o && "
	 "dwp -e prog -o prog.dwp && rm one.dwo two.dwo",
	 .dwp = true},
	{"partial units of dwz", "g++ -g -O2 -o plain $S/one.cc $S/two.cc && dwz -o prog plain"},
	{"supplement of dwz, DWARF 5",
	 "g++ -g -O2 -o plain $S/one.cc $S/two.cc && "
	 "cp plain prog && cp plain other && dwz -m alt prog other",
	 .alt = true, .oracle = "plain"},
	{"supplement of dwz, DWARF 4",
	 "g++ -g -O3 -gdwarf-4 -o plain $S/one.cc $S/two.cc && "
	 "cp plain prog && cp plain other && dwz -m alt prog other",
	 .alt = true, .oracle = "plain"},
	{"relocatable, GCC", "gcc -g -O2 -c -o prog $S/four.c", .relocatable = true},
	{"relocatable, clang DWARF 4", "clang -g -O2 -gdwarf-4 -fno-vectorize -c -o prog $S/four.c",
	 .relocatable = true},
	{"GCC and clang in one program",
	 "g++ -g -O2 -c $S/one.cc && clang++ -g -O2 -c $S/two.cc && g++ -o prog one.o two.o"},
	{"separate debug file", "g++ -g -O2 -o plain $S/one.cc $S/two.cc && "
				"objcopy --only-keep-debug plain prog"},
#define STL_LINE(cc, flags)                                                                        \
	{                                                                                          \
		cc " " flags " (STL)", cc " " flags " -o prog $S/stl.cc"                           \
	}
	STL_LINE("g++", "-g -O2 -gdwarf-5"),
	STL_LINE("g++", "-g -O3 -gdwarf-4"),
	STL_LINE("clang++", "-g -O2 -gdwarf-5"),
	{"rustc -O0", "rustc -g -C opt-level=0 -o prog $S/three.rs", "rustc"},
	{"rustc -O3", "rustc -g -C opt-level=3 -o prog $S/three.rs", "rustc"},
	{"rustc LTO", "rustc -g -C opt-level=2 -C lto=fat -o prog $S/three.rs", "rustc"},
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
	for (size_t i = 0; i < all.len && i < ADDRESSES_MAX; i++) {
		struct answer a = {all.len <= ADDRESSES_MAX
					   ? all.data[i]
					   : all.data[i * all.len / ADDRESSES_MAX]};

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

static void check_config(const struct config *c)
{
	const char *oracle = c->oracle ?: "prog";
	size_t frames, deep;

	fixture_run("rm -rf ./* && S=%s && { %s; } 2>build.log || { cat build.log; false; }",
		    source_dir, c->build);
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

static bool have_command(const char *name)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", name);
	return !name || !system(cmd);
}

static void test_matrix(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
		const char *only = getenv("ONLY"); /* for debugging: part of a line's name */

		if (only && !strstr(configs[i].name, only))
			continue;
		if (configs[i].needs && !have_command(configs[i].needs)) {
			print_message("%s: left out, there is no %s\n", configs[i].name,
				      configs[i].needs);
			continue;
		}
		check_config(&configs[i]);
		clear_answers();
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
		cmocka_unit_test(test_matrix),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
