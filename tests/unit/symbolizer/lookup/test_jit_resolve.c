// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions out of jitdumps and perf maps, read in this process and in one of its own: the same
 * answers, and what is lost when that process fails on a file.
 */
#include <signal.h>
#include <stdio.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/log.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/jitdump_write.h"
#include "tests/lib/served.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)

#define N_ASKED 20000

/* --- files ------------------------------------------------------------------------------------ */

static void write_file(const char *name, const struct buf *b)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	fclose(f);
}

/* Functions at random places, one over the other, some with lines. */
static void write_dump(const char *name)
{
	struct buf b = {0};
	uint64_t seed = 3;
	char text[64];

	jit_header(&b, 0);
	for (unsigned i = 0; i < 2000; i++) {
		seed = hash_u64(seed + i);
		snprintf(text, sizeof(text), "made_%u", i);
		if (seed % 3 == 0)
			jit_lines(&b, i, seed % 100000, 0,
				  (struct jit_line[]){{0, i + 1, "/src/made.js"}}, 1);
		jit_load(&b, i, seed % 100000, 1 + (seed >> 54), i, text);
	}
	write_file(name, &b);
	buf_release(&b);
}

static void write_map(const char *name)
{
	struct buf b = {0};
	uint64_t seed = 5;

	for (unsigned i = 0; i < 2000; i++) {
		seed = hash_u64(seed + i);
		buf_printf(&b, "%x %x listed_%u\n", (unsigned)(seed % 100000),
			   (unsigned)(1 + (seed >> 54)), i);
	}
	write_file(name, &b);
	buf_release(&b);
}

/* --- the same answers ------------------------------------------------------------------------- */

struct answers {
	size_t calls[N_ASKED], named, lined;
	struct buf text[N_ASKED];
};

static void see(void *ctx, size_t i, const struct sym_result *r)
{
	struct answers *a = ctx;
	const struct sym_frame *f = &r->frames[0];

	assert_int_equal(r->n_frames, 1);
	a->calls[i]++;
	a->named += r->reason == SYM_OK;
	a->lined += f->line != 0;
	if (r->reason == SYM_OK)
		buf_printf(&a->text[i], "%lx %s %s:%u", (unsigned long)r->elf_va, f->name,
			   f->file ?: "", f->line);
}

static struct answers *ask(struct symbolizer *s, const char *name, bool dump)
{
	_cleanup_close_ int fd = fixture_open(name);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = name};
	struct answers *a = calloc(1, sizeof(*a));
	static uint64_t va[N_ASKED], as_of[N_ASKED];
	const struct jit_places at = {dump, va, as_of, N_ASKED};
	uint64_t seed = 9;

	assert_non_null(a);
	for (size_t i = 0; i < N_ASKED; i++) {
		seed = hash_u64(seed + i);
		va[i] = seed % 110000;
		as_of[i] = (seed >> 32) % (dump ? 2500 : 40000);
	}
	assert_int_equal(symbolizer_resolve_jit(s, &file, &at, see, a), 0);
	return a;
}

static void compare(const char *name, bool dump)
{
	struct symbolizer_opts here_opts = {0}, there_opts = {.sandbox = true};
	_cleanup_(symbolizer_freep) struct symbolizer *here = NULL, *there = NULL;
	struct answers *a, *b;

	assert_int_equal(symbolizer_new(&here, &here_opts), 0);
	assert_int_equal(symbolizer_new(&there, &there_opts), 0);
	a = ask(here, name, dump);
	b = ask(there, name, dump);
	assert_true(a->named > N_ASKED / 2);
	assert_true(!dump || a->lined > N_ASKED / 10);
	for (size_t i = 0; i < N_ASKED; i++) {
		assert_int_equal(a->calls[i], 1);
		assert_int_equal(b->calls[i], 1);
		assert_string_equal(buf_cstr(&a->text[i]), buf_cstr(&b->text[i]));
		buf_release(&a->text[i]);
		buf_release(&b->text[i]);
	}
	free(a);
	free(b);
}

static void test_same_answers(void **state)
{
	(void)state;
	write_dump("jit.dump");
	compare("jit.dump", true);
	write_map("perf.map");
	compare("perf.map", false);
}

/* --- one address ------------------------------------------------------------------------------ */

struct seen {
	char name[64];
	uint32_t line;
	enum sym_reason reason;
	int calls;
};

static void diff_one(void *ctx, size_t i, const struct sym_result *r)
{
	struct seen *s = ctx;

	(void)i;
	snprintf(s->name, sizeof(s->name), "%s", r->frames[0].name);
	s->line = r->frames[0].line;
	s->reason = r->reason;
	s->calls++;
}

static struct seen look(struct worker *w, const char *name, enum query_kind kind)
{
	_cleanup_close_ int fd = fixture_open(fixture_at(name));
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(name)};
	uint64_t va = 0x1008, as_of = 100;
	struct sym_query q = {.kind = kind, .file = &file, .addr = &va, .as_of = &as_of, .n = 1};
	struct seen s = {.calls = 0};

	assert_int_equal(worker_resolve(w, &q, diff_one, &s), 0);
	assert_int_equal(s.calls, 1);
	return s;
}

static void write_good(void)
{
	struct buf b = {0};

	jit_header(&b, 0);
	jit_lines(&b, 1, 0x1000, 0, (struct jit_line[]){{0, 12, "/src/made.js"}}, 1);
	jit_load(&b, 1, 0x1000, 0x100, 1, "made");
	write_file("good.dump", &b);
	buf_release(&b);
	fixture_write("good.map", "1000 100 listed\n");
}

/* There is no answer without the process that has no privileges. */
static void test_read_without_privileges(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, NULL);

	(void)state;
	write_good();
	assert_int_equal(look(w, "good.dump", QUERY_JITDUMP).line, 12);
	served_expect_no_privileges(worker_pid(w));
	assert_int_equal(kill(worker_pid(w), SIGSTOP), 0);
	assert_int_equal(look(w, "good.dump", QUERY_JITDUMP).reason, SYM_CRASHED);
	assert_string_equal(look(w, "good.map", QUERY_PERFMAP).name, "listed");
	assert_int_equal(kill(worker_pid(w), SIGSTOP), 0);
	assert_int_equal(look(w, "good.map", QUERY_PERFMAP).reason, SYM_CRASHED);
}

/* --- misbehaviour ----------------------------------------------------------------------------- */

static bool misbehave(const char *name, bool names_only)
{
	struct sym_frame twice = {.name = "lie"};
	struct sym_result r = {.frames = &twice, .n_frames = 1};
	static struct wire_writer w;

	if (names_only && !strstr(name, "always"))
		return false;
	if (!strncmp(name, "crash", 5))
		served_crash();
	if (!strncmp(name, "lie", 3)) {
		wire_writer_init(&w, WORKER_SOCK);
		wire_put_result(&w, 7, &r);
		wire_flush(&w);
	}
	return false;
}

static int serve_badly(int sock, pid_t parent, struct lookup *lookup)
{
	return served_badly(sock, parent, lookup, misbehave);
}

/* A dump loses its lines, then its names; a map its names at once; nobody else anything. */
static void test_failures(void **state)
{
	static const char *const ways[] = {"crash", "lie"};
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, serve_badly);

	(void)state;
	write_good();
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char lines[32], always[32], map[32];
		struct seen s;

		snprintf(lines, sizeof(lines), "%s.dump", ways[i]);
		snprintf(always, sizeof(always), "%s-always.dump", ways[i]);
		snprintf(map, sizeof(map), "%s.map", ways[i]);
		fixture_run("cp good.dump %s && cp good.dump %s && cp good.map %s", lines, always,
			    map);
		s = look(w, lines, QUERY_JITDUMP);
		assert_string_equal(s.name, "made");
		assert_int_equal(s.line, 0);
		assert_int_equal(look(w, always, QUERY_JITDUMP).reason, SYM_CRASHED);
		assert_int_equal(look(w, map, QUERY_PERFMAP).reason, SYM_CRASHED);
		assert_int_equal(look(w, "good.dump", QUERY_JITDUMP).line, 12);
		assert_string_equal(look(w, "good.map", QUERY_PERFMAP).name, "listed");
	}
}

/* What is no such file has no names, and nothing failed. */
static void test_other_files(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, NULL);
	struct symbolizer_stats stats;

	(void)state;
	write_good();
	assert_int_equal(look(w, "good.map", QUERY_JITDUMP).reason, SYM_NO_SYMBOL);
	assert_int_equal(look(w, "good.dump", QUERY_PERFMAP).reason, SYM_NO_SYMBOL);
	fixture_run("cp good.map large.map && truncate -s 257M large.map");
	assert_int_equal(look(w, "large.map", QUERY_PERFMAP).reason, SYM_LIMIT);
	worker_stats(w, &stats);
	assert_int_equal(stats.files_failed, 0);
}

static int setup(void **state)
{
	log_set_level(LOG_QUIET);
	return fixture_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_read_without_privileges),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests_name("jit_resolve", tests, setup, fixture_teardown);
}
