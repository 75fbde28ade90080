// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk in the kernel against the walk on the host: programs of tests/fixtures/unwind spin at a
 * known place, are sampled, and every sample must have the frames that the host finds in the stopped
 * process.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/unwind_walk.skel.h"
#include "bpf/abi.h"
#include "profiler/unwind/unwind_maps.h"
#include "profiler/unwind/unwind_tables.h"
#include "symbolizer/worker/table_worker.h"
#include "tests/lib/fixture.h"
#include "tests/lib/unwind_space.h"

#define MAX_FRAMES 6000
#define SAMPLES	   20

static struct unwind_space space;
static char source_dir[PATH_MAX];

struct target {
	pid_t pid;
	int out;
};

static struct target start(const char *scenario, const char *arg, const char *spin)
{
	struct target t;
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (!t.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves it behind */
		setenv("SPIN", spin, 1);
		dup2(fds[1], STDOUT_FILENO);
		execl("./stacks", "./stacks", scenario, arg, NULL);
		_exit(127);
	}
	close(fds[1]);
	t.out = fds[0];
	assert_int_equal(read(t.out, &c, 1), 1);
	return t;
}

static void end(struct target *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	close(t->out);
}

/* The chain as the host finds it. */
static uint32_t host_chain(pid_t pid, uint64_t *frames, enum unwind_end *why)
{
	struct user_regs_struct u;
	uint64_t regs[UNWIND_REGS] = {0};
	uint32_t n;

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &u), 0);
	regs[UNWIND_RIP] = u.rip;
	regs[UNWIND_RSP] = u.rsp;
	regs[UNWIND_RBP] = u.rbp;
	*why = table_walk(&space_ops, &space, regs, frames, MAX_FRAMES, &n);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	return n;
}

/* One process under test: the loaded program, and what it was told. */
struct world {
	struct target t;
	struct unwind_walk_bpf *skel;
	struct table_worker *compiler;
	struct unwind_tables *tables;
	struct unwind_maps *maps;
};

/* As if a walk of another process had left nonsense everywhere: the next one looks at nothing of it. */
static void spoil(const struct bpf_map *env)
{
	size_t size = (bpf_map__value_size(env) + 7) & ~7ul;
	int n_cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;
	void *all;

	assert_true(n_cpus > 0);
	all = malloc(size * (size_t)n_cpus);
	assert_non_null(all);
	memset(all, 0xff, size * (size_t)n_cpus);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(env), &zero, all, BPF_ANY), 0);
	free(all);
}

static void begin(struct world *w, const char *scenario, const char *arg, const char *spin)
{
	struct unwind_tables_opts opts = {0};
	struct table_worker_opts compiler = {.sandbox = true};

	w->t = start(scenario, arg, spin);
	w->skel = unwind_walk_bpf__open();
	assert_non_null(w->skel);
	w->skel->rodata->target_tgid = (uint32_t)w->t.pid;
	w->skel->rodata->unwind_tables = true;
	assert_int_equal(unwind_walk_bpf__load(w->skel), 0);
	spoil(w->skel->maps.kiln_unw_env);
	opts.map_fd = bpf_map__fd(w->skel->maps.kiln_unw_tables);
	assert_int_equal(table_worker_new(&w->compiler, &compiler), 0);
	opts.compiler = w->compiler;
	assert_int_equal(unwind_tables_new(&w->tables, &opts), 0);
	assert_int_equal(unwind_maps_new(&w->maps, bpf_map__fd(w->skel->maps.kiln_unw_small),
					 bpf_map__fd(w->skel->maps.kiln_unw_medium),
					 bpf_map__fd(w->skel->maps.kiln_unw_large)),
			 0);
	space_read(&space, w->t.pid);
}

static void finish(struct world *w)
{
	unwind_maps_free(w->maps);
	unwind_tables_free(w->tables);
	table_worker_free(w->compiler);
	unwind_walk_bpf__destroy(w->skel);
	end(&w->t);
}

/* The tables of all files of the process; the vDSO's from a file made of its memory. */
static void want_tables(struct world *w)
{
	uint32_t *changed;

	for (size_t i = 0; i < space.tables.len; i++) {
		const struct space_table *t = &space.tables.data[i];
		int fd;

		if (!strcmp(t->path, "[vdso]")) {
			fd = memfd_create("vdso", MFD_CLOEXEC);
			assert_int_equal(write(fd, t->bytes, t->bytes_len), t->bytes_len);
		} else {
			fd = fixture_open(t->path);
		}
		assert_int_equal(unwind_tables_want(w->tables, (uint32_t)i, SYM_FILE_OF(fd)), 0);
		close(fd);
	}
	assert_true(unwind_tables_settle(w->tables, 60000));
	unwind_tables_poll(w->tables, &changed);
}

/* The regions of the process, padded to n of them with others, most of them below. version: as in unwind_maps_set(). */
static void set_regions_of(struct world *w, size_t n, uint32_t version)
{
	static struct unwind_region r[UNWIND_MAPS_LARGE];
	uint64_t va_minus_off;
	size_t k = 0;

	for (; k < space.maps.len; k++) {
		const struct space_mapping *m = &space.maps.data[k];

		r[k] = (struct unwind_region){m->begin, m->end - m->begin, m->bias,
					      m->anonymous ? UNWIND_SLOT_JIT : UNWIND_SLOT_NONE};
		if (!m->anonymous && unwind_tables_get(w->tables, (uint32_t)m->table, m->file_off,
						       &r[k].slot, &va_minus_off))
			assert_int_equal(m->begin - m->file_off - va_minus_off, m->bias);
	}
	for (; k < n; k++)
		r[k] = (struct unwind_region){(k % 4 ? 0x10000 : 0x7fffff000000) + k * 8192, 4096,
					      0, UNWIND_SLOT_NONE};
	assert_int_equal(unwind_maps_set(w->maps, w->t.pid, version, r, k), 0);
}

/* For whoever walks first. */
static void set_regions(struct world *w, size_t n)
{
	set_regions_of(w, n, 0);
}

static int sample_clock(pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

struct samples {
	size_t n;
	struct kiln_stack_record s[SAMPLES];
};

static int on_sample(void *ctx, void *data, size_t len)
{
	struct samples *all = ctx;

	assert_int_equal(len, sizeof(all->s[0]));
	if (all->n < SAMPLES)
		memcpy(&all->s[all->n++], data, len);
	return 0;
}

static void sample(struct world *w, struct samples *all)
{
	struct ring_buffer *ring;
	struct bpf_link *link;

	all->n = 0;
	ring = ring_buffer__new(bpf_map__fd(w->skel->maps.out), on_sample, all, NULL);
	assert_non_null(ring);
	link = bpf_program__attach_perf_event(w->skel->progs.walk, sample_clock(w->t.pid));
	assert_non_null(link);
	while (all->n < SAMPLES)
		assert_true(ring_buffer__poll(ring, 10000) > 0);
	bpf_link__destroy(link); /* closes the event */
	ring_buffer__free(ring);
}

static uint64_t frame(const struct kiln_stack_record *s, uint32_t i)
{
	return s->frames[UNWIND_FRAME_AT(i)];
}

/* Every frame that was kept, but those that move while the program spins (the first `moving`). */
static void compare(const struct kiln_stack_record *s, const uint64_t *host, uint32_t n,
		    uint32_t moving)
{
	uint32_t lost = s->head.n > UNWIND_FRAMES_MAX ? s->head.n - UNWIND_FRAMES_MAX : 0;

	assert_int_equal(s->head.n, n);
	for (uint32_t i = moving; i < n; i++) {
		if (i >= UNWIND_LEAF_FRAMES && i < UNWIND_LEAF_FRAMES + lost)
			continue;
		if (frame(s, i) != host[i])
			fail_msg("frame %u of %u: %#lx, the host says %#lx", i, n,
				 (uint64_t)frame(s, i), host[i]);
	}
}

static bool has_frames_of(const struct kiln_stack_record *a, const struct kiln_stack_record *b)
{
	uint32_t n = a->head.n < UNWIND_FRAMES_MAX ? a->head.n : UNWIND_FRAMES_MAX;

	return a->head.n == b->head.n && a->head.end == b->head.end &&
	       !memcmp(a->frames, b->frames, n * sizeof(a->frames[0]));
}

/* The hash stands for the stack: two that differ, be it in their leaf or their end alone, have two. */
static void compare_hashes(const struct samples *a, const struct samples *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++)
			assert_int_equal(a->s[i].head.hash == b->s[j].head.hash,
					 has_frames_of(&a->s[i], &b->s[j]));
}

struct scenario {
	const char *name, *arg, *spin;
	uint32_t moving; /* frames, from the leaf, that differ from sample to sample */
	enum unwind_end end;
	uint32_t min_frames;
};

static void run(const struct scenario *sc)
{
	static uint64_t host[MAX_FRAMES];
	static struct samples all;
	enum unwind_end why;
	struct world w;
	uint32_t n;

	begin(&w, sc->name, sc->arg, sc->spin);
	want_tables(&w);
	set_regions(&w, 0);
	n = host_chain(w.t.pid, host, &why);
	assert_int_equal(why, sc->end);
	assert_true(n >= sc->min_frames);
	sample(&w, &all);
	for (size_t i = 0; i < all.n; i++) {
		if (all.s[i].head.end != sc->end)
			fail_msg("%s: %s", sc->name, unwind_end_text(all.s[i].head.end));
		compare(&all.s[i], host, n, sc->moving);
	}
	compare_hashes(&all, &all);
	finish(&w);
}

static void test_chains(void **state)
{
	static const struct scenario scenarios[] = {
		{"recurse", "10", "s", 1, UNWIND_END_ROOT, 14},
		{"recurse", "500", "s", 1, UNWIND_END_ROOT, 504},
		{"recurse", "4000", "s", 1, UNWIND_END_ROOT, 4004},
		{"signal", NULL, "s", 1, UNWIND_END_ROOT, 8},
		{"fault", NULL, "s", 1, UNWIND_END_ROOT, 8},
		{"realign", "10", "s", 1, UNWIND_END_ROOT, 6},
		{"sort", NULL, "s", 1, UNWIND_END_ROOT, 6},
		{"hand", NULL, "s", 1, UNWIND_END_ZERO, 4},
		{"context", NULL, "s", 1, UNWIND_END_ROOT, 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		run(&scenarios[i]);
}

/* Most samples hit the kernel: the registers are those that were saved on the way in. */
static void test_in_system_calls(void **state)
{
	const uint32_t outer = 20 + 4; /* recurse() to _start */
	static uint64_t host[MAX_FRAMES];
	static struct samples all;
	enum unwind_end why;
	struct world w;
	uint32_t n, k;

	(void)state;
	begin(&w, "recurse", "20", "k");
	want_tables(&w);
	set_regions(&w, 0);
	n = host_chain(w.t.pid, host, &why);
	sample(&w, &all);
	for (size_t i = 0; i < all.n; i++) {
		assert_int_equal(all.s[i].head.end, UNWIND_END_ROOT);
		/* stop(), and syscall() or not */
		k = all.s[i].head.n;
		assert_in_range(k, outer + 1, outer + 2);
		for (uint32_t j = 1; j <= outer; j++)
			assert_int_equal(frame(&all.s[i], k - j), host[n - j]);
	}
	finish(&w);
}

/* Deeper than the walk goes: it says so, and the leaf end is there. */
static void test_too_deep(void **state)
{
	static uint64_t host[MAX_FRAMES];
	static struct samples all;
	enum unwind_end why;
	struct world w;

	(void)state;
	begin(&w, "recurse", "5000", "s");
	want_tables(&w);
	set_regions(&w, 0);
	host_chain(w.t.pid, host, &why);
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_DEEP);
	assert_int_equal(all.s[0].head.n, UNWIND_STEPS_MAX + 1);
	for (uint32_t i = 1; i < UNWIND_LEAF_FRAMES; i++)
		assert_int_equal(frame(&all.s[0], i), host[i]);
	finish(&w);
}

/* Each way in which a walk has to end early, by taking away what it needs. */
static void test_ends(void **state)
{
	static struct samples all, before;
	struct world w;

	(void)state;
	begin(&w, "recurse", "10", "s");
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_NO_MAPPING);
	assert_int_equal(all.s[0].head.n, 1);
	before = all;
	set_regions(&w, 0); /* without tables */
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_NO_TABLE);
	compare_hashes(&all, &before);
	want_tables(&w);
	set_regions(&w, 0);
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_ROOT);
	set_regions_of(&w, 0, 2); /* what it had mapped is not what it has */
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_NO_MAPPING);
	assert_int_equal(all.s[0].head.n, 1);
	set_regions_of(&w, 0, 1);
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_ROOT);
	for (uint32_t slot = 0; slot < 8; slot++)
		bpf_map_delete_elem(bpf_map__fd(w.skel->maps.kiln_unw_tables), &slot);
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_NO_TABLE);
	unwind_maps_remove(w.maps, w.t.pid);
	sample(&w, &all);
	assert_int_equal(all.s[0].head.end, UNWIND_END_NO_MAPPING);
	finish(&w);
}

/* The same process with so many other mappings that it needs the bigger maps, and back. */
static void test_map_sizes(void **state)
{
	static const size_t counts[] = {
		UNWIND_MAPS_SMALL,	UNWIND_MAPS_SMALL + 1, UNWIND_MAPS_MEDIUM,
		UNWIND_MAPS_MEDIUM + 1, UNWIND_MAPS_LARGE,     UNWIND_MAPS_SMALL,
	};
	static struct samples all;
	struct world w;

	(void)state;
	begin(&w, "recurse", "10", "s");
	want_tables(&w);
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		set_regions(&w, counts[c]);
		sample(&w, &all);
		assert_int_equal(all.s[0].head.end, UNWIND_END_ROOT);
		assert_int_equal(all.s[0].head.n, 10 + 5);
	}
	finish(&w);
}

static bool has_frame_in(const struct samples *all, const struct space_mapping *m)
{
	for (size_t i = 0; i < all->n; i++)
		for (uint32_t k = 0; k < all->s[i].head.n; k++) {
			uint64_t call = frame(&all->s[i], k) - (k > 0);

			if (call >= m->begin && call < m->end)
				return true;
		}
	return false;
}

/* The tables that a walk has used are worth their memory: it says which, and again when that was heard. */
static void test_used_tables_are_noted(void **state)
{
	static struct samples all;
	struct world w;

	(void)state;
	begin(&w, "recurse", "10", "s");
	want_tables(&w);
	set_regions(&w, 0);
	for (int turn = 0; turn < 2; turn++) {
		uint8_t *walked = w.skel->bss->unwind_walked;
		unsigned n_used = 0, n_other = 0;

		memset(walked, 0, UNWIND_TABLES_MAX);
		sample(&w, &all);
		for (size_t i = 0; i < space.maps.len; i++) {
			const struct space_mapping *m = &space.maps.data[i];
			uint64_t va_minus_off;
			uint32_t slot;

			if (m->anonymous || !unwind_tables_get(w.tables, (uint32_t)m->table,
							       m->file_off, &slot, &va_minus_off))
				continue;
			assert_int_equal(walked[slot], has_frame_in(&all, m));
			n_used += walked[slot];
			n_other += !walked[slot];
		}
		assert_true(n_used >= 2 && n_other >= 1); /* the C library; the dynamic linker */
	}
	finish(&w);
}

static bool has_maps(struct bpf_map *map, pid_t tgid)
{
	static struct unwind_maps_large value;

	return !bpf_map_lookup_elem(bpf_map__fd(map), &tgid, &value);
}

/* More large processes than there is room for, and one with more mappings than are kept. */
static void test_maps_full(void **state)
{
	static struct unwind_region r[UNWIND_MAPS_LARGE + 10];
	const pid_t first = 5000000; /* above every pid */
	struct unwind_maps_stats s;
	struct world w;
	int n = 0;

	(void)state;
	begin(&w, "recurse", "10", "s");
	for (uint64_t i = 0; i < UNWIND_MAPS_LARGE + 10; i++)
		r[i] = (struct unwind_region){i << 16, 4096, 0, UNWIND_SLOT_JIT};
	while (!unwind_maps_set(w.maps, first + n, 0, r, UNWIND_MAPS_LARGE + 10))
		n++;
	unwind_maps_stats(w.maps, &s);
	assert_int_equal(n, bpf_map__max_entries(w.skel->maps.kiln_unw_large));
	assert_int_equal(s.processes, n);
	assert_int_equal(s.full, 1);
	assert_int_equal(s.cut, 10 * (n + 1));
	/* one that grows into it is not known by its old mappings any more */
	assert_int_equal(unwind_maps_set(w.maps, first + n, 0, r, UNWIND_MAPS_MEDIUM), 0);
	assert_true(has_maps(w.skel->maps.kiln_unw_medium, first + n));
	assert_int_equal(unwind_maps_set(w.maps, first + n, 0, r, UNWIND_MAPS_LARGE), -E2BIG);
	assert_false(has_maps(w.skel->maps.kiln_unw_medium, first + n));
	assert_false(unwind_maps_remove(w.maps, first + n));
	assert_true(unwind_maps_remove(w.maps, first));
	assert_int_equal(unwind_maps_set(w.maps, first + n, 0, r, UNWIND_MAPS_LARGE), 0);
	finish(&w);
}

static int setup(void **state)
{
	if (!getcwd(source_dir, sizeof(source_dir)) || fixture_setup(state))
		return -1;
	fixture_run("gcc -O2 -g -Wl,-z,now %s/tests/fixtures/unwind/stacks.c -o stacks -pthread "
		    "2>/dev/null",
		    source_dir);
	return 0;
}

static int teardown(void **state)
{
	space_release(&space);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),	  cmocka_unit_test(test_in_system_calls),
		cmocka_unit_test(test_too_deep),  cmocka_unit_test(test_ends),
		cmocka_unit_test(test_map_sizes), cmocka_unit_test(test_used_tables_are_noted),
		cmocka_unit_test(test_maps_full),
	};

	return cmocka_run_group_tests_name("unwind", tests, setup, teardown);
}
