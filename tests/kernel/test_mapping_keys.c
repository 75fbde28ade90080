// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a sample's addresses mean is part of its key: a process that maps one thing after the other at the same
 * address has another key each time, and the same one as long as nothing changes that names depend on. So are the
 * program and the thread.
 */
#include "tests/lib/sampler_run.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

#define PAGE	   4096
#define CODE	   ((void *)0x10000000000)
#define STAGE_MS   250
#define STAGES	   12
#define CHANGES	   40
#define CHANGE_MS  10
#define PERF_MAP   "perf-1.map"
#define JITDUMP	   "jit-1.dump" /* names of another kind are no jitdumps */
#define NO_JITDUMP "jitter"
#define KEYS_MAX   64
#define CODE_BYTES "\xc3 some code"

/* --- the process ---------------------------------------------------------------------------------- */

static void map_code(const char *file, off_t off)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 ||
	    mmap(CODE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, off) == MAP_FAILED)
		_exit(1);
	close(fd);
}

static void write_to(const char *file, int flags, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0755);
	char page[PAGE] = CODE_BYTES;

	for (size_t i = 0; i < n; i++)
		if (write(fd, page, sizeof(page)) != sizeof(page))
			_exit(1);
	close(fd);
}

static void map_beside(const char *file)
{
	int fd;

	write_to(file, O_TRUNC, 1);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		_exit(1);
	close(fd);
}

static void map_memory(void)
{
	if (mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		_exit(1);
}

/* As soon as it is gone, many file systems give its inode's number to the next file. */
static void replace_b(void)
{
	munmap(CODE, PAGE);
	unlink("b");
	write_to("b", 0, 1);
	map_code("b", 0);
}

static const struct stage {
	const char *what;
	bool is_other; /* than the one before */
} stages[STAGES] = {
	{"a file", true},
	{"another part of it", true},
	{"another file", true},
	{"a file in its place", true},
	{"memory without a file beside it", false},
	{"a perf map that has grown", true},
	{"a perf map that has not", false},
	{"a file beside it with nearly the name of a jitdump", true},
	{"that file has grown", false},
	{"a jitdump beside it", true},
	{"a jitdump that has grown", true},
	{"a perf map that has grown beside a jitdump", false},
};

static void enter(int stage)
{
	switch (stage) {
	case 0:
		map_code("a", 0);
		break;
	case 1:
		map_code("a", PAGE);
		break;
	case 2:
		map_code("b", 0);
		break;
	case 3:
		replace_b();
		break;
	case 4:
		map_memory();
		break;
	case 5:
		write_to(PERF_MAP, O_APPEND, 1);
		break;
	case 7:
		map_beside(NO_JITDUMP);
		break;
	case 8:
		write_to(NO_JITDUMP, O_APPEND, 1);
		break;
	case 9:
		map_beside(JITDUMP);
		break;
	case 10:
		write_to(JITDUMP, O_APPEND, 1);
		break;
	case 11:
		write_to(PERF_MAP, O_APPEND, 1);
		break;
	default:
		break;
	}
}

/* The name of the thread tells the stage. */
static void burn_as(int stage)
{
	char comm[16];

	snprintf(comm, sizeof(comm), "stage%d", stage);
	prctl(PR_SET_NAME, comm);
	burn_ms(STAGE_MS);
	prctl(PR_SET_NAME, "between");
}

static void run_stages(void)
{
	for (int i = 0; i < STAGES; i++) {
		enter(i);
		burn_as(i);
	}
}

/* Has code more and code less, in turn, and runs a moment each time. */
static void run_changes(void)
{
	for (int i = 0; i < CHANGES; i++) {
		if (i % 2)
			munmap(CODE, PAGE);
		else
			map_code("a", 0);
		burn_ms(CHANGE_MS);
	}
}

/* Becomes the same program again (main()). */
static void run_twice(void)
{
	burn_as(0);
	execl("/proc/self/exe", "test_mapping_keys", "again", NULL);
	_exit(1);
}

/* A child that stops before it runs. */
static pid_t fork_stopped(void (*run)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid) {
		waitpid(pid, NULL, WUNTRACED);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "between");
	raise(SIGSTOP);
	run();
	_exit(0);
}

/* --- its keys ------------------------------------------------------------------------------------- */

struct keys {
	struct {
		uint32_t image;
		int stage;
		uint64_t samples;
	} v[KEYS_MAX];
	size_t n;
};

static void note_key(void *ctx, const struct window *w, const struct window_row *row)
{
	struct keys *k = ctx;
	int stage = -1;
	size_t i = 0;

	(void)w;
	if (!row->key.in_user || sscanf(row->key.comm, "stage%d", &stage) != 1)
		return;
	while (i < k->n && (k->v[i].image != row->key.image || k->v[i].stage != stage))
		i++;
	if (i == KEYS_MAX)
		return;
	k->v[i].image = row->key.image;
	k->v[i].stage = stage;
	k->v[i].samples += row->value.count;
	k->n += i == k->n;
}

/* The one that most of its samples have: the first ones may come before the process is looked at again. */
static uint32_t key_of(const struct keys *k, int stage)
{
	uint64_t most = 0;
	uint32_t image = 0;

	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].stage == stage && k->v[i].samples > most) {
			most = k->v[i].samples;
			image = k->v[i].image;
		}
	assert_true(most > 0);
	return image;
}

/* A sampler of a child that has stopped. False: this kernel's samples do not report mappings. */
static bool begin_reported(struct run *r, pid_t *pid, void (*run)(void))
{
	struct sampler_opts opts = defaults();

	opts.filter_tgids = true;
	begin(r, &opts);
	if (!sampler_reports_mappings(r->sampler)) {
		release(r);
		print_message("this kernel's samples do not report mappings\n");
		return false;
	}
	*pid = fork_stopped(run);
	assert_int_equal(sampler_add_target(r->sampler, *pid), 0);
	return true;
}

/* Until the child has ended. */
static void run_to_end(struct run *r, pid_t pid, struct keys *keys)
{
	start(r);
	kill(pid, SIGCONT);
	while (!waitpid(pid, NULL, WNOHANG)) {
		usleep(50000);
		drain(r, note_key, keys);
	}
	end(r, note_key, keys);
}

static void what_is_mapped_is_part_of_the_key(void **state)
{
	struct keys keys = {.n = 0};
	struct run r;
	pid_t pid;
	int map;

	(void)state;
	write_to(PERF_MAP, O_TRUNC, 1);
	map = open(PERF_MAP, O_PATH | O_CLOEXEC);
	write_to("a", O_TRUNC, 2);
	write_to("b", O_TRUNC, 1);
	if (!begin_reported(&r, &pid, run_stages))
		return;
	assert_int_equal(sampler_watch_perf_map(r.sampler, pid, 999), -EBADF);
	assert_int_equal(sampler_watch_perf_map(r.sampler, pid, map), 0);
	close(map); /* its inode is enough */
	run_to_end(&r, pid, &keys);
	release(&r);
	for (int i = 1; i < STAGES; i++)
		if ((key_of(&keys, i) != key_of(&keys, i - 1)) != stages[i].is_other)
			fail_msg("%s: %s key as before", stages[i].what,
				 stages[i].is_other ? "the same" : "another");
}

/* Code that is mapped is looked for at once: only where no code changes may it take a while (may_look()). */
static void new_code_is_noticed_at_once(void **state)
{
	struct keys keys = {.n = 0};
	struct run r;
	pid_t pid;

	(void)state;
	write_to("a", O_TRUNC, 1);
	if (!begin_reported(&r, &pid, run_changes))
		return;
	run_to_end(&r, pid, &keys);
	/* the CPU that looks may lose its time meanwhile, after which samples look less often */
	assert_in_range(r.totals.counters[KILN_CTR_mappings_reported], CHANGES * 3 / 4,
			CHANGES + 2);
	release(&r);
}

/* The same program in the same process, and nothing but that it begins anew tells them apart. */
static void the_program_is_part_of_the_key(void **state)
{
	struct sampler_opts opts = defaults();
	struct keys keys = {.n = 0};
	struct run r;
	pid_t pid;

	(void)state;
	opts.filter_tgids = true;
	setenv("KILN_TEST_MAPPING_EVENTS", "1", 1);
	begin(&r, &opts);
	unsetenv("KILN_TEST_MAPPING_EVENTS");
	pid = fork_stopped(run_twice);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	run_to_end(&r, pid, &keys);
	release(&r);
	assert_int_equal(keys.n, 2);
	assert_int_not_equal(key_of(&keys, 0), key_of(&keys, 1));
}

struct tids {
	uint64_t samples, without;
};

static void note_tid(void *ctx, const struct window *w, const struct window_row *row)
{
	struct tids *t = ctx;

	(void)w;
	t->samples += row->value.count;
	t->without += row->key.tid ? 0 : row->value.count;
}

static void *do_nothing(void *arg)
{
	return arg;
}

/* Of all threads, also those that have ended. */
static uint64_t process_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static int end_threads(void)
{
	struct sampler_opts opts = defaults();
	struct tids tids = {0};
	pthread_t thread;
	struct run r;

	opts.freq_hz = 4999;
	opts.filter_tgids = true;
	begin(&r, &opts);
	assert_int_equal(sampler_add_target(r.sampler, getpid()), 0);
	start(&r);
	for (uint64_t until = process_cpu_ns() + 500000000; process_cpu_ns() < until;)
		if (!pthread_create(&thread, NULL, do_nothing, NULL))
			pthread_join(thread, NULL);
	end(&r, note_tid, &tids);
	release(&r);
	if (tids.samples > 20 && !tids.without)
		return 0;
	print_message("%llu samples, %llu without a number\n", (unsigned long long)tids.samples,
		      (unsigned long long)tids.without);
	return 1;
}

/* Below another pid namespace a thread has no number any more while it ends: it is its process's then. */
static void every_thread_has_a_number(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(77);
		pid = fork(); /* it is in there */
		if (!pid)
			_exit(end_threads());
		_exit(waitpid(pid, &status, 0) == pid && !status ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("SKIP: no pid namespaces here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_mapped_is_part_of_the_key),
		cmocka_unit_test(new_code_is_noticed_at_once),
		cmocka_unit_test(the_program_is_part_of_the_key),
		cmocka_unit_test(every_thread_has_a_number),
	};

	if (argc == 2 && !strcmp(argv[1], "again")) {
		burn_as(1);
		return 0;
	}
	return cmocka_run_group_tests_name("mapping_keys", tests, fixture_setup, fixture_teardown);
}
