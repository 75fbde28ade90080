// SPDX-License-Identifier: GPL-2.0-or-later
/* Discriminators of lines and of inlined calls against llvm-symbolizer's. */
#include <inttypes.h>

#include "tests/lib/fixture.h"

#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/elf/elf_obj.h"

#define LLVM "/usr/lib/llvm-19/bin/"

/* "LINE.DISCRIMINATOR" of each frame, for each address. */
struct answer {
	uint64_t va;
	char text[512];
};

static VEC(struct answer) ours, theirs;
static char source_dir[512];

static void add(struct answer *a, unsigned line, unsigned discriminator)
{
	size_t len = strlen(a->text);

	assert_true(snprintf(a->text + len, sizeof(a->text) - len, " %u.%u", line, discriminator) <
		    (int)(sizeof(a->text) - len));
}

static void list_addresses(void)
{
	FILE *f = popen("objdump -d --no-show-raw-insn -j .text prog", "re");
	struct answer a = {0};
	char line[512];

	ours.len = theirs.len = 0;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (line[0] == ' ' && sscanf(line, " %" SCNx64 ":", &a.va) == 1)
			assert_int_equal(vec_push(&ours, a) ?: vec_push(&theirs, a), 0);
	pclose(f);
	assert_true(ours.len > 200);
}

static void ask_llvm(void)
{
	FILE *f = fopen("addresses", "we");
	struct answer *a = theirs.data - 1;
	unsigned line = 0, discriminator = 0;
	char text[4096];

	assert_non_null(f);
	for (size_t i = 0; i < theirs.len; i++)
		fprintf(f, "%#" PRIx64 "\n", theirs.data[i].va);
	fclose(f);
	f = popen(LLVM "llvm-symbolizer --inlines --verbose --no-demangle -a -e prog <addresses",
		  "re");
	assert_non_null(f);
	/* A frame ends with the next one's name, or with the empty line behind an address. */
	while (fgets(text, sizeof(text), f)) {
		if (text[0] != ' ' && line)
			add(a, line, discriminator);
		if (text[0] != ' ')
			line = discriminator = 0;
		a += !strncmp(text, "0x", 2);
		sscanf(text, " Line: %u", &line);
		sscanf(text, " Discriminator: %u", &discriminator);
	}
	pclose(f);
	assert_int_equal(a - theirs.data + 1, theirs.len);
}

static void take(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
		 enum dwarf_reason reason)
{
	(void)ctx, (void)reason;
	for (size_t i = 0; i < n; i++)
		if (frames[i].line)
			add(&ours.data[index], frames[i].line, frames[i].discriminator);
}

static void ask_kiln(bool wanted)
{
	struct dwarf_opts opts = {.discriminators = wanted};
	uint64_t *va = calloc(ours.len, sizeof(*va));
	struct elf_obj *obj;
	struct dwarf *d;

	for (size_t i = 0; i < ours.len; i++) {
		va[i] = ours.data[i].va;
		ours.data[i].text[0] = '\0';
	}
	assert_int_equal(elf_obj_open(&obj, fixture_open("prog"), NULL), 0);
	assert_int_equal(dwarf_new(&d, obj, NULL, NULL, &opts), 0);
	assert_int_equal(dwarf_resolve(d, va, ours.len, take, NULL), 0);
	dwarf_free(d);
	elf_obj_free(obj);
	free(va);
}

static size_t count_discriminators(void)
{
	size_t n = 0;

	for (size_t i = 0; i < ours.len; i++)
		for (const char *s = ours.data[i].text; (s = strchr(s, '.')); s++)
			n += s[1] != '0';
	return n;
}

static void check(const char *build, size_t least)
{
	size_t all;

	fixture_run("%s", build);
	list_addresses();
	ask_llvm();
	ask_kiln(true);
	for (size_t i = 0; i < ours.len; i++)
		assert_string_equal(ours.data[i].text, theirs.data[i].text);
	all = count_discriminators();
	assert_true(all >= least);
	print_message("%zu addresses, %zu discriminators\n", ours.len, all);
	/* Who does not ask for those of lines gets those of calls only. */
	ask_kiln(false);
	assert_true(count_discriminators() < all);
}

static void same_as_llvm(void **state)
{
	static const char *const builds[] = {
		"clang-19 -O2 -g -fdebug-info-for-profiling %s/json.c -o prog",
		"clang++-19 -O2 -g -fdebug-info-for-profiling %s/words.cpp -o prog",
		"clang -O3 -gdwarf-4 -gmlt -fdebug-info-for-profiling %s/records.c -o prog",
		"gcc -O2 -g %s/json.c -o prog",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
		char command[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(command, sizeof(command), builds[i], source_dir);
#pragma GCC diagnostic pop
		check(command, 5);
	}
	vec_release(&ours);
	vec_release(&theirs);
}

static int setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);

	return dir ? (strcat(source_dir, "/tests/fixtures/pgo"), fixture_setup(state)) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_llvm),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
