// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What we write, read by `go tool pprof`; and profiles other programs wrote, the same to it before
 * and after passing through kiln. The latter lie outside the repository: in $KILN_TEST_DATA or
 * ../shared/data/pprof. Without go, or without them, a SKIP line says so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/formats/export.h"
#include "tests/lib/profiles.h"

static char dir[] = "/tmp/kiln-oracle-XXXXXX";
static bool have_go;
static const char *data_dir;

#define SKIP_UNLESS(condition, reason)                                                             \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_message("SKIP: %s\n", reason);                                       \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* Go 1.19, Debian 12's, prints other units of labels and other totals. */
#define NO_GO	"no `go tool pprof` of Go 1.21 or newer"
#define NO_DATA "no profiles in $KILN_TEST_DATA or ../shared/data/pprof"

static int set_up(void **state)
{
	const char *env = getenv("KILN_TEST_DATA");

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	have_go = !system("go version 2>/dev/null | grep -qE 'go1[.](2[1-9]|[3-9][0-9])'") &&
		  !system("go tool pprof -h 2>&1 | grep -q -e -traces");
	data_dir = env ? env : "../shared/data/pprof";
	if (access(data_dir, R_OK))
		data_dir = NULL;
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? -1 : 0;
}

/*
 * Output of go tool pprof with tabs as we have them, and without the header's name of the main
 * binary: where a writer did not put it first, we did. A function without any name is [unknown] with us.
 */
static char *ask_go(const char *view, const char *files)
{
	struct buf command = {0}, out = {0};
	_cleanup_free_ char *text = NULL;
	char chunk[4096];
	size_t n;
	FILE *f;

	buf_printf(&command,
		   "go tool pprof -symbolize=none %s %s 2>%s/stderr | tr '\\t' ' ' | "
		   "sed 's/\\[unknown\\]/<unknown>/' | "
		   "grep -v -e '^File: ' -e '^Build ID: '",
		   view, files, dir);
	f = popen(buf_cstr(&command), "r");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)))
		buf_add(&out, chunk, n);
	pclose(f);
	buf_release(&command);
	text = buf_take(&out);
	assert_non_null(text);
	return steal_ptr(text);
}

static void write_profile(const struct profile *p, enum export_format format, char *path,
			  size_t size)
{
	struct buf b = {0};
	FILE *f;

	snprintf(path, size, "%s/out.pb", dir);
	assert_int_equal(export_profile(&b, p, format, NULL), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
	assert_int_equal(fclose(f), 0);
	buf_release(&b);
}

/* --- what we write ------------------------------------------------------------------------------- */

#define MAX_COLUMNS 4

/* Sums of the columns of -raw's samples, one a sample type: "   12   3456: 1 2 3". */
static void raw_totals(const char *raw, int64_t totals[MAX_COLUMNS])
{
	const char *s = strstr(raw, "Samples:\n"), *end = strstr(raw, "\nLocations\n");

	assert_true(s && end && s < end);
	memset(totals, 0, MAX_COLUMNS * sizeof(*totals));
	while ((s = strchr(s, '\n')) && s < end) {
		int64_t values[MAX_COLUMNS] = {0};
		char *stop;
		size_t n = 0;

		s++;
		while (n < MAX_COLUMNS && (values[n] = strtoll(s, &stop, 10), stop > s)) {
			s = stop;
			n++;
		}
		for (size_t i = 0; *s == ':' && i < n; i++)
			totals[i] += values[i];
	}
}

static void go_reads_what_we_write(void **state)
{
	static const enum export_format formats[] = {EXPORT_PPROF, EXPORT_PPROF_GZ};

	(void)state;
	SKIP_UNLESS(have_go, NO_GO);
	for (uint64_t seed = 0; seed < 2; seed++) {
		struct profile *p = random_profile(seed, 100);
		_cleanup_free_ char *raw = NULL, *top = NULL;
		int64_t totals[MAX_COLUMNS];
		char path[64];

		write_profile(p, formats[seed % 2], path, sizeof(path));
		raw = ask_go("-raw", path);
		raw_totals(raw, totals);
		assert_int_equal(totals[0], total_of_type(p, 0));
		assert_int_equal(totals[1], total_of_type(p, 1));
		assert_non_null(strstr(raw, "samples/count cpu/nanoseconds[dflt]"));
		for (size_t i = 0; i < p->labels.len; i++) /* none lost, 0 included */
			assert_non_null(strstr(raw, profile_text(p, p->labels.data[i].key)));
		top = ask_go("-top -nodecount=1000", path);
		for (size_t i = 0; i < p->frames.len; i++) {
			const struct profile_location *l = &p->locations.data[p->frames.data[i]];

			for (uint32_t k = 0; k < l->n_lines; k++) {
				uint32_t f = p->lines.data[l->first_line + k].function;

				assert_non_null(
					strstr(top, profile_text(p, p->functions.data[f].name)));
			}
		}
		profile_free(p);
	}
}

static void go_keeps_numeric_labels_of_zero(void **state)
{
	struct profile *p;
	struct profile_label label = {.str = PROFILE_NONE};
	_cleanup_free_ char *raw = NULL;
	uint32_t stack, set;
	char path[64];

	(void)state;
	SKIP_UNLESS(have_go, NO_GO);
	p = profile_new();
	label.key = str_id(p, "pid");
	MUST(profile_init_cpu(p, 1));
	MUST(profile_stack(p, NULL, 0, &stack));
	MUST(profile_labelset(p, &label, 1, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 1}));
	write_profile(p, EXPORT_PPROF, path, sizeof(path));
	raw = ask_go("-raw", path);
	assert_non_null(strstr(raw, "pid:[0 pid]"));
	profile_free(p);
}

/* --- what others wrote ----------------------------------------------------------------------------- */

static struct profile *read_file(const char *path)
{
	struct profile *p = NULL;
	const char *why = "";

	if (import_file(&p, path, &why))
		fail_msg("%s: %s", path, why);
	return p;
}

static void assert_go_sees_the_same(const char *theirs, const char *ours)
{
	static const char *const views[] = {"-top -nodecount=100000", "-tags", "-peek=."};
	_cleanup_free_ char *raw = ask_go("-raw", theirs), *our_raw = ask_go("-raw", ours);
	int64_t want[MAX_COLUMNS], got[MAX_COLUMNS];

	raw_totals(raw, want);
	raw_totals(our_raw, got);
	assert_memory_equal(got, want, sizeof(got));
	assert_true(want[0] > 0);
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		_cleanup_free_ char *a = ask_go(views[i], theirs), *b = ask_go(views[i], ours);

		if (strcmp(a, b))
			fail_msg("%s of %s changed", views[i], theirs);
	}
}

static void others_profiles_pass_through_unchanged(void **state)
{
	static const char *const names[] = {"fib.pb.gz", "profile-with-labels.pb.gz"};

	(void)state;
	SKIP_UNLESS(have_go, NO_GO);
	SKIP_UNLESS(data_dir, NO_DATA);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[512], ours[64];
		struct profile *p;

		snprintf(path, sizeof(path), "%s/%s", data_dir, names[i]);
		p = read_file(path);
		write_profile(p, EXPORT_PPROF_GZ, ours, sizeof(ours));
		assert_go_sees_the_same(path, ours);
		profile_free(p);
	}
}

static int is_profile(const struct dirent *d)
{
	return text_has_suffix(d->d_name, ".pb.gz");
}

static void merging_windows_is_what_go_makes_of_them(void **state)
{
	struct profile *all;
	struct dirent **entries = NULL;
	struct buf paths = {0};
	char folder[512], ours[64];
	const char *why;
	int n;

	(void)state;
	SKIP_UNLESS(have_go, NO_GO);
	SKIP_UNLESS(data_dir, NO_DATA);
	all = profile_new();
	snprintf(folder, sizeof(folder), "%s/series", data_dir);
	n = scandir(folder, &entries, is_profile, alphasort);
	assert_int_equal(n, 10);
	for (int i = 0; i < n; i++) {
		char path[1024];
		struct profile *p;

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		buf_printf(&paths, "%s ", path);
		p = read_file(path);
		assert_int_equal(profile_merge(all, p, &why), 0);
		profile_free(p);
		free(entries[i]);
	}
	free(entries);
	write_profile(all, EXPORT_PPROF_GZ, ours, sizeof(ours));
	assert_go_sees_the_same(buf_cstr(&paths), ours);
	buf_release(&paths);
	profile_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(go_reads_what_we_write),
		cmocka_unit_test(go_keeps_numeric_labels_of_zero),
		cmocka_unit_test(others_profiles_pass_through_unchanged),
		cmocka_unit_test(merging_windows_is_what_go_makes_of_them),
	};

	return cmocka_run_group_tests_name("pprof oracle", tests, set_up, tear_down);
}
