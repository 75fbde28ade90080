// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "symbolizer/symbols/kallsyms.h"

static const char text[] = "0000000000000000 A fixed_percpu_data\n"
			   "ffffffff81000000 T _text\n"
			   "ffffffff81000000 T startup_64\n"
			   "ffffffff81000100 t __do_work\n"
			   "ffffffff81000100 T do_work\n"
			   "ffffffff81000100 W weak_alias\n"
			   "ffffffff81000200 T __kprobes_text_end\n"
			   "ffffffff81200000 t after_padding\n"
			   "ffffffff81200010 T _etext\n"
			   "ffffffff82000000 D some_data\n"
			   "not a line\n"
			   "ffffffff8\n"
			   "\n"
			   "ffffffffc0001000 t mod_first\t[nf_tables]\n"
			   "ffffffffc0001080 T mod_last\t[nf_tables]\n"
			   "ffffffffc0001180 d mod_data\t[nf_tables]\n"
			   "ffffffffc0100000 t other_only\t[zram]\n"
			   "ffffffffc0200000 t bpf_prog_6deef7357e7b4530_sd\033_fw\t[bpf]\n"
			   "ffffffffc0200040 t bpf_prog_other\t[bpf]\n"
			   "ffffffffffffff00 t last_of_all\t[end]";

static void expect(struct kallsyms *k, uint64_t addr, const char *want, const char *want_module,
		   uint64_t want_start)
{
	const char *name, *module;
	uint64_t start;

	assert_int_equal(kallsyms_find(k, addr, &name, &module, &start), 0);
	assert_string_equal(name, want);
	assert_string_equal(module, want_module);
	assert_int_equal(start, want_start);
}

static void expect_none(struct kallsyms *k, uint64_t addr)
{
	const char *name, *module;
	uint64_t start;

	assert_int_equal(kallsyms_find(k, addr, &name, &module, &start), -ENOENT);
}

static void test_lookups(void **state)
{
	struct kallsyms *k = NULL;

	(void)state;
	assert_int_equal(kallsyms_parse(&k, text, strlen(text)), 0);
	expect_none(k, 0);
	expect_none(k, 0xffffffff80ffffff);
	expect(k, 0xffffffff81000000, "startup_64", "", 0xffffffff81000000);
	expect(k, 0xffffffff810000ff, "startup_64", "", 0xffffffff81000000);
	expect(k, 0xffffffff81000100, "do_work", "", 0xffffffff81000100);
	expect(k, 0xffffffff810001ff, "do_work", "", 0xffffffff81000100);
	/* Padding behind the end of a text section is nobody's. */
	expect_none(k, 0xffffffff81000200);
	expect_none(k, 0xffffffff811fffff);
	expect(k, 0xffffffff8120000f, "after_padding", "", 0xffffffff81200000);
	expect_none(k, 0xffffffff81200010);
	expect_none(k, 0xffffffff82000000);
	expect(k, 0xffffffffc0001000, "mod_first", "nf_tables", 0xffffffffc0001000);
	expect(k, 0xffffffffc000117f, "mod_last", "nf_tables", 0xffffffffc0001080);
	expect_none(k, 0xffffffffc0001180);
	expect(k, 0xffffffffc0100fff, "other_only", "zram", 0xffffffffc0100000);
	expect_none(k, 0xffffffffc0101000);
	expect(k, 0xffffffffc020003f, "bpf_prog_6deef7357e7b4530_sd\xef\xbf\xbd_fw", "bpf",
	       0xffffffffc0200000);
	expect(k, 0xfffffffffffffffe, "last_of_all", "end", 0xffffffffffffff00);
	kallsyms_free(k);
}

static void test_hidden_addresses(void **state)
{
	static const char hidden[] = "0000000000000000 T _text\n0000000000000000 t do_work\n";
	struct kallsyms *k = NULL;

	(void)state;
	assert_int_equal(kallsyms_parse(&k, hidden, strlen(hidden)), -ENODATA);
	assert_int_equal(kallsyms_parse(&k, "", 0), -ENODATA);
	assert_null(k);
}

/* Every core function of the running kernel finds itself, or an alias of the same address. */
static void test_running_kernel(void **state)
{
	_cleanup_free_ char *all = NULL;
	struct kallsyms *k = NULL;
	size_t len, checked = 0;
	int err = kallsyms_load(&k);

	(void)state;
	if (err == -ENODATA || err == -EACCES || err == -EPERM) {
		print_message("skipped: this kernel hides its symbols (%s)\n", strerror(-err));
		skip();
	}
	assert_int_equal(err, 0);
	assert_int_equal(io_read_file("/proc/kallsyms", 128u << 20, &all, &len), 0);
	for (char *save, *line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *name, *module;
		unsigned long addr;
		uint64_t start;
		char type, want[512];

		if (strchr(line, '\t') || sscanf(line, "%lx %c %511s", &addr, &type, want) != 3 ||
		    !addr || !strchr("tT", type) || strstr(want, "text") || strstr(want, "thunk"))
			continue;
		assert_int_equal(kallsyms_find(k, addr, &name, &module, &start), 0);
		assert_int_equal(start, addr);
		checked++;
	}
	assert_true(checked > 10000);
	kallsyms_free(k);
}

/* The kernel's own, wherever it stands and whatever else has that name or address. */
static void test_stext(void **state)
{
	static const char with[] = "ffffffff81000000 T _text\n"
				   "ffffffff81000000 T startup_64\n"
				   "ffffffff81000000 T _stext\n"
				   "ffffffffc0001000 t _stext\t[mod]\n";
	struct kallsyms *k;

	(void)state;
	assert_int_equal(kallsyms_parse(&k, with, strlen(with)), 0);
	assert_true(kallsyms_stext(k) == 0xffffffff81000000);
	kallsyms_free(k);
	assert_int_equal(kallsyms_parse(&k, text, strlen(text)), 0);
	assert_true(kallsyms_stext(k) == 0);
	kallsyms_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stext),
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_hidden_addresses),
		cmocka_unit_test(test_running_kernel),
	};

	return cmocka_run_group_tests_name("kallsyms", tests, NULL, NULL);
}
