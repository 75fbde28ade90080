/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Libraries whose unwind tables take some pages each, and a program that runs in one of them. */
#ifndef KILN_TESTS_TABLE_LIBS_H
#define KILN_TESTS_TABLE_LIBS_H

#include <limits.h>

#include "tests/lib/fixture.h"

#define LIBS 10

static char source_dir[PATH_MAX];

/* Works in a library, for ever or for so many milliseconds, and sleeps then. Before that it maps the
 * library so many times more. */
static const char mapper_source[] =
	"#include <dlfcn.h>\n#include <fcntl.h>\n#include <stdlib.h>\n#include <sys/mman.h>\n"
	"#include <unistd.h>\n"
	"int main(int argc, char **argv) {\n"
	"	void *lib = dlopen(argv[1], RTLD_NOW);\n"
	"	int more = argc > 3 ? atoi(argv[3]) : 0, fd = open(argv[1], O_RDONLY);\n"
	"	char *at = mmap(0, (more + 1) * 8192l, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);\n"
	"	int (*work)(int) = (int (*)(int))dlsym(lib, \"work\");\n"
	"	for (int i = 0; i < more; i++)\n"
	"		mmap(at + i * 8192l, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | "
	"MAP_FIXED,\n"
	"		     fd, 0);\n"
	"	int n = work(atoi(argv[2]));\n"
	"	for (;;) { pause(); n++; }\n"
	"	return argc + n;\n"
	"}\n";

static const char lib_source[] = "#include <time.h>\n"
				 "static int left(int ms) {\n"
				 "	struct timespec t;\n"
				 "	static long end;\n"
				 "	long now;\n"
				 "	clock_gettime(CLOCK_MONOTONIC, &t);\n"
				 "	now = t.tv_sec * 1000 + t.tv_nsec / 1000000;\n"
				 "	end = end ? end : now + ms;\n"
				 "	return !ms || now < end;\n"
				 "}\n"
				 "__attribute__((noinline)) int g(int *x) {\n"
				 "	volatile int n = 0;\n"
				 "	while (left(*x))\n"
				 "		for (int i = 0; i < 100000; i++)\n"
				 "			n++;\n"
				 "	return n;\n"
				 "}\n";

static FIXTURE_UNUSED int libs_setup(void **state)
{
	if (!getcwd(source_dir, sizeof(source_dir)) || fixture_setup(state))
		return -1;
	fixture_run("gcc -O2 -g -Wl,-z,now %s/tests/fixtures/unwind/stacks.c -o stacks -pthread "
		    "2>/dev/null",
		    source_dir);
	fixture_write("mapper.c", mapper_source);
	fixture_write("head.c", lib_source);
	fixture_run("cc -O1 -o mapper mapper.c");
	/* functions of many frame sizes, other ones in each library */
	fixture_run("for l in $(seq 0 %d); do (cat head.c; for f in $(seq 1500); do "
		    "echo \"int f$f(int a) { int x[$(((f * 7 + l * 13) %% 61 + 1))]; x[0] = a; "
		    "return g(x) + $f; }\"; done; echo \"int work(int ms) { return f$((l * 17 + 1))"
		    "(ms) + 1; }\") >lib.c; cc -O1 -shared -fPIC -o lib$l.so lib.c || exit 1; done",
		    LIBS - 1);
	return 0;
}

static FIXTURE_UNUSED const char *lib(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "lib%d.so", i);
	return name;
}

#endif
