/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbolizer/dwarf/dwarf.h against llvm-symbolizer 19 over every combination of compiler, optimization,
 * version of DWARF and way to link and store it. MATRIX_ADDRESSES is how many addresses of each
 * program are compared (250 unless given: every combination counts more than every address);
 * MATRIX_FULL=1 adds what takes long to build.
 */
#ifndef KILN_TESTS_DWARF_MATRIX_H
#define KILN_TESTS_DWARF_MATRIX_H

#include "tests/lib/dwarf_oracle.h"

enum { GCC = 1, CLANG = 2, RUSTC = 4, DWARF4 = 8, DWARF5 = 16, O2 = 32, LONG = 64 };
#define ANY_DWARF (DWARF4 | DWARF5)

struct variant {
	const char *name;
	unsigned when;		  /* for which compilers and versions; O2: with -O2 only */
	const char *flags, *link; /* for compiling; for linking */
	const char *derive;	  /* makes prog out of plain; NULL: prog is what was linked */
	bool dwp, alt;
	const char *oracle, *needs;
};

#define OBJCOPY	       LLVM "llvm-objcopy "
#define DWZ_SUPPLEMENT "cp plain prog && cp plain other && dwz -m alt prog other"
#define PACKAGE	       LLVM "llvm-dwp -e prog -o prog.dwp"

/* Those that are linked the same way stand together: linking is then done once. */
static const struct variant variants[] = {
	{.name = "plain", .when = GCC | CLANG | RUSTC | ANY_DWARF},
	{.name = "zlib",
	 .when = GCC | CLANG | RUSTC | ANY_DWARF,
	 .derive = OBJCOPY "--compress-debug-sections=zlib plain prog"},
	{.name = "zstd",
	 .when = GCC | CLANG | RUSTC | ANY_DWARF,
	 .derive = OBJCOPY "--compress-debug-sections=zstd plain prog"},
	{.name = "without aranges",
	 .when = GCC | RUSTC | ANY_DWARF,
	 .derive = "objcopy -R .debug_aranges plain prog"},
	{.name = "dwz", .when = GCC | ANY_DWARF, .derive = "dwz -o prog plain"},
	{.name = "dwz with a supplement",
	 .when = GCC | ANY_DWARF,
	 .derive = DWZ_SUPPLEMENT,
	 .alt = true,
	 .oracle = "plain"},
	/* dwz 0.15 does not know the indexed forms clang uses in DWARF 5. */
	{.name = "dwz", .when = CLANG | DWARF4, .derive = "dwz -o prog plain"},
	{.name = "dwz with a supplement",
	 .when = CLANG | DWARF4,
	 .derive = DWZ_SUPPLEMENT,
	 .alt = true,
	 .oracle = "plain"},
	{.name = "with aranges", .when = CLANG | ANY_DWARF, .flags = "-gdwarf-aranges"},
	{.name = "split", .when = GCC | CLANG | ANY_DWARF, .flags = "-gsplit-dwarf"},
	/* On DWARF 5 units of GCC 12 llvm-dwp 14 and 19 do not end, and GNU dwp 2.40 knows version 4. */
	{.name = "package",
	 .when = GCC | DWARF4,
	 .flags = "-gsplit-dwarf",
	 .derive = "cp plain prog && " PACKAGE,
	 .dwp = true},
	{.name = "package",
	 .when = CLANG | ANY_DWARF,
	 .flags = "-gsplit-dwarf",
	 .derive = "cp plain prog && " PACKAGE,
	 .dwp = true},
	{.name = "split, type units",
	 .when = GCC | CLANG | ANY_DWARF,
	 .flags = "-gsplit-dwarf -fdebug-types-section"},
	{.name = "split",
	 .when = RUSTC | ANY_DWARF,
	 .flags = "-C split-debuginfo=unpacked",
	 .needs = "rustc -C help | grep -q dwarf-version"},
	{.name = "type units", .when = GCC | CLANG | ANY_DWARF, .flags = "-fdebug-types-section"},
	{.name = "sections",
	 .when = GCC | CLANG | ANY_DWARF,
	 .flags = "-ffunction-sections",
	 .link = "-Wl,--gc-sections"},
	{.name = "dwarf64", .when = GCC | ANY_DWARF, .flags = "-gdwarf64"},
	{.name = "dwarf64",
	 .when = CLANG | DWARF5,
	 .flags = "-gdwarf64"}, /* version 4 of it is refused */
	{.name = "LTO", .when = GCC | ANY_DWARF, .flags = "-flto", .link = "-flto"},
	{.name = "LTO", .when = CLANG | ANY_DWARF, .flags = "-flto", .link = "-flto -fuse-ld=lld"},
	{.name = "ThinLTO",
	 .when = CLANG | ANY_DWARF,
	 .flags = "-flto=thin",
	 .link = "-flto=thin -fuse-ld=lld"},
	{.name = "LTO", .when = RUSTC | ANY_DWARF | O2 | LONG, .flags = "-C lto=fat"},
	{.name = "ThinLTO", .when = RUSTC | ANY_DWARF | O2 | LONG, .flags = "-C lto=thin"},
};

static const struct compiler {
	unsigned id;
	const char *name, *needs, *compile, *link; /* of -O and -gdwarf, and a variant's flags */
} compilers[] = {
	{GCC, "g++", "command -v g++", "g++ -g -O%d -gdwarf-%d %s -c $S/one.cc $S/two.cc",
	 "g++ -O%d %s -o linked one.o two.o"},
	{CLANG, "clang++", "command -v clang++",
	 "clang++ -g -O%d -gdwarf-%d %s -c $S/one.cc $S/two.cc",
	 "clang++ -O%d %s -o linked one.o two.o"},
	/* -C dwarf-version came with Rust 1.88; before, everything is version 4. */
	{RUSTC, "rustc", "command -v rustc",
	 "rustc -g -C opt-level=%d $(rustc -C help | grep -q dwarf-version && "
	 "echo -C dwarf-version=%d) %s -o linked $S/three.rs",
	 NULL},
};

static bool applies(const struct compiler *c, const struct variant *v, int level, int version)
{
	if (!(v->when & c->id) || !(v->when & (version == 4 ? DWARF4 : DWARF5)))
		return false;
	if ((v->when & LONG) && !getenv("MATRIX_FULL"))
		return false;
	return !(v->when & O2) || level == 2;
}

/* Compiles and links, unless that is what the last variant did. */
static void link_program(const struct compiler *c, const struct variant *v, int level, int version)
{
	static char last[1024];
	char command[1024];
	size_t n;

	n = (size_t)snprintf(command, sizeof(command), c->compile, level, version, v->flags ?: "");
	if (c->link) {
		n += (size_t)snprintf(command + n, sizeof(command) - n, " && ");
		snprintf(command + n, sizeof(command) - n, c->link, level, v->link ?: "");
	}
	if (!strcmp(command, last))
		return;
	strcpy(last, command);
	fixture_run("rm -rf ./* && S=%s && { %s; } 2>build.log || { cat build.log; false; }",
		    source_dir, command);
}

static void check_variant(const struct compiler *c, const struct variant *v, int level, int version)
{
	char name[128], build[512];
	struct config config = {.name = name,
				.build = build,
				.dwp = v->dwp,
				.alt = v->alt,
				.oracle = v->oracle,
				.needs = v->needs};

	snprintf(name, sizeof(name), "%s -O%d DWARF %d, %s", c->name, level, version, v->name);
	snprintf(build, sizeof(build), "rm -f prog alt other prog.dwp && cp linked plain && %s",
		 v->derive ?: "cp plain prog");
	if (!config_wanted(&config))
		return;
	link_program(c, v, level, version);
	check_config(&config);
	clear_answers();
}

static void check_compiler(unsigned id)
{
	static const int levels[] = {0, 2, 3};
	const struct compiler *c = compilers;
	char cmd[256];

	while (c->id != id)
		c++;
	snprintf(cmd, sizeof(cmd), "{ %s; } >/dev/null 2>&1", c->needs);
	if (system(cmd)) {
		print_message("skipped: without success: %s\n", c->needs);
		skip();
	}
	for (size_t i = 0; i < 6; i++)
		for (size_t k = 0; k < sizeof(variants) / sizeof(*variants); k++)
			if (applies(c, &variants[k], levels[i / 2], i % 2 ? 5 : 4))
				check_variant(c, &variants[k], levels[i / 2], i % 2 ? 5 : 4);
}

static int matrix_setup(void **state)
{
	addresses_max = 250;
	return dwarf_setup(state);
}

/* A program a compiler, so that each has the runner's time for itself. */
#define MATRIX_MAIN(id)                                                                            \
	static void test_##id(void **state)                                                        \
	{                                                                                          \
		(void)state;                                                                       \
		check_compiler(id);                                                                \
	}                                                                                          \
                                                                                                   \
	int main(void)                                                                             \
	{                                                                                          \
		const struct CMUnitTest tests[] = {                                                \
			cmocka_unit_test(test_##id),                                               \
		};                                                                                 \
                                                                                                   \
		return cmocka_run_group_tests_name("dwarf matrix", tests, matrix_setup,            \
						   fixture_teardown);                              \
	}

#endif
