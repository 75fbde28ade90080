// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of code in anonymous memory: from which file, whether it is believed, and as of when. */
#include "tests/lib/named_files.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/files/stall_guard.h"
#include "profiler/naming/kept_maps.h"
#include "profiler/naming/name_jit.h"
#include "profiler/naming/perf_map.h"
#include "profiler/window/aggregate.h"
#include "tests/lib/jitdump_write.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define CODE   0x7000
#define SECOND 1000000000ull

static struct named_files nf;
static struct naming *naming;
static struct kept_maps *kept;
static char map_path[64]; /* the perf map of this process */

static int begin(void **state)
{
	struct naming_opts opts;

	(void)state;
	named_open(&nf, NULL, false);
	opts = named_opts(&nf);
	assert_int_equal(kept_maps_new(&kept), 0);
	opts.kept_maps = kept;
	snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", getpid());
	return naming_new(&naming, &opts);
}

static int end(void **state)
{
	(void)state;
	unlink(map_path);
	naming_free(naming);
	kept_maps_free(kept);
	named_close(&nf);
	return 0;
}

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static struct agg_image image_of(pid_t tgid)
{
	return (struct agg_image){.image_id = 1,
				  .tgid = tgid,
				  .uid = getuid(),
				  .exe = FILE_NONE,
				  .jitdump = FILE_NONE};
}

struct said {
	char text[8][64];
	unsigned calls;
	int err;
};

static int on_name(void *ctx, size_t index, const struct sym_frame *f)
{
	struct said *s = ctx;
	char *text = s->text[index];

	s->calls++;
	assert_string_equal(text, ""); /* once each */
	if (f && f->file)
		snprintf(text, sizeof(s->text[0]), "%s %s:%u", f->name, f->file, f->line);
	else
		snprintf(text, sizeof(s->text[0]), "%s", f ? f->name : "-");
	return s->err;
}

/* Asks for places one page from each other, all at that time. */
static struct said ask(const struct agg_image *image, size_t n, uint64_t t_ns)
{
	struct jit_place places[8];
	struct said s = {.calls = 0};

	for (size_t i = 0; i < n; i++)
		places[i] = (struct jit_place){CODE + i * 0x1000 + 4, t_ns, 0};
	assert_int_equal(jit_names(naming, image, places, n, on_name, &s), 0);
	assert_int_equal(s.calls, n);
	return s;
}

static void write_bytes(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
	buf_release(b);
}

TEST(test_a_perf_map)
{
	struct agg_image image = image_of(getpid());
	struct said s = ask(&image, 3, 0);

	for (int i = 0; i < 3; i++)
		assert_string_equal(s.text[i], "-"); /* there is none */
	fixture_write(map_path, "7000 10 first\n9000 10 third\n");
	s = ask(&image, 3, 0);
	assert_string_equal(s.text[0], "first");
	assert_string_equal(s.text[1], "-");
	assert_string_equal(s.text[2], "third");
}

/* Code was replaced: a place goes by what the map had when the place ran, whatever the clock says. */
TEST(test_a_perf_map_goes_by_its_size)
{
	const char *first = "7000 10 first\n";
	struct agg_image image = image_of(getpid());
	struct jit_place places[2] = {{CODE + 4, clock_of(CLOCK_BOOTTIME), strlen(first)},
				      {CODE + 4, clock_of(CLOCK_BOOTTIME), 2 * strlen(first) + 1}};
	struct said s = {.calls = 0};

	fixture_write(map_path, "7000 10 first\n7000 10 second\n");
	assert_int_equal(jit_names(naming, &image, places, 2, on_name, &s), 0);
	assert_string_equal(s.text[0], "first");
	assert_string_equal(s.text[1], "second");
}

/* An earlier program of the same number has left it. */
TEST(test_a_perf_map_that_is_left)
{
	struct agg_image image = image_of(getpid());
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};

	fixture_write(map_path, "7000 10 first\n");
	image.begin_ns = clock_of(CLOCK_BOOTTIME);
	assert_string_equal(ask(&image, 1, 0).text[0], "first");
	times[1].tv_sec = time(NULL) - 10;
	assert_int_equal(utimensat(AT_FDCWD, map_path, times, 0), 0);
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	image.begin_ns -= 20 * SECOND;
	assert_string_equal(ask(&image, 1, 0).text[0], "first");
	image.begin_ns = 0; /* nobody saw it begin */
	assert_string_equal(ask(&image, 1, 0).text[0], "first");
}

/* It has ended, and had no root of its own. */
TEST(test_the_perf_map_of_a_pid_namespace)
{
	struct agg_image image = image_of(INT_MAX);

	fixture_write(map_path, "7000 10 inside\n");
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	image.ns_tgid = getpid();
	assert_string_equal(ask(&image, 1, 0).text[0], "inside");
}

TEST(test_an_error_of_the_caller_ends_it)
{
	struct agg_image image = image_of(getpid());
	struct jit_place places[3] = {{CODE + 4, 0}, {CODE + 5, 0}, {CODE + 6, 0}};
	struct said s = {.err = -ENOMEM};

	fixture_write(map_path, "7000 10 first\n");
	assert_int_equal(jit_names(naming, &image, places, 3, on_name, &s), -ENOMEM);
	assert_int_equal(s.calls, 1);
	unlink(map_path);
	memset(&s, 0, sizeof(s));
	s.err = -ENOMEM;
	assert_int_equal(jit_names(naming, &image, places, 3, on_name, &s), -ENOMEM);
	assert_int_equal(s.calls, 1);
}

/* Only that of its owner, or root's. */
TEST(test_a_perf_map_of_somebody_else)
{
	struct agg_image image = image_of(getpid());

	if (geteuid()) {
		print_message("[ REASON   ] only root can give files away\n");
		skip();
	}
	fixture_write(map_path, "7000 10 planted\n");
	assert_int_equal(chown(map_path, 12345, 12345), 0);
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	image.uid = 12345;
	assert_string_equal(ask(&image, 1, 0).text[0], "planted");
	image.uid = UINT32_MAX; /* not known: whoever looks, then */
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	assert_int_equal(chown(map_path, 0, 0), 0);
	image.uid = 12345;
	assert_string_equal(ask(&image, 1, 0).text[0], "planted");
}

/* A child with a root of its own, which is ours but for its /tmp. */
static pid_t fork_with_root(const char *root)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chroot(root))
			_exit(1);
		for (;;)
			pause();
	}
	return pid;
}

static void await_root(pid_t pid)
{
	char path[64], link[256];
	ssize_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	for (int i = 0; i < 1000 && n < 2; i++) {
		n = readlink(path, link, sizeof(link));
		usleep(1000);
	}
	assert_true(n >= 2);
}

/* By its number in its own namespace, in its own root, and in that of its program when it is gone. */
TEST(test_the_perf_map_of_a_container)
{
	struct agg_image image;
	struct file_key key = {.path = "/prog"};
	struct stat st;
	pid_t pid;

	if (geteuid()) {
		print_message("[ REASON   ] only root has a root of its own\n");
		skip();
	}
	fixture_run(
		"mkdir -p root/tmp && cp prog root/ && echo 7000 10 inside >root/tmp/perf-7.map");
	pid = fork_with_root("root");
	await_root(pid);
	image = image_of(pid);
	assert_string_equal(ask(&image, 1, 0).text[0], "-"); /* nothing by this number */
	image.ns_tgid = 7;
	assert_string_equal(ask(&image, 1, 0).text[0], "inside");
	assert_int_equal(stat("root/prog", &st), 0);
	key.major = major(st.st_dev);
	key.minor = minor(st.st_dev);
	key.inode = st.st_ino;
	image.exe = files_intern(nf.files, &key, pid, 0, 0, 0);
	assert_true(files_settle(nf.files, 10000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_string_equal(ask(&image, 1, 0).text[0], "inside");
	image.exe = FILE_NONE;
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
}

static uint32_t write_dump(const char *path, const char *first, const char *second, uint64_t at_ns)
{
	struct jit_line lines[] = {{0, 42, "/src/a.js"}};
	struct buf b = {0};

	jit_header(&b, 0);
	jit_load(&b, at_ns, CODE, 16, 0, first);
	jit_lines(&b, at_ns + 10 * SECOND, CODE, 0, lines, 1);
	jit_load(&b, at_ns + 10 * SECOND, CODE, 16, 1, second);
	write_bytes(path, &b);
	return named_file(&nf, path);
}

/* What was there at the time of the sample, which is told by another clock. */
TEST(test_a_jitdump_goes_by_time)
{
	uint64_t mono_ns = clock_of(CLOCK_MONOTONIC), boot_ns = clock_of(CLOCK_BOOTTIME);
	struct agg_image image = image_of(getpid());

	image.jitdump = write_dump("jit-1.dump", "first", "second", mono_ns);
	fixture_write(map_path, "7000 10 mapped\n8000 10 mapped_too\n");
	assert_string_equal(ask(&image, 1, boot_ns + 5 * SECOND).text[0], "first");
	assert_string_equal(ask(&image, 1, boot_ns + 15 * SECOND).text[0], "second /src/a.js:42");
	assert_string_equal(ask(&image, 1, 0).text[0], "second /src/a.js:42"); /* the last */
	/* where the program runs, it is five seconds later: another time namespace */
	image.monotonic_ns = 5 * SECOND;
	assert_string_equal(ask(&image, 1, boot_ns + 4 * SECOND).text[0], "first");
	assert_string_equal(ask(&image, 1, boot_ns + 6 * SECOND).text[0], "second /src/a.js:42");
	image.monotonic_ns = -15 * (int64_t)SECOND;
	assert_string_equal(ask(&image, 1, boot_ns + 20 * SECOND).text[0], "first");
	image.monotonic_ns = 0;
	/* what the dump does not know the map may */
	assert_string_equal(ask(&image, 2, boot_ns + 5 * SECOND).text[1], "mapped_too");
	assert_string_equal(ask(&image, 3, boot_ns + 5 * SECOND).text[2], "-");
}

static struct said what_is_said;

/* In a child of its own whose time since the boot is ahead: as after the machine slept for a week. */
static int ask_after_sleep(const struct agg_image *image, uint64_t later_ns)
{
	const char *offset = "boottime 604800 0\n";
	int status = 0, fd;
	pid_t pid;

	if (unshare(CLONE_NEWTIME))
		return 77;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, offset, strlen(offset)) < 0)
		return 77;
	pid = fork(); /* it is the children that live there */
	if (!pid) {
		struct jit_place place = {CODE + 4, clock_of(CLOCK_BOOTTIME) + later_ns};

		if (jit_names(naming, image, &place, 1, on_name, &what_is_said))
			_exit(1);
		_exit(strcmp(what_is_said.text[0], "first") ? 2 : 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

/* The compiler's clock stands still meanwhile, that of samples does not. */
TEST(test_a_jitdump_and_a_machine_that_slept)
{
	struct agg_image image = image_of(getpid());
	int status;
	pid_t pid;

	image.jitdump = write_dump("jit-3.dump", "first", "second", clock_of(CLOCK_MONOTONIC));
	pid = fork();
	if (!pid)
		_exit(ask_after_sleep(&image, 5 * SECOND));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77) {
		print_message("[ REASON   ] no clocks of one's own here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

TEST(test_a_jitdump_of_somebody_else)
{
	struct agg_image image = image_of(getpid());

	if (geteuid()) {
		print_message("[ REASON   ] only root can give files away\n");
		skip();
	}
	image.jitdump = write_dump("jit-2.dump", "planted", "planted", 1);
	assert_int_equal(chown("jit-2.dump", 12345, 12345), 0);
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	image.uid = 12345;
	assert_string_equal(ask(&image, 1, 0).text[0], "planted /src/a.js:42");
}

/* Whoever starts as root may write it before it becomes somebody else: who then must be able to read it. */
TEST(test_a_jitdump_of_root)
{
	struct agg_image image = image_of(getpid());

	if (geteuid()) {
		print_message("[ REASON   ] only root has files of root's\n");
		skip();
	}
	image.jitdump = write_dump("jit-4.dump", "roots", "roots", 1);
	image.uid = 12345;
	assert_int_equal(chmod("jit-4.dump", 0644), 0);
	assert_string_equal(ask(&image, 1, 0).text[0], "roots /src/a.js:42");
	assert_int_equal(chmod("jit-4.dump", 0640), 0);
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	image.uid = 0;
	assert_string_equal(ask(&image, 1, 0).text[0], "roots /src/a.js:42");
}

/* One that cannot be opened hinders nobody. */
TEST(test_a_jitdump_that_is_gone)
{
	struct agg_image image = image_of(getpid());
	struct file_key key = {.path = "/nowhere.dump", .inode = 1};

	fixture_write(map_path, "7000 10 mapped\n");
	image.jitdump = files_intern(nf.files, &key, getpid(), 0, 0, 0);
	assert_true(files_settle(nf.files, 10000));
	assert_string_equal(ask(&image, 1, 0).text[0], "mapped");
}

/* ... and whether there is anything to name it by: else it may be worth while to wait. */
TEST(test_whether_anything_names_it)
{
	struct agg_image image = image_of(getpid());

	assert_int_equal(naming_jit_error(naming, &image), -ENOENT);
	assert_false(naming_knows_jit(naming, &image));
	fixture_write(map_path, ""); /* so far all is in a buffer */
	assert_int_equal(naming_jit_error(naming, &image), 0);
	assert_false(naming_knows_jit(naming, &image));
	fixture_write(map_path, "7000 10 f\n");
	assert_true(naming_knows_jit(naming, &image));
	assert_int_equal(unlink(map_path), 0);
	assert_false(naming_knows_jit(naming, &image));
	image.jitdump = 5;
	assert_true(naming_knows_jit(naming, &image));
}

/* ... and of one that is there, why it names nothing. */
TEST(test_what_is_wrong_with_a_map)
{
	struct agg_image image = image_of(getpid());

	assert_int_equal(mkfifo(map_path, 0600), 0);
	assert_int_equal(naming_jit_error(naming, &image), -EINVAL);
	assert_int_equal(unlink(map_path), 0);
	assert_int_equal(symlink("/dev/zero", map_path), 0);
	assert_int_equal(naming_jit_error(naming, &image), -EINVAL);
	assert_int_equal(unlink(map_path), 0);
	fixture_write(map_path, "7000 10 f\n");
	fixture_run("touch -d '1990-01-01' %s", map_path);
	assert_int_equal(naming_jit_error(naming, &image), -EEXIST);
	fixture_run("touch %s", map_path);
	image.uid = getuid() + 1;
	assert_int_equal(chmod(map_path, 0600), 0);
	assert_int_equal(naming_jit_error(naming, &image), -EPERM);
	assert_int_equal(unlink(map_path), 0);
	assert_int_equal(naming_jit_error(naming, &image), -ENOENT);
}

static void keep(const struct agg_image *image)
{
	struct stall_guard guard = {0};
	struct perf_map map = perf_map_open(nf.files, &guard, image);

	assert_true(perf_map_is_open(&map));
	kept_maps_put(kept, image->image_id, &map);
	stall_guard_release(&guard);
}

/* ... or that it is larger than is read. */
TEST(test_a_map_that_is_too_large)
{
	struct agg_image image = image_of(getpid());

	fixture_write(map_path, "7000 10 first\n");
	fixture_run("truncate -s 257M %s", map_path);
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
	assert_int_equal(naming_jit_error(naming, &image), -EFBIG);
	image.image_id++;
	assert_int_equal(naming_jit_error(naming, &image), 0);
}

/* Its program removes it at its end, or its /tmp goes with it. */
TEST(test_a_perf_map_that_is_removed)
{
	struct agg_image image = image_of(getpid()), other = image;

	other.image_id = 2;
	fixture_write(map_path, "7000 10 first\n");
	keep(&image);
	fixture_write(map_path, "7000 10 first\n8000 10 second\n");
	assert_int_equal(unlink(map_path), 0);
	assert_string_equal(ask(&image, 2, 0).text[0], "first");
	assert_string_equal(ask(&image, 2, 0).text[1], "second");
	assert_true(naming_knows_jit(naming, &image));
	assert_int_equal(naming_jit_error(naming, &image), 0);
	assert_string_equal(ask(&other, 1, 0).text[0], "-");
	assert_int_equal(naming_jit_error(naming, &other), -ENOENT);
}

/* Another program of its number writes one, or it writes a new one itself. */
TEST(test_a_perf_map_in_place_of_the_one_that_is_kept)
{
	struct agg_image image = image_of(getpid());
	struct said s;

	fixture_write(map_path, "7000 10 first\n");
	keep(&image);
	assert_int_equal(unlink(map_path), 0);
	fixture_write(map_path, "7000 10 another\n8000 10 more\n");
	s = ask(&image, 2, 0);
	assert_string_equal(s.text[0], "first");
	assert_string_equal(s.text[1], "more");
}

static pid_t end_of_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* Code that was made before a fork is in the map of who made it, unless the child has made other code there. */
TEST(test_the_perf_map_of_a_forebear)
{
	struct agg_image image = image_of(getpid());
	struct jit_place place = {CODE + 4, 0, 4}; /* the size of its own map, when it had one */
	struct said s = {.calls = 0};
	pid_t child = end_of_child();
	char child_map[64];

	image.image_id = 2;
	image.tgid = child;
	image.begin_ns = clock_of(CLOCK_BOOTTIME);
	image.forebears[0] = (struct proc_forebear){.image = 3, .tgid = child, .uid = UINT32_MAX};
	image.forebears[1] = (struct proc_forebear){.image = 1, .tgid = getpid(), .uid = getuid()};
	assert_int_equal(naming_jit_error(naming, &image), -ENOENT);
	assert_false(naming_knows_jit(naming, &image));
	fixture_write(map_path, "7000 10 before\n7000 10 first\n8000 10 second\n");
	assert_int_equal(naming_jit_error(naming, &image), 0);
	assert_true(naming_knows_jit(naming, &image));
	assert_int_equal(jit_names(naming, &image, &place, 1, on_name, &s), 0);
	assert_string_equal(s.text[0], "first");
	snprintf(child_map, sizeof(child_map), "/tmp/perf-%d.map", child);
	fixture_write(child_map, "7000 10 own\n");
	s = ask(&image, 3, 0);
	assert_string_equal(s.text[0], "own");
	assert_string_equal(s.text[1], "second");
	assert_string_equal(s.text[2], "-");
	assert_int_equal(unlink(child_map), 0);
	image.forebears[1].begin_ns = clock_of(CLOCK_BOOTTIME);
	fixture_run("touch -d '1990-01-01' %s",
		    map_path); /* left by an earlier program of its number */
	assert_string_equal(ask(&image, 1, 0).text[0], "-");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_a_perf_map),
		T(test_a_perf_map_goes_by_its_size),
		T(test_a_perf_map_that_is_left),
		T(test_the_perf_map_of_a_pid_namespace),
		T(test_an_error_of_the_caller_ends_it),
		T(test_a_perf_map_of_somebody_else),
		T(test_the_perf_map_of_a_container),
		T(test_a_jitdump_goes_by_time),
		T(test_a_jitdump_and_a_machine_that_slept),
		T(test_a_jitdump_of_somebody_else),
		T(test_a_jitdump_of_root),
		T(test_a_jitdump_that_is_gone),
		T(test_whether_anything_names_it),
		T(test_what_is_wrong_with_a_map),
		T(test_a_map_that_is_too_large),
		T(test_a_perf_map_that_is_removed),
		T(test_a_perf_map_in_place_of_the_one_that_is_kept),
		T(test_the_perf_map_of_a_forebear),
	};

	return cmocka_run_group_tests_name("name_jit", tests, named_files_setup, fixture_teardown);
}
