// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind tables within their budget: which of them go, that nobody is walked by what takes their place,
 * and that they come back. Needs root, cc and BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/procs/sideband.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"
#include "profiler/unwind/unwind_tables.h"
#include "symbolizer/worker/table_worker.h"
#include "symbolizer/worker/walk_worker.h"
#include "tests/lib/fixture.h"
#include "tests/lib/unwind_space.h"

#define LIBS   10
#define FRAMES 150 /* recurse(150) and what calls it */

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

static int setup(void **state)
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

static const char *lib(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "lib%d.so", i);
	return name;
}

/* --- the tables alone ------------------------------------------------------------------------- */

static struct table_worker *compiler;
static struct unwind_tables *tables;
static int map_fd;
static bool mapped[LIBS];
static uint8_t walked[UNWIND_TABLES_MAX];

static uint32_t users_of(void *ctx, uint32_t file)
{
	(void)ctx;
	return mapped[file];
}

/* The map that the walk has, without the walk. */
static int make_map(void)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, inner_opts,
			    .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, opts);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, UNWIND_PAGE, 1, &inner_opts), fd;

	assert_true(inner >= 0);
	opts.inner_map_fd = (uint32_t)inner;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, UNWIND_TABLES_MAX, &opts);
	assert_true(fd >= 0);
	close(inner);
	return fd;
}

static void open_tables(struct unwind_tables_opts opts)
{
	struct table_worker_opts worker = {.sandbox = false};

	memset(mapped, 0, sizeof(mapped));
	memset(walked, 0, sizeof(walked));
	map_fd = opts.map_fd = make_map();
	assert_int_equal(table_worker_new(&compiler, &worker), 0);
	opts.compiler = compiler;
	opts.users = users_of;
	opts.walked = walked;
	assert_int_equal(unwind_tables_new(&tables, &opts), 0);
}

static void close_tables(void)
{
	unwind_tables_free(tables);
	table_worker_free(compiler);
	close(map_fd);
}

static struct unwind_tables_stats stats(void)
{
	struct unwind_tables_stats s;

	unwind_tables_stats(tables, &s);
	return s;
}

static int want(int i)
{
	int fd = fixture_open(lib(i));
	int err = unwind_tables_want(tables, (uint32_t)i, fd);

	close(fd);
	return err;
}

/* Takes what is there, and says that nobody's mappings name any other. */
static void turn(void)
{
	uint32_t *changed;

	unwind_tables_poll(tables, &changed);
	unwind_tables_release(tables);
}

static bool is_loaded(int i)
{
	return unwind_tables_state(tables, (uint32_t)i) == TABLE_LOADED;
}

/* Until the table is there. */
static void load(int i)
{
	for (int t = 0; t < 2000 && !is_loaded(i); t++) {
		want(i); /* it may be queued already */
		usleep(1000);
		turn();
	}
	assert_true(is_loaded(i));
}

/* All segments begin with the headers, but for the executable one. */
static uint32_t slot_of(int i)
{
	uint64_t va_minus_off;
	uint32_t slot = UINT32_MAX;

	for (uint64_t off = 0; off < 1 << 20 && slot == UINT32_MAX; off += 4096)
		unwind_tables_get(tables, (uint32_t)i, off, &slot, &va_minus_off);
	assert_true(slot < UNWIND_TABLES_MAX);
	return slot;
}

static bool is_in_kernel(uint32_t slot)
{
	uint32_t id;

	return !bpf_map_lookup_elem(map_fd, &slot, &id);
}

/* Bytes of the largest table of a library. */
static size_t table_bytes(void)
{
	size_t bytes = 0, before = 0;

	open_tables((struct unwind_tables_opts){0});
	for (int i = 0; i < LIBS; i++) {
		load(i);
		bytes = stats().bytes - before > bytes ? stats().bytes - before : bytes;
		before = stats().bytes;
	}
	close_tables();
	assert_true(bytes >= 2 * UNWIND_PAGE);
	return bytes;
}

/* Whatever comes, the kernel never has more than the budget, and everything can be had again. */
static void test_budget(void **state)
{
	size_t budget = 3 * table_bytes() + UNWIND_PAGE;

	(void)state;
	open_tables((struct unwind_tables_opts){.budget_bytes = budget, .hot_ns = 1});
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LIBS; i++) {
			load(i);
			assert_non_null(unwind_tables_blob(tables, (uint32_t)i));
			assert_in_range(stats().bytes, 1, budget);
			assert_in_range(stats().loaded, 1, 3);
		}
	}
	assert_in_range(stats().evicted, 3 * LIBS - 3, 3 * LIBS);
	/* all at once */
	for (int i = 0; i < LIBS; i++)
		want(i);
	for (int t = 0; t < 200; t++) {
		usleep(1000);
		turn();
		assert_in_range(stats().bytes, 0, budget);
	}
	for (int i = 0; i < LIBS; i++)
		load(i);
	close_tables();
}

static void test_larger_than_the_budget(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.budget_bytes = UNWIND_PAGE});
	assert_int_equal(want(0), 0);
	assert_true(unwind_tables_settle(tables, 10000));
	turn();
	assert_int_equal(unwind_tables_state(tables, 0), TABLE_EVICTED);
	assert_int_equal(want(0), -ENOSPC);
	assert_int_equal(stats().no_room, 1);
	assert_int_equal(stats().bytes, 0);
	close_tables();
}

/* Fewer slots than tables. */
static void test_slots(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 3, .hot_ns = 1});
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LIBS; i++) {
			load(i);
			assert_in_range(slot_of(i), 0, 2);
			assert_in_range(stats().loaded, 1, 3);
		}
	}
	assert_in_range(stats().evicted, 3 * LIBS - 3, 3 * LIBS);
	close_tables();
	/* all of them in use */
	open_tables((struct unwind_tables_opts){.max_tables = 3, .hot_ns = 3600000000000ull});
	for (int i = 0; i < 3; i++) {
		load(i);
		mapped[i] = true;
	}
	assert_int_equal(want(3), 0); /* how large it is nobody knows yet */
	assert_true(unwind_tables_settle(tables, 10000));
	turn();
	assert_int_equal(unwind_tables_state(tables, 3), TABLE_EVICTED);
	assert_int_equal(unwind_tables_error(tables, 3), 0);
	assert_int_equal(want(3), -ENOSPC);
	assert_int_equal(stats().no_room, 1);
	assert_int_equal(stats().loaded, 3);
	close_tables();
}

/* What nobody maps goes first, then what was not walked by for the longest time; what was set last says
 * nothing. */
static void test_which_go(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 4, .hot_ns = 1});
	for (int i = 0; i < 4; i++)
		load(i);
	mapped[0] = mapped[1] = mapped[2] = mapped[4] = mapped[5] = true;
	walked[slot_of(3)] = 1;
	usleep(150000);
	turn();
	load(4);
	assert_true(is_loaded(0) && is_loaded(1) && is_loaded(2) && !is_loaded(3));
	walked[slot_of(0)] = walked[slot_of(4)] = 1;
	usleep(150000);
	turn();
	assert_int_equal(walked[slot_of(0)], 0);
	unwind_tables_touch(tables, 1);
	usleep(2000);
	load(5);
	assert_true(is_loaded(0) && is_loaded(1) && is_loaded(4) && !is_loaded(2));
	close_tables();
}

/* While all are walked by, a new one has to wait; it is not compiled again and again meanwhile. */
static void test_all_in_use(void **state)
{
	uint64_t refused;

	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 2, .hot_ns = 2000000000});
	load(0);
	load(1);
	mapped[0] = mapped[1] = mapped[2] = true;
	for (int t = 0; t < 30; t++) {
		walked[slot_of(0)] = walked[slot_of(1)] = 1;
		want(2);
		usleep(10000);
		turn();
		assert_true(is_loaded(0) && is_loaded(1));
	}
	refused = stats().no_room;
	assert_in_range(refused, 1, 2);
	for (int t = 0; t < 600 && !is_loaded(2); t++) { /* nothing walks by library 1 any more */
		walked[slot_of(0)] = 1;
		want(2);
		usleep(10000);
		turn();
	}
	assert_true(is_loaded(0) && !is_loaded(1) && is_loaded(2));
	close_tables();
}

/* As long as mappings may name it, a slot keeps its table. */
static void test_slot_until_released(void **state)
{
	uint32_t *changed, old, fresh;
	size_t n;
	int t;

	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 1, .hot_ns = 1});
	load(0);
	old = slot_of(0);
	assert_int_equal(want(1), 0);
	assert_true(unwind_tables_settle(tables, 10000));
	n = unwind_tables_poll(tables, &changed);
	assert_int_equal(n, 2); /* one could not come, the other one went for it */
	assert_false(is_loaded(0));
	assert_null(unwind_tables_blob(tables, 0));
	assert_int_equal(want(1), 0);
	usleep(100000);
	unwind_tables_poll(tables, &changed);
	assert_false(is_loaded(1));
	assert_true(is_in_kernel(old));
	for (t = 0; t < 1000 && !is_loaded(1); t++) {
		unwind_tables_release(tables);
		usleep(1000);
		unwind_tables_poll(tables, &changed);
	}
	assert_true(is_loaded(1));
	fresh = slot_of(1);
	assert_int_equal(fresh, old);
	assert_true(is_in_kernel(fresh));
	close_tables();
}

/* --- with all that feeds the walk ------------------------------------------------------------- */

static struct unwind_space space;

struct engine {
	struct sampler *sampler;
	struct drain *drain;
	struct files *files;
	struct procs *procs;
	struct rescan *rescan;
	struct reported_mappings *reported;
	struct sideband *sideband;
	struct table_worker *compiler;
	struct walk_worker *walker;
	struct unwind_feed *feed;
	struct raw_walk *raw_walk;
	size_t budget, max_bytes;
};

static void open_walkers(struct engine *e)
{
	struct table_worker_opts compile = {.sandbox = true};
	struct walk_worker_opts walk = {.sandbox = true};
	struct unwind_feed_opts feed = {.sampler = e->sampler, .files = e->files};

	assert_int_equal(table_worker_new(&e->compiler, &compile), 0);
	assert_int_equal(walk_worker_new(&e->walker, &walk), 0);
	feed.compiler = e->compiler;
	feed.budget_bytes = e->budget;
	assert_int_equal(unwind_feed_new(&e->feed, &feed), 0);
}

static void open_engine(struct engine *e, size_t budget)
{
	struct sampler_opts sampler = {
		.freq_hz = 499,
		.window_ns = 1000000000,
		.unwind = MODE_AUTO,
		.user = true,
		.filter_tgids = true, /* what else this machine does fills the ring */
	};
	struct sideband_opts sideband = {0};
	struct procs_opts procs = {.changed = unwind_feed_changed};
	const char *why = "";

	*e = (struct engine){.budget = budget};
	if (sampler_load(&e->sampler, &sampler, &why))
		fail_msg("load: %s", why);
	assert_true(sampler_uses_tables(e->sampler));
	assert_int_equal(drain_new(&e->drain, e->sampler), 0);
	assert_int_equal(files_new(&e->files, NULL), 0);
	open_walkers(e);
	procs.files = sideband.files = e->files;
	procs.changed_ctx = e->feed;
	assert_int_equal(procs_new(&e->procs, &procs), 0);
	assert_int_equal(rescan_new(&e->rescan, e->procs), 0);
	if (sampler_reports_mappings(e->sampler))
		assert_int_equal(reported_mappings_new(&e->reported, e->sampler, e->procs, e->files,
						       e->rescan),
				 0);
	assert_int_equal(
		raw_walk_new(&e->raw_walk, e->procs, e->files, e->feed, e->rescan, e->walker), 0);
	sideband.procs = e->procs;
	sideband.no_mappings = e->reported != NULL;
	assert_int_equal(sideband_open(&e->sideband, &sideband), 0);
}

static void close_engine(struct engine *e)
{
	sideband_close(e->sideband);
	raw_walk_free(e->raw_walk);
	reported_mappings_free(e->reported);
	rescan_free(e->rescan);
	procs_free(e->procs);
	unwind_feed_free(e->feed);
	walk_worker_free(e->walker);
	table_worker_free(e->compiler);
	files_free(e->files);
	drain_free(e->drain);
	sampler_free(e->sampler);
}

static void feed_turn(struct engine *e)
{
	struct unwind_tables_stats t;
	struct unwind_maps_stats m;

	assert_int_equal(drain_stacks(e->drain), 0);
	assert_int_equal(sideband_poll(e->sideband, 0), 0);
	if (e->reported)
		reported_mappings_run(e->reported, e->drain);
	rescan_run(e->rescan, 5000000);
	unwind_feed_run(e->feed, e->procs);
	raw_walk_run(e->raw_walk, e->drain);
	unwind_feed_stats(e->feed, &t, &m);
	e->max_bytes = t.bytes > e->max_bytes ? t.bytes : e->max_bytes;
}

static void feed_for(struct engine *e, int ms)
{
	for (int i = 0; i < ms / 10; i++) {
		usleep(10000);
		feed_turn(e);
	}
}

static pid_t start_deep(void)
{
	int out[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves it behind */
		setenv("SPIN", "s", 1);
		dup2(out[1], STDOUT_FILENO);
		execl("./stacks", "./stacks", "recurse", "150", NULL);
		_exit(127);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	close(out[0]);
	usleep(20000); /* out of write(2) */
	return pid;
}

/* A process that runs in a library, for ever (0) or for so long, and sleeps then. */
static pid_t start_mapper(struct engine *e, int i, const char *ms, const char *more)
{
	char path[32];
	pid_t pid;

	snprintf(path, sizeof(path), "./%s", lib(i));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("./mapper", "./mapper", path, ms, more, NULL);
		_exit(127);
	}
	assert_int_equal(sampler_add_target(e->sampler, pid), 0);
	return pid;
}

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The chain as the host finds it, by tables of its own. */
static uint32_t host_chain(pid_t pid, uint64_t *frames)
{
	struct user_regs_struct u;
	uint64_t regs[UNWIND_REGS] = {0};
	uint32_t n;

	space_read(&space, pid);
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &u), 0);
	regs[UNWIND_RIP] = u.rip;
	regs[UNWIND_RSP] = u.rsp;
	regs[UNWIND_RBP] = u.rbp;
	assert_int_equal(table_walk(&space_ops, &space, regs, frames, UNWIND_FRAMES_MAX, &n),
			 UNWIND_END_ROOT);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	return n;
}

/* The window that ends now, with all stacks that can be had. */
static struct window *end_window(struct engine *e)
{
	struct window *w;

	assert_int_equal(drain_window(e->drain, &w), 0);
	for (int i = 0; i < 200 && (!i || raw_walk_waits(e->raw_walk)); i++) {
		feed_turn(e);
		usleep(10000);
	}
	raw_walk_finish(e->raw_walk, w);
	return w;
}

/* The user stack of a row of that process, or NULL. */
static const struct window_stack *stack_of(const struct window *w, const struct window_row *row,
					   pid_t pid, const uint64_t **frames)
{
	const struct window_stack *s;

	if (row->key.tgid != (uint32_t)pid || row->key.user_stack == KILN_STACK_NONE)
		return NULL;
	s = window_stack(w, KILN_SIDE_USER, row->key.user_stack, frames);
	assert_non_null(s);
	return s;
}

/* Every stack of a process is whole and right. The number of its samples. */
static uint64_t check_stacks(const struct window *w, pid_t pid, const uint64_t *host, uint32_t n)
{
	const uint64_t *frames;
	uint64_t samples = 0;

	for (size_t i = 0; i < w->rows.len; i++) {
		const struct window_stack *s = stack_of(w, &w->rows.data[i], pid, &frames);

		if (!s)
			continue;
		samples += w->rows.data[i].value.count;
		if (s->end != UNWIND_END_ROOT || s->len != n)
			fail_msg("%u of %u frames: %s", s->len, n,
				 unwind_end_text((enum unwind_end)s->end));
		for (uint32_t k = 1; k < n; k++) /* the first one moves */
			if (frames[k] != host[k])
				fail_msg("frame %u: %#lx, the host says %#lx", k, frames[k],
					 host[k]);
	}
	return samples;
}

/* Nearly all stacks of a process are whole, but for those in ld.so's first moments. */
static void check_whole(const struct window *w, pid_t pid)
{
	uint64_t samples = 0, whole = 0;
	const uint64_t *frames;

	for (size_t i = 0; i < w->rows.len; i++) {
		const struct window_stack *s = stack_of(w, &w->rows.data[i], pid, &frames);

		samples += s ? w->rows.data[i].value.count : 0;
		whole += s && s->end == UNWIND_END_ROOT ? w->rows.data[i].value.count : 0;
	}
	assert_in_range(whole, samples - samples / 10, samples);
}

/* Windows until a process has some samples: on a busy machine it does not run at once. */
static void check_windows(struct engine *e, pid_t pid, const uint64_t *host, uint32_t n)
{
	uint64_t samples = 0;

	for (int i = 0; i < 50 && samples < 20; i++) {
		struct window *w;

		feed_for(e, 300);
		w = end_window(e);
		samples += check_stacks(w, pid, host, n);
		window_free(w);
	}
	assert_true(samples >= 20);
}

static struct unwind_tables_stats feed_stats(struct engine *e)
{
	struct unwind_tables_stats t;
	struct unwind_maps_stats m;

	unwind_feed_stats(e->feed, &t, &m);
	return t;
}

/* Bytes of all tables of the process, in whole pages. */
static size_t bytes_of_space(void)
{
	size_t bytes = 0;

	for (size_t i = 0; i < space.tables.len; i++)
		bytes += (space.tables.data[i].len + UNWIND_PAGE - 1) / UNWIND_PAGE * UNWIND_PAGE;
	return bytes;
}

static void begin_sampling(struct engine *e, pid_t pid)
{
	const char *why = "";

	assert_int_equal(procs_scan(e->procs, pid, boottime_ns()), 0);
	assert_int_equal(sampler_add_target(e->sampler, pid), 0);
	if (sampler_start(e->sampler, &why))
		fail_msg("start: %s", why);
}

/* Programs come and go and bring more tables than there is room for; one program runs on. */
static void test_one_runs_on(void **state)
{
	static uint64_t host[UNWIND_FRAMES_MAX];
	pid_t deep = start_deep(), mapper;
	uint32_t n = host_chain(deep, host);
	size_t budget = bytes_of_space() + UNWIND_PAGE + 2 * table_bytes();
	struct window *w;
	struct engine e;

	(void)state;
	assert_true(n >= FRAMES);
	open_engine(&e, budget);
	begin_sampling(&e, deep);
	check_windows(&e, deep, host, n);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LIBS; i++) {
			mapper = start_mapper(&e, i, "0", NULL);
			feed_for(&e, 300);
			w = end_window(&e);
			check_stacks(w, deep, host, n);
			check_whole(w, mapper);
			window_free(w);
			stop_process(mapper);
			assert_in_range(e.max_bytes, 1, budget);
		}
	}
	check_windows(&e, deep, host, n);
	assert_true(feed_stats(&e).evicted >= LIBS);
	stop_process(deep);
	close_engine(&e);
}

/* Samples so far whose stacks came to user space. */
static uint64_t raw_samples(struct engine *e)
{
	struct sampler_totals t;

	assert_int_equal(sampler_totals(e->sampler, &t), 0);
	return t.counters[KILN_CTR_raw];
}

/* All of them stay and sleep; the first one, whose tables have gone meanwhile, wakes up. */
static void test_one_wakes_up(void **state)
{
	static uint64_t host[UNWIND_FRAMES_MAX];
	pid_t deep = start_deep(), mappers[LIBS];
	uint32_t n = host_chain(deep, host);
	size_t budget = bytes_of_space() + UNWIND_PAGE + 2 * table_bytes();
	uint64_t evicted;
	struct engine e;

	(void)state;
	open_engine(&e, budget);
	begin_sampling(&e, deep);
	check_windows(&e, deep, host, n);
	kill(deep, SIGSTOP);
	feed_for(&e, 1300); /* no table is evicted sooner */
	for (int i = 0; i < LIBS; i++) {
		mappers[i] = start_mapper(&e, i, "200", NULL);
		feed_for(&e, 300);
	}
	feed_for(&e, 1000);
	window_free(end_window(&e));
	evicted = feed_stats(&e).evicted;
	assert_true(evicted >= LIBS / 2);
	kill(deep, SIGCONT);
	for (int i = 0; i < 10; i++) {
		uint64_t raw = raw_samples(&e);

		check_windows(&e, deep, host, n);
		assert_in_range(e.max_bytes, 1, budget);
		if (i == 9) /* its tables are back in the kernel */
			assert_in_range(raw_samples(&e) - raw, 0, 5);
	}
	for (int i = 0; i < LIBS; i++)
		stop_process(mappers[i]);
	stop_process(deep);
	close_engine(&e);
}

/* No sample may wait for its tables: libunwind walks those that had to. */
static void test_crowded(void **state)
{
	static uint64_t host[UNWIND_FRAMES_MAX];
	pid_t deep = start_deep();
	uint32_t n = host_chain(deep, host);
	struct raw_walk_stats walked;
	struct engine e;

	(void)state;
	open_engine(&e, 0);
	raw_walk_limit(e.raw_walk, 1);
	begin_sampling(&e, deep);
	check_windows(&e, deep, host, n);
	raw_walk_stats(e.raw_walk, &walked);
	assert_true(walked.crowded > 0);
	assert_int_equal(walked.waited, 0);
	assert_in_range(walked.by_libunwind, walked.crowded, UINT64_MAX);
	stop_process(deep);
	close_engine(&e);
}

/* One that maps a lot comes when there is no room for more of these, and is let in when some have gone. */
static void test_room_for_a_process(void **state)
{
	struct unwind_feed_stats s;
	struct engine e;
	pid_t sleepers[64], late;
	uint32_t entries;
	uint64_t raw;
	int i;

	(void)state;
	open_engine(&e, 0);
	entries = bpf_map__max_entries(sampler_skeleton(e.sampler)->maps.kiln_unw_large);
	assert_in_range(entries, 1, 64);
	begin_sampling(&e, getpid());
	for (uint32_t k = 0; k < entries; k++) {
		sleepers[k] = start_mapper(&e, 0, "100", "300");
		feed_for(&e, 200);
	}
	late = start_mapper(&e, 1, "0", "300");
	for (i = 0; i < 100; i++) {
		feed_for(&e, 100);
		unwind_feed_own_stats(e.feed, &s);
		if (s.refused)
			break;
	}
	assert_true(s.refused > 0);
	raw = raw_samples(&e);
	feed_for(&e, 2000);
	assert_true(raw_samples(&e) > raw); /* all of its stacks come to user space */
	for (uint32_t k = 0; k < entries; k++)
		stop_process(sleepers[k]);
	for (i = 0; i < 50; i++) {
		raw = raw_samples(&e);
		feed_for(&e, 500);
		if (raw_samples(&e) == raw)
			break;
	}
	assert_in_range(i, 0, 49);
	stop_process(late);
	close_engine(&e);
}

static int teardown(void **state)
{
	space_release(&space);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),	    cmocka_unit_test(test_larger_than_the_budget),
		cmocka_unit_test(test_slots),	    cmocka_unit_test(test_which_go),
		cmocka_unit_test(test_all_in_use),  cmocka_unit_test(test_slot_until_released),
		cmocka_unit_test(test_one_runs_on), cmocka_unit_test(test_one_wakes_up),
		cmocka_unit_test(test_crowded),	    cmocka_unit_test(test_room_for_a_process),
	};

	return cmocka_run_group_tests_name("table_eviction", tests, setup, teardown);
}
