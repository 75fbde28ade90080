// SPDX-License-Identifier: GPL-2.0-or-later
/* What `kiln report` and the end of record print, against golden files (tests/golden/report_*). */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/report.h"
#include "profiler/cli/summary.h"
#include "profiler/profile/rates.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static uint32_t text_id(struct profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(profile_string(p, s, &id), 0);
	return id;
}

/* A location of a file: a function, or several "inlined^function", or none for "". */
static uint32_t location(struct profile *p, const char *file, const char *names)
{
	struct profile_mapping m = {.file = text_id(p, file)};
	_cleanup_free_ char *copy = strdup(names);
	struct profile_line lines[4];
	uint32_t mapping, id;
	size_t n = 0;

	assert_int_equal(profile_mapping(p, &m, &mapping), 0);
	for (char *w = strtok(copy, "^"); w; w = strtok(NULL, "^")) {
		struct profile_function f = {.name = text_id(p, w),
					     .file = text_id(p, "/home/u/src/rows.c")};

		assert_int_equal(profile_function(p, &f, &lines[n].function), 0);
		lines[n].line = (int64_t)(10 * (n + 1));
		n++;
	}
	assert_int_equal(profile_location(p, mapping, *names ? 0x1000 + strlen(names) : 0x1290,
					  lines, n, &id),
			 0);
	return id;
}

static void add(struct profile *p, const char *comm, int64_t pid, int64_t count,
		const uint32_t *frames, size_t n)
{
	struct profile_label labels[] = {
		{.key = text_id(p, LABEL_COMM), .str = text_id(p, comm)},
		{.key = text_id(p, LABEL_PID), .str = PROFILE_NONE, .num = pid},
	};
	uint32_t stack, labelset;

	assert_int_equal(profile_stack(p, frames, n, &stack), 0);
	assert_int_equal(profile_labelset(p, labels, 2, &labelset), 0);
	assert_int_equal(profile_add(p, stack, labelset, (int64_t[]){count, count * 10101010}), 0);
}
#define ADD(p, comm, pid, count, ...)                                                              \
	add(p, comm, pid, count, (const uint32_t[]){__VA_ARGS__},                                  \
	    sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* A program that sorts, reads and hashes; names of every width and kind. */
static struct profile *sorter(void)
{
	struct profile *p = profile_new();
	uint32_t start, main, sort, msort, hash, sin, read, sys, chacha, bare, jit, wide, evil,
		lost;

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	p->time_ns = 1795313643000000000;
	p->duration_ns = 10040000000;
	start = location(p, "/lib/x86_64-linux-gnu/libc.so.6", "__libc_start_main");
	main = location(p, "/usr/bin/burn", "main");
	sort = location(p, "/usr/bin/burn", "sort_rows");
	msort = location(p, "/lib/x86_64-linux-gnu/libc.so.6", "msort_with_tmp");
	hash = location(p, "/usr/bin/burn", "mix^hash_row");
	sin = location(p, "/lib/x86_64-linux-gnu/libm.so.6", "__sin_fma");
	read = location(p, "/lib/x86_64-linux-gnu/libc.so.6", "read");
	sys = location(p, MAPPING_KERNEL, "do_syscall_64");
	chacha = location(p, MAPPING_KERNEL, "chacha_block_generic");
	bare = location(p, "/opt/app/libsecret.so.1", "");
	jit = location(p, MAPPING_JIT, "LazyCompile:~step /srv/app.js:12");
	wide = location(p, "/usr/bin/burn",
			"計算する^std::vector<std::pair<int, std::string>>::"
			"emplace_back<int const&, std::string&&>(int const&)");
	evil = location(p, "/tmp/\033[31mred\nline", "\033]0;title\007name\xe2\x80\xaetxt");
	lost = location(p, MAPPING_KILN, FRAME_LOST);
	ADD(p, "burn", 4312, 400, msort, msort, sort, main, start);
	ADD(p, "burn", 4312, 230, msort, sort, main, start);
	ADD(p, "burn", 4312, 310, chacha, sys, read, main, start);
	ADD(p, "burn", 4312, 205, sin, hash, main, start);
	ADD(p, "burn", 4313, 120, hash, main, start);
	ADD(p, "burn", 4313, 90, bare, main, start);
	ADD(p, "burn", 4313, 80, wide, main, start);
	ADD(p, "burn", 4313, 60, jit, main, start);
	ADD(p, "kworker/0:1", 9, 30, chacha);
	ADD(p, "evil\033[2J", 666, 10, evil);
	ADD(p, "burn", 4312, 5, lost);
	return p;
}

static struct quality *quality_of_sorter(void)
{
	static struct quality_blame blame[] = {
		{"libsecret.so.1", 90, 90, 4, "stripped: apt install libsecret-1-0-dbgsym"},
		{"libc.so.6", 4000, 1, 0, NULL}, /* not worth a line */
	};
	static struct quality q = {
		.expected = 2000,
		.idle = 440,
		.recorded = 1535,
		.user_complete = 1505,
		.user_truncated = 9,
		.user_missing = 6,
		.kernel_missing = 2,
		.frames = 6000,
		.frames_named = 5910,
		.frames_fde = 12,
		.sideband_lost = 3,
		.full_files = 40,
		.full_processes = 2,
		.full_mappings = 7,
		.lost = {[LOSS_map_full] = 5, [LOSS_timer_overrun] = 20},
		.blame = {.data = blame, .len = 2},
	};

	return &q;
}

/* UPDATE_GOLDEN=1 writes the file instead; look at the difference before committing it. */
static void assert_golden(const char *name, struct buf *got)
{
	const char *src = getenv("SRC");
	_cleanup_free_ char *want = NULL;
	char path[4096];
	size_t len;

	snprintf(path, sizeof(path), "%s/tests/golden/%s", src ? src : ".", name);
	if (getenv("UPDATE_GOLDEN")) {
		_cleanup_fclose_ FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_int_equal(fwrite(got->data, 1, got->len, f), got->len);
	} else {
		assert_int_equal(io_read_file(path, 1 << 20, &want, &len), 0);
		assert_string_equal(buf_cstr(got), want);
	}
	buf_release(got);
}

struct fixture {
	struct profile *p;
	struct report r;
};

static struct fixture begin(void)
{
	struct fixture f = {.p = sorter()};

	f.r = (struct report){
		.p = f.p, .whole = f.p, .quality = quality_of_sorter(), .table = {.value = 1}};
	return f;
}

static void end(struct fixture *f)
{
	profile_free(f->p);
}

static void assert_table(const char *golden, struct fixture *f, struct term t)
{
	struct buf b = {0};

	assert_int_equal(report_table(&b, &f->r, &t), 0);
	assert_golden(golden, &b);
}

TEST(test_functions)
{
	struct fixture f = begin();

	assert_table("report_functions.txt", &f, (struct term){0});
	f.r.n_rows = 5;
	f.r.table.sort = TABLE_SORT_TOTAL;
	assert_table("report_80_columns.txt", &f, (struct term){.columns = 80, .color = true});
	end(&f);
}

TEST(test_other_rows)
{
	struct fixture f = begin();

	f.r.quality = NULL;
	f.r.table.by = TABLE_LINE;
	assert_table("report_lines.txt", &f, (struct term){0});
	f.r.table.by = TABLE_MODULE;
	assert_table("report_modules.txt", &f, (struct term){0});
	f.r.table.by = TABLE_PROCESS;
	assert_table("report_processes.txt", &f, (struct term){0});
	end(&f);
}

TEST(test_relations)
{
	struct fixture f = begin();

	f.r.quality = NULL;
	f.r.table.of = "msort_with_tmp";
	f.r.table.relation = TABLE_CALLERS;
	assert_table("report_callers.txt", &f, (struct term){0});
	f.r.table.of = "main";
	f.r.table.relation = TABLE_CALLEES;
	assert_table("report_callees.txt", &f, (struct term){0});
	end(&f);
}

TEST(test_tree)
{
	struct fixture f = begin();
	struct term t = {0};
	struct buf b = {0};

	assert_int_equal(report_tree(&b, &f.r, &t), 0);
	assert_golden("report_tree.txt", &b);
	f.r.table.of = "msort_with_tmp";
	f.r.table.relation = TABLE_CALLERS;
	f.r.n_rows = 2;
	f.r.quality = NULL;
	assert_int_equal(report_tree(&b, &f.r, &t), 0);
	assert_golden("report_tree_callers.txt", &b);
	end(&f);
}

TEST(test_json)
{
	struct fixture f = begin();
	struct buf b = {0};

	assert_int_equal(report_json(&b, &f.r), 0);
	assert_golden("report.json", &b);
	end(&f);
}

TEST(test_answer_of_record)
{
	struct fixture f = begin();
	struct summary s = {f.p, f.r.quality, 1};
	struct term t = {.columns = 100};
	_cleanup_free_ char *top = NULL;
	struct buf b = {0};

	assert_int_equal(summary_text(&b, &s, &t, &top), 0);
	summary_next(&b, f.p, "a b.pb.gz", top);
	assert_golden("report_answer.txt", &b);
	end(&f);
}

static const char *summary_of(struct buf *b, const struct profile *p, const struct quality *q,
			      size_t value, size_t columns)
{
	struct summary s = {p, q, value};
	struct term t = {.columns = columns};

	buf_clear(b);
	assert_int_equal(summary_text(b, &s, &t, NULL), 0);
	return buf_cstr(b);
}

/* record and `report --summary` say the same. */
TEST(test_summary_of_a_file)
{
	struct fixture f = begin();
	struct term t = {.columns = 100};
	struct buf record = {0}, report = {0};

	summary_of(&record, f.p, f.r.quality, 1, 100);
	assert_int_equal(report_summary(&report, &f.r, &t), 0);
	assert_string_equal(strchr(buf_cstr(&report), '\n') + 1, buf_cstr(&record));
	assert_non_null(strstr(buf_cstr(&record), "78 % busy, 22 % idle"));
	buf_release(&record);
	buf_release(&report);
	end(&f);
}

/* A program whose time is in many functions: what is large with all it calls is named. */
TEST(test_flat)
{
	struct profile *p = profile_new();
	struct buf b = {0};
	uint32_t main, phase[3];
	const char *text;

	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	main = location(p, "/usr/bin/flat", "main");
	for (int i = 0; i < 3; i++)
		phase[i] = location(p, "/usr/bin/flat", (const char[]){'p', (char)('a' + i), 0});
	for (int i = 0; i < 60; i++) {
		char name[16];
		uint32_t leaf;

		snprintf(name, sizeof(name), "leaf_%c%c", 'a' + i / 10, 'a' + i % 10);
		leaf = location(p, "/usr/bin/flat", name);
		ADD(p, "flat", 1, 5, leaf, phase[i % 3], main);
		ADD(p, "flat", 1, 5, leaf, location(p, "/lib/libz.so.1", "inflate"),
		    location(p, "/lib/libz.so.1", "crc32"), phase[i % 3], main);
	}
	text = summary_of(&b, p, NULL, 1, 100);
	assert_non_null(strstr(
		text, "Flat     no function has more than 2 % of its own; with what they call:\n"));
	assert_non_null(strstr(text, "33%    pa\n"));
	assert_non_null(strstr(text, "     -     50%  crc32 "));
	/* What only passes on what the row above has says nothing more. */
	assert_null(strstr(strstr(text, "Flat"), "50%  inflate"));
	/* Rows that are left are the heaviest by themselves. */
	assert_non_null(strstr(text, "    2%      2%  leaf_"));
	buf_release(&b);
	profile_free(p);
}

/* Where nothing has more with what it calls, what is largest by itself is shown. */
TEST(test_flat_without_callers)
{
	struct profile *p = profile_new();
	struct buf b = {0};
	const char *text;

	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	for (int i = 0; i < 60; i++)
		ADD(p, "flat", 1, i ? 5 : 6,
		    location(p, "/usr/bin/flat",
			     (const char[]){'f', (char)('a' + i / 10), (char)('a' + i % 10), 0}));
	text = summary_of(&b, p, NULL, 1, 100);
	assert_non_null(strstr(text, "Flat     no function has more than 2 % of its own\n"));
	assert_non_null(strstr(text, " faa "));
	assert_non_null(strstr(text, " fab "));
	buf_release(&b);
	profile_free(p);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

TEST(test_one_sample)
{
	struct profile *p = profile_new();
	struct buf b = {0};
	const char *text;

	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	ADD(p, "once", 1, 1, location(p, "/usr/bin/once", "work"),
	    location(p, "/usr/bin/once", "main"));
	text = summary_of(&b, p, NULL, 1, 0);
	assert_non_null(strstr(text, "By kind  once 20 to 100 %\n"));
	assert_non_null(strstr(text, "Few      1 sample tells where time went once"));
	assert_non_null(strstr(text, "  >20%    >20%  work "));
	assert_null(strstr(text, "Path"));
	assert_null(strstr(text, "100%"));
	assert_null(strstr(text, "0.0"));
	buf_release(&b);
	profile_free(p);
}

/* Only losses, only the kernel, a difference, a foreign profile without mappings or a time. */
TEST(test_odd_summaries)
{
	struct profile *p = profile_new();
	struct quality lost = {.expected = 100, .lost = {[LOSS_map_full] = 100}};
	uint32_t bare, stack, none;
	struct buf b = {0};
	const char *text;

	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	ADD(p, "x", 1, 100, location(p, MAPPING_KILN, FRAME_LOST));
	text = summary_of(&b, p, &lost, 1, 80);
	assert_non_null(strstr(text, "By kind  lost or missed 100 %\n"));
	assert_null(strstr(text, "Path"));
	assert_non_null(strstr(text, "Lost     100 samples (100.0 %)"));
	profile_free(p);

	p = profile_new();
	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	ADD(p, "kworker/0:1", 9, 500, location(p, MAPPING_KERNEL, "flush"),
	    location(p, MAPPING_KERNEL, "kthread"), location(p, MAPPING_KERNEL, "ret_from_fork"));
	text = summary_of(&b, p, NULL, 1, 80);
	assert_non_null(strstr(text, "By kind  kernel 100 %\n"));
	assert_non_null(strstr(text, "Path       100%  flush\n"));
	ADD(p, "kworker/0:1", 9, -300, location(p, MAPPING_KERNEL, "lookup"));
	text = summary_of(&b, p, NULL, 1, 80);
	assert_null(strstr(text, "Path"));
	assert_non_null(strstr(text, "  -38%    -38%  lookup"));
	profile_free(p);

	p = profile_new();
	assert_int_equal(profile_add_sample_type(p, "alloc_space", "bytes"), 0);
	assert_int_equal(profile_location(p, PROFILE_NONE, 0x1234, NULL, 0, &bare), 0);
	assert_int_equal(profile_stack(p, &bare, 1, &stack), 0);
	assert_int_equal(profile_labelset(p, NULL, 0, &none), 0);
	assert_int_equal(profile_add(p, stack, none, (int64_t[]){4096}), 0);
	text = summary_of(&b, p, NULL, 0, 80);
	assert_non_null(strstr(text, "By kind  unknown 100.0 %\n"));
	assert_null(strstr(text, "Load"));
	buf_release(&b);
	profile_free(p);
}

TEST(test_nothing_to_say)
{
	struct profile *p = profile_new();
	struct quality q = {0};
	struct term t = {0};
	struct buf b = {0};

	assert_int_equal(profile_init_cpu(p, 10101010), 0);
	assert_int_equal(summary_text(&b, &(struct summary){p, &q, 1}, &t, NULL), 0);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(answer_header(&b, p, 1, &(struct term){0}), 0);
	assert_string_equal(buf_cstr(&b), "cpu profile: 0 samples at 99 Hz, 0 ns CPU\n");
	buf_release(&b);
	profile_free(p);
}

TEST(test_several_rates)
{
	struct profile *p = profile_new();
	struct buf b = {0};

	assert_int_equal(profile_init_cpu(p, 142857142), 0);
	p->duration_ns = 40000000000;
	assert_int_equal(rates_store(p, &(struct rates){52631578, 142857142, 10000000000}), 0);
	assert_int_equal(answer_header(&b, p, 1, &(struct term){0}), 0);
	assert_non_null(strstr(buf_cstr(&b), " at 7 to 19 Hz (throttled for 25 % of the time), "));
	buf_release(&b);
	profile_free(p);
}

/* A part of what a store holds: its losses are of the whole, and that is said. */
TEST(test_part_of_a_store)
{
	struct fixture f = begin();
	struct term t = {0};
	struct buf b = {0};

	assert_int_equal(report_table(&b, &f.r, &t), 0);
	assert_null(strstr(buf_cstr(&b), "Where "));
	buf_clear(&b);
	assert_int_equal(quality_set_where(f.p, "comm=burn\033[2J"), 0);
	assert_int_equal(report_table(&b, &f.r, &t), 0);
	assert_non_null(strstr(buf_cstr(&b), "\nWhere    comm=burn"));
	assert_non_null(strstr(buf_cstr(&b), "is of everything recorded then\nLoad     "));
	assert_null(strchr(buf_cstr(&b), '\033'));
	buf_clear(&b);
	assert_int_equal(report_json(&b, &f.r), 0);
	assert_non_null(strstr(buf_cstr(&b), "\"where\":\"comm=burn"));
	buf_release(&b);
	end(&f);
}

/* --- properties -------------------------------------------------------------------------------- */

/* Columns of a line without its colour. */
static size_t visible_columns(const char *line, size_t len)
{
	char text[4096];
	size_t n = 0;

	assert_true(len < sizeof(text));
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\033')
			while (line[i] != 'm')
				i++;
		else
			text[n++] = line[i];
	}
	text[n] = '\0';
	return text_columns(text);
}

static bool is_row(const char *line)
{
	return line[5] == '%' || text_has_prefix(line, "  self") || text_has_prefix(line, " total");
}

TEST(test_rows_fit_any_width)
{
	struct fixture f = begin();
	size_t rows = 0;

	f.r.quality = NULL;
	for (size_t columns = 20; columns < 160; columns++) {
		for (int kind = 0; kind < 3; kind++) {
			struct term t = {.columns = columns};
			struct buf b = {0};

			f.r.table.by = kind == 1 ? TABLE_LINE : TABLE_FUNCTION;
			assert_int_equal(kind == 2 ? report_tree(&b, &f.r, &t)
						   : report_table(&b, &f.r, &t),
					 0);
			for (const char *l = buf_cstr(&b), *nl; *l; l = nl + 1) {
				nl = strchr(l, '\n');
				assert_non_null(nl);
				if (!is_row(l))
					continue;
				assert_in_range(visible_columns(l, (size_t)(nl - l)), 1, columns);
				rows++;
			}
			buf_release(&b);
		}
	}
	assert_true(rows > 1000);
	end(&f);
}

/* Lines of the summary fit, but for sentences; down to a terminal that is of no use. */
TEST(test_summary_fits_any_width)
{
	struct fixture f = begin();
	struct buf b = {0};

	for (size_t columns = 20; columns < 160; columns++) {
		const char *text = summary_of(&b, f.p, NULL, 1, columns);

		assert_in_range(count_lines(text), 8, 25);
		for (const char *l = text, *nl; *l; l = nl + 1) {
			bool is_path = l[5] != '%' && (text_has_prefix(l, "Path") || l[14] == '%');

			nl = strchr(l, '\n');
			if (text_has_prefix(l, "Load") || (columns < 50 && !is_path))
				continue;
			assert_in_range(visible_columns(l, (size_t)(nl - l)), 1, columns);
		}
	}
	buf_release(&b);
	end(&f);
}

TEST(test_no_strange_bytes)
{
	struct fixture f = begin();
	struct term t = {.columns = 77};
	struct buf b = {0};

	assert_int_equal(report_table(&b, &f.r, &t), 0);
	assert_int_equal(report_tree(&b, &f.r, &t), 0);
	assert_int_equal(report_json(&b, &f.r), 0);
	assert_int_equal(report_summary(&b, &f.r, &t), 0);
	for (const char *l = buf_cstr(&b), *nl; *l; l = nl + 1) {
		nl = strchr(l, '\n');
		assert_true(text_is_clean(l, (size_t)(nl - l)));
	}
	buf_release(&b);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_other_rows),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_answer_of_record),
		cmocka_unit_test(test_summary_of_a_file),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_flat_without_callers),
		cmocka_unit_test(test_one_sample),
		cmocka_unit_test(test_odd_summaries),
		cmocka_unit_test(test_summary_fits_any_width),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_several_rates),
		cmocka_unit_test(test_part_of_a_store),
		cmocka_unit_test(test_rows_fit_any_width),
		cmocka_unit_test(test_no_strange_bytes),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* as main() does: for the width of names */
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
