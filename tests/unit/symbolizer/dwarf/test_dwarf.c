// SPDX-License-Identifier: GPL-2.0-or-later
/* Forms of DWARF that tests/lib/dwarf_matrix.h does not come to: old, mixed, rare, by hand. */
#include "tests/lib/dwarf_oracle.h"

static const struct config configs[] = {
#define CC_LINE(cc, flags)                                                                         \
	{                                                                                          \
		cc " " flags, cc " " flags " -o prog $S/one.cc $S/two.cc"                          \
	}
	CC_LINE("g++", "-g -O2 -gdwarf-2"),
	CC_LINE("g++", "-g1 -O2"),
	CC_LINE("g++", "-g -O3 -flto -gdwarf-4 -fuse-ld=gold"),
	CC_LINE("g++", "-g -O2 -fuse-ld=gold -Wl,--icf=safe -ffunction-sections"),
	CC_LINE("clang++", "-g -O2 -gdwarf-2"),
	CC_LINE("clang++", "-g1 -O2"),
	CC_LINE("clang++", "-g -O2 -Xclang -gsimple-template-names=simple"),
#define SPLIT_LINE(cc, flags)                                                                      \
	{                                                                                          \
		cc " " flags, cc " " flags " -c $S/one.cc $S/two.cc && " cc " -o prog one.o two.o" \
	}
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
	 "clang++ -g -O2 -flto -c $S/one.cc && clang++ -g -O2 -flto -c $S/two.cc && "
	 "$(clang++ -print-prog-name=llvm-lto) -O2 --exported-symbol=main -o all.o one.o two.o "
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
};

static void test_configs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
		if (!config_wanted(&configs[i]))
			continue;
		fixture_run("rm -rf ./*");
		check_config(&configs[i]);
		clear_answers();
	}
}

/* llvm-symbolizer does not look there, so what the source says is the oracle. */
static void test_names_in_type_units(void **state)
{
	static const char *const want[] = {"_Z8declaredv", "_Z6secondv", "_Z4lastv", "??"};

	(void)state;
	for (int version = 4; version <= 5; version++) {
		struct config c = {.name = "type units"};
		uint64_t base;

		fixture_run("gcc -DVERSION=%d -nostdlib -static -Wl,-e,main -o prog %s/types.S",
			    version, source_dir);
		base = fixture_nm("prog", "main");
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(vec_push(&ours, (struct answer){base + 16 * i + 3}), 0);
		ask_kiln(&c, 0, 0);
		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(ours.data[i].frames.len, 1);
			assert_string_equal(ours.data[i].frames.data[0].function, want[i]);
		}
		clear_answers();
	}
}

/*
 * Most linkers leave the description of code that they removed at address 0. In a PIE a large function
 * reaches from there over the first that exist. llvm-symbolizer gives those its lines.
 */
static void test_removed_functions(void **state)
{
	static const char *const ccs[] = {"gcc", "clang"};
	static const char *const want[] = {"alive", "_start"};

	(void)state;
	fixture_write("live.c", "int sink;\n"
				"__attribute__((noinline)) void alive(void) { sink++; }\n"
				"void _start(void) { alive(); sink++; }\n");
	/* two functions, so that the unit has ranges */
	fixture_write("dead.c", "void dropped(void) { __asm__(\".fill 0x8000, 1, 0xcc\"); }\n"
				"void dropped_too(void) { __asm__(\".fill 0x8000, 1, 0xcc\"); }\n");
	for (size_t c = 0; c < 2; c++) {
		struct config config = {.name = ccs[c]};

		fixture_run(
			"%s -O1 -g -ffunction-sections -fno-stack-protector -nostdlib -pie -fPIE "
			"-Wl,--gc-sections dead.c live.c -o prog",
			ccs[c]);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(
				vec_push(&ours, (struct answer){fixture_nm("prog", want[i])}), 0);
		ask_kiln(&config, 0, 0);
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(ours.data[i].frames.len, 1);
			assert_string_equal(ours.data[i].frames.data[0].file, "live.c");
			assert_int_equal(ours.data[i].frames.data[0].line, i + 2);
		}
		clear_answers();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configs),
		cmocka_unit_test(test_names_in_type_units),
		cmocka_unit_test(test_removed_functions),
	};

	return cmocka_run_group_tests_name("dwarf", tests, dwarf_setup, fixture_teardown);
}
