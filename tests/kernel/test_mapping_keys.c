// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a sample's addresses mean is part of its key: a process that maps one thing after the other at the same
 * address has another key each time, and the same one as long as nothing changes that names depend on.
 */
#include "tests/lib/sampler_run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

#define PAGE	   4096
#define CODE	   ((void *)0x10000000000)
#define STAGE_MS   250
#define STAGES	   10
#define PERF_MAP   "perf-1.map"
#define JITDUMP	   "jit-1.dump" /* names of another kind are no jitdumps */
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

static void map_jitdump(void)
{
	int fd;

	write_to(JITDUMP, O_TRUNC, 1);
	fd = open(JITDUMP, O_RDONLY | O_CLOEXEC);
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
	{"a jitdump beside it", true},
	{"a jitdump that has grown", true},
	{"nothing new", false},
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
		map_jitdump();
		break;
	case 8:
		write_to(JITDUMP, O_APPEND, 1);
		break;
	default:
		break;
	}
}

/* The name of the thread tells the stage. */
static pid_t fork_stages(void)
{
	pid_t pid = fork();
	char comm[16];

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	raise(SIGSTOP);
	for (int i = 0; i < STAGES; i++) {
		prctl(PR_SET_NAME, "between");
		enter(i);
		snprintf(comm, sizeof(comm), "stage%d", i);
		prctl(PR_SET_NAME, comm);
		burn_ms(STAGE_MS);
	}
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

static void what_is_mapped_is_part_of_the_key(void **state)
{
	struct sampler_opts opts = defaults();
	struct keys keys = {.n = 0};
	struct run r;
	pid_t pid;
	int map;

	(void)state;
	write_to(PERF_MAP, O_TRUNC, 1);
	map = open(PERF_MAP, O_PATH | O_CLOEXEC);
	write_to("a", O_TRUNC, 2);
	write_to("b", O_TRUNC, 1);
	opts.filter_tgids = true;
	begin(&r, &opts);
	if (!sampler_reports_mappings(r.sampler)) {
		release(&r);
		print_message("this kernel's samples do not report mappings\n");
		return;
	}
	pid = fork_stages();
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(sampler_add_target(r.sampler, pid), 0);
	assert_int_equal(sampler_watch_perf_map(r.sampler, pid, 999), -EBADF);
	assert_int_equal(sampler_watch_perf_map(r.sampler, pid, map), 0);
	close(map); /* its inode is enough */
	start(&r);
	kill(pid, SIGCONT);
	while (!waitpid(pid, NULL, WNOHANG)) {
		usleep(50000);
		drain(&r, note_key, &keys);
	}
	end(&r, note_key, &keys);
	release(&r);
	for (int i = 1; i < STAGES; i++)
		if ((key_of(&keys, i) != key_of(&keys, i - 1)) != stages[i].is_other)
			fail_msg("%s: %s key as before", stages[i].what,
				 stages[i].is_other ? "the same" : "another");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_mapped_is_part_of_the_key),
	};

	return cmocka_run_group_tests_name("mapping_keys", tests, fixture_setup, fixture_teardown);
}
