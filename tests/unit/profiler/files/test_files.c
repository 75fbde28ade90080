// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of files, on small ELF files whose build ids the linker was told. Needs cc. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <linux/fs.h>
#include <cmocka.h>

#include "profiler/files/files.h"
#include "profiler/files/opener.h"
#include "profiler/procs/procs.h"
#include "tests/lib/fixture.h"

#define N_ELF 5

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_write("x.c", "int x(void) { return 0; }\n");
	fixture_run("cc -c -o x.o x.c");
	for (int i = 0; i < N_ELF; i++)
		fixture_run("cc -shared -nostdlib -Wl,--build-id=0x%02x%02x%02x%02x -o elf%d x.o",
			    i, i, i, i, i);
	fixture_run("cc -shared -nostdlib -Wl,--build-id=none -o plain x.o");
	return 0;
}

static struct file_key id_key(const char *path, uint8_t byte)
{
	struct file_key key = {.path = path, .build_id = {.len = 4}};

	memset(key.build_id.data, byte, 4);
	return key;
}

static struct file_key inode_key(const char *path)
{
	struct file_key key = {.path = path};
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	key.major = major(st.st_dev);
	key.minor = minor(st.st_dev);
	key.inode = st.st_ino;
	return key;
}

/* An absolute path, as mappings have them. */
static const char *full(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return p;
}

static struct files *new_table(uint32_t max_open, uint32_t max_files)
{
	struct files_opts opts = {.max_open = max_open, .max_files = max_files};
	struct files *f;

	assert_int_equal(files_new(&f, &opts), 0);
	return f;
}

static uint32_t intern(struct files *f, struct file_key key)
{
	uint32_t id = files_intern(f, &key, getpid(), 0, 0, 0);

	assert_true(files_settle(f, 10000));
	return id;
}

static struct file_view view(struct files *f, uint32_t id)
{
	struct file_view v;

	files_get(f, id, &v);
	files_release_fd(f, id);
	return v;
}

static struct files_stats stats_of(struct files *f)
{
	struct files_stats s;

	files_stats(f, &s);
	return s;
}

static bool is_below(void *ctx, uint32_t id)
{
	return id < *(const uint32_t *)ctx;
}

static void test_identity(void **state)
{
	struct files *f = new_table(0, 0);
	struct file_key key;
	uint32_t a, b;

	(void)state;
	a = intern(f, id_key(full("elf1"), 1));
	/* the same build id under another name is the same file; the name is no identity */
	assert_int_equal(intern(f, id_key(full("elf2"), 1)), a);
	b = intern(f, id_key(full("elf1"), 2));
	assert_int_not_equal(a, b);
	assert_string_equal(view(f, a).path, full("elf1"));
	assert_int_equal(view(f, a).err, 0);
	assert_int_equal(view(f, b).err, -ESTALE); /* elf1 is not the file with id 2 */
	assert_true(view(f, b).deleted);
	assert_int_equal(view(f, b).build_id.data[0], 2);
	/* a prefix of an id is another id */
	key = id_key(full("elf1"), 1);
	key.build_id.len = 3;
	assert_int_not_equal(intern(f, key), a);
	/* by inode, each part of it counts */
	key = inode_key(full("plain"));
	a = intern(f, key);
	assert_int_equal(view(f, a).err, 0);
	assert_int_equal(view(f, a).build_id.len, 0);
	key.minor++;
	b = intern(f, key);
	assert_int_not_equal(b, a);
	assert_int_equal(view(f, b).err, -ESTALE);
	key.minor--;
	key.inode++;
	b = intern(f, key);
	assert_int_not_equal(b, a);
	assert_int_equal(view(f, b).err, -ESTALE);
	/* found by inode, a file tells its build id */
	a = intern(f, inode_key(full("elf3")));
	assert_int_equal(view(f, a).build_id.len, 4);
	assert_int_equal(view(f, a).build_id.data[3], 3);
	/* no identity at all */
	assert_true(intern(f, (struct file_key){.path = full("elf1")}) == FILE_NONE);
	assert_int_equal(stats_of(f).table_full, 0);
	files_free(f);
}

/* Where it is not known it is the same file; where it is, each generation is one of its own. */
static void test_generations(void **state)
{
	struct files_opts opts = {.keep_ns = 1};
	struct file_key key = {.path = "/nowhere", .major = 1, .minor = 2, .inode = 77};
	struct files *f;
	uint32_t id[3], none = 0;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	id[0] = intern(f, key);
	key.generation = 5;
	assert_int_equal(intern(f, key), id[0]);
	for (int i = 1; i < 3; i++) {
		key.generation = 5 + (uint64_t)i;
		id[i] = intern(f, key);
		assert_int_not_equal(id[i], id[i - 1]);
		key.generation = 0; /* the newest, also after another was seen again */
		assert_int_equal(intern(f, key), id[i]);
		key.generation = 5;
		assert_int_equal(intern(f, key), id[0]);
		key.generation = 0;
		assert_int_equal(intern(f, key), id[i]);
	}
	for (int i = 0; i < 3; i++) {
		key.generation = 5 + (uint64_t)i;
		assert_int_equal(intern(f, key), id[i]);
	}
	assert_int_equal(stats_of(f).files, 3);
	/* known at first, not known afterwards */
	key.inode++;
	id[0] = intern(f, key);
	key.generation = 0;
	assert_int_equal(intern(f, key), id[0]);
	/* having learned one it can still be forgotten */
	files_sweep(f, is_below, &none);
	assert_int_equal(stats_of(f).files, 0);
	assert_int_not_equal(intern(f, key), id[0]);
	files_free(f);
}

static uint64_t generation_of(const char *path)
{
	long generation = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_GETVERSION, &generation))
		generation = 0;
	close(fd);
	return (unsigned int)generation;
}

/* Once it is open a file tells which one of its inode number it is. */
static void test_generation_of_the_open_file(void **state)
{
	struct files *f;
	struct file_key key = inode_key(full("plain"));
	uint64_t generation = generation_of("plain");
	struct open_request req;
	struct open_result r;
	uint32_t a, b;

	(void)state;
	if (!generation) {
		print_message("[ REASON   ] this file system tells no generations\n");
		skip();
	}
	f = new_table(0, 0);
	a = intern(f, key);
	assert_int_equal(view(f, a).err, 0);
	key.generation = generation + 1; /* what came after it */
	b = intern(f, key);
	assert_int_not_equal(b, a);
	assert_int_equal(view(f, b).err, -ESTALE);
	assert_true(view(f, b).deleted);
	key.generation = generation;
	assert_int_equal(intern(f, key), a);
	files_free(f);
	/* opened for a key that has it */
	f = new_table(0, 0);
	a = intern(f, key);
	assert_int_equal(view(f, a).err, 0);
	files_free(f);
	/* already where it is looked for, which then goes on elsewhere */
	req = (struct open_request){full("plain"), {.len = 0},	   key.major,	 key.minor,
				    key.inode,	   generation + 1, .root_fd = -1};
	open_mapped_file(&req, &r);
	assert_int_equal(r.err, -ESTALE);
	req.generation = generation;
	open_mapped_file(&req, &r);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.generation, generation);
	close(r.fd);
}

static void test_descriptor_is_of_the_file(void **state)
{
	struct files *f = new_table(0, 0);
	struct file_view v;
	struct stat st, want;
	uint32_t id;

	(void)state;
	id = intern(f, id_key(full("elf4"), 4));
	files_get(f, id, &v);
	assert_int_equal(fstat(v.fd, &st), 0);
	assert_int_equal(stat("elf4", &want), 0);
	assert_true(st.st_ino == want.st_ino && st.st_dev == want.st_dev);
	assert_int_equal(v.root_fd, -1); /* our own root */
	assert_int_equal(fcntl(v.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_true(fcntl(v.fd, F_GETFD) & FD_CLOEXEC);
	files_release_fd(f, id);
	files_get(f, 12345, &v);
	assert_int_equal(v.err, -ENOENT);
	assert_string_equal(v.path, "");
	files_release_fd(f, 12345);
	files_free(f);
}

static void test_names(void **state)
{
	struct files *f = new_table(0, 0);
	struct file_view v;
	uint32_t id;

	(void)state;
	fixture_run("cp elf2 \"$(printf 'a\\033b\\nc')\"");
	/* what d_path() appended is not part of the name */
	id = intern(f, id_key("/nowhere/x (deleted)", 9));
	v = view(f, id);
	assert_string_equal(v.path, "/nowhere/x");
	assert_true(v.deleted);
	assert_int_equal(v.err, -ENOENT);
	id = intern(f, id_key(full("a\033b\nc"), 2));
	v = view(f, id);
	assert_int_equal(v.err, 0); /* opened by its true name */
	assert_non_null(strstr(v.path, "/a\xef\xbf\xbd"
				       "b\xef\xbf\xbd"
				       "c"));
	assert_false(v.deleted);
	files_free(f);
}

static void test_what_is_not_regular(void **state)
{
	struct files *f = new_table(0, 0);

	(void)state;
	fixture_run("mkfifo fifo; mkdir -p dir; echo text > text");
	assert_int_equal(view(f, intern(f, inode_key(full("fifo")))).err, -EINVAL);
	assert_int_equal(view(f, intern(f, inode_key(full("dir")))).err, -EINVAL);
	assert_int_equal(view(f, intern(f, inode_key("/dev/null"))).err, -EINVAL);
	/* not an ELF file: opened all the same if it is that inode, but it has no build id */
	assert_int_equal(view(f, intern(f, inode_key(full("text")))).err, 0);
	assert_int_equal(view(f, intern(f, id_key(full("text"), 1))).err, -ESTALE);
	files_free(f);
}

static void test_table_full(void **state)
{
	struct files *f = new_table(0, 2);
	uint32_t a = intern(f, id_key(full("elf0"), 0)), b = intern(f, id_key(full("elf1"), 1));

	(void)state;
	assert_true(intern(f, id_key(full("elf2"), 2)) == FILE_NONE);
	assert_true(intern(f, id_key(full("elf3"), 3)) == FILE_NONE);
	assert_int_equal(intern(f, id_key(full("elf0"), 0)), a);
	assert_int_equal(intern(f, id_key(full("elf1"), 1)), b);
	assert_int_equal(stats_of(f).table_full, 2);
	assert_int_equal(stats_of(f).files, 2);
	files_free(f);
}

/* Long paths fill their room before there are many files; what is forgotten gives it back. */
static void test_paths_full(void **state)
{
	struct files_opts opts = {.max_path_bytes = 100000, .keep_ns = 1};
	struct files *f;
	char path[2001] = "/";
	uint32_t none = 0, ids[100], n = 0;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	memset(path + 1, 'x', sizeof(path) - 2);
	for (uint8_t i = 0; i < 100; i++) {
		ids[i] = intern(f, id_key(path, i));
		n += ids[i] != FILE_NONE;
	}
	assert_in_range(n, 40, 50);
	assert_int_equal(stats_of(f).files, n);
	assert_int_equal(stats_of(f).table_full, 100 - n);
	assert_in_range(stats_of(f).path_bytes, n * sizeof(path), opts.max_path_bytes);
	assert_int_equal(intern(f, id_key(path, 0)), ids[0]); /* known ones stay so */
	assert_true(files_crowded(f));
	files_sweep(f, is_below, &none);
	assert_int_equal(stats_of(f).path_bytes, 0);
	assert_int_equal(view(f, intern(f, id_key(full("elf1"), 1))).err, 0);
	files_free(f);
}

/* More are seen at once than can wait to be opened: they are opened when they are seen again. */
static void test_queue_full(void **state)
{
	enum { N = 5000 };
	struct files_opts opts = {.max_queue = 2};
	struct file_key key = {.path = full("elf1"), .build_id = {.len = 4}};
	struct files *f;
	uint64_t dropped;
	int n_waiting = N;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	for (uint32_t i = 0; i < N; i++) {
		memcpy(key.build_id.data, &i, sizeof(i));
		files_intern(f, &key, getpid(), 0, 0, 0);
	}
	dropped = stats_of(f).queue_dropped;
	assert_in_range(dropped, 1, N - 1);
	for (int turn = 0; turn < N && n_waiting; turn++) {
		n_waiting = 0;
		for (uint32_t i = 0; i < N; i++) {
			memcpy(key.build_id.data, &i, sizeof(i));
			n_waiting += view(f, intern(f, key)).err == -EAGAIN;
		}
	}
	assert_int_equal(n_waiting, 0);
	assert_int_equal(stats_of(f).files, N);
	files_free(f);
}

static void test_least_recently_used_is_closed(void **state)
{
	struct files *f = new_table(2, 0);
	struct file_view v[N_ELF], w;
	uint32_t id[N_ELF];

	(void)state;
	for (int i = 0; i < N_ELF; i++) {
		id[i] = intern(
			f, id_key(full((char[]){'e', 'l', 'f', (char)('0' + i), 0}), (uint8_t)i));
		assert_true(stats_of(f).open <= 2);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < N_ELF; i++) {
			assert_int_equal(view(f, id[i]).err, 0);
			assert_int_equal(stats_of(f).open, 2);
		}
	/* what is borrowed stays open, also past the limit */
	for (int i = 0; i < N_ELF; i++) {
		files_get(f, id[i], &v[i]);
		assert_true(v[i].fd >= 0);
	}
	for (int i = 0; i < N_ELF; i++) {
		assert_true(fcntl(v[i].fd, F_GETFD) >= 0);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(v[i].fd, v[k].fd);
	}
	files_get(f, id[0], &w); /* twice */
	for (int i = 0; i < N_ELF; i++)
		files_release_fd(f, id[i]);
	intern(f, inode_key(full("plain"))); /* makes room, but not of what is still borrowed */
	assert_true(fcntl(w.fd, F_GETFD) >= 0);
	files_release_fd(f, id[0]);
	files_free(f);
}

static void test_reopening_checks_again(void **state)
{
	struct files *f = new_table(1, 0);
	uint32_t a, b;

	(void)state;
	fixture_run("cp elf1 one");
	a = intern(f, id_key(full("one"), 1));
	assert_int_equal(view(f, a).err, 0);
	b = intern(f, id_key(full("elf2"), 2));
	assert_int_equal(view(f, b).err, 0); /* one is closed */
	fixture_run("cp elf3 one.new && mv one.new one");
	assert_int_equal(view(f, a).err, -ESTALE);
	assert_int_equal(view(f, a).fd, -1);
	assert_true(view(f, a).deleted);
	assert_int_equal(stats_of(f).open_failed, 1);
	/* and it is tried again through another process that has it */
	fixture_run("mv elf1 two");
	assert_int_equal(
		files_intern(f,
			     &(struct file_key){.path = full("two"), .build_id = {{1, 1, 1, 1}, 4}},
			     1, 0, 0, 0),
		a);
	assert_true(files_settle(f, 10000));
	assert_int_equal(view(f, a).err, 0);
	assert_string_equal(view(f, a).path, full("one")); /* keeps the name it was given out by */
	assert_int_equal(stats_of(f).open_failed, 0);
	/* by its new name also after it has been closed once more */
	assert_int_equal(view(f, b).err, 0);
	assert_int_equal(view(f, a).err, 0);
	fixture_run("mv two elf1");
	files_free(f);
}

/* A file that comes and goes is looked for whenever somebody maps it. */
static void test_success_forgives_failures(void **state)
{
	struct files *f = new_table(1, 0);
	struct file_key key = id_key(full("comes"), 1);
	uint32_t id = FILE_NONE, other = intern(f, id_key(full("elf2"), 2));

	(void)state;
	for (pid_t tgid = 200000000; tgid < 200000040; tgid += 2) {
		fixture_run("rm -f comes");
		id = files_intern(f, &key, tgid, 0, 0, 0);
		assert_true(files_settle(f, 10000));
		assert_int_equal(view(f, id).err, -ENOENT);
		fixture_run("cp elf1 comes");
		assert_int_equal(files_intern(f, &key, tgid + 1, 0, 0, 0), id);
		assert_true(files_settle(f, 10000));
		assert_int_equal(view(f, id).err, 0);
		fixture_run("rm comes");
		assert_int_equal(view(f, other).err, 0); /* closes it */
		assert_int_equal(view(f, id).err, -ENOENT);
	}
	files_free(f);
}

/* A file that is never there is not looked for with every process that maps it. */
static void test_attempts_are_limited(void **state)
{
	struct files *f = new_table(0, 0);
	struct file_key key = id_key("/nowhere/at/all", 77);
	uint32_t id = intern(f, key);

	(void)state;
	for (pid_t tgid = 100000000; tgid < 100000020; tgid++) {
		assert_int_equal(files_intern(f, &key, tgid, 0, 0, 0), id);
		assert_true(files_settle(f, 10000));
	}
	key.path = full("elf0"); /* so it is not noticed either when it could be had */
	memset(key.build_id.data, 77, 4);
	fixture_run("cc -shared -nostdlib -Wl,--build-id=0x4d4d4d4d -o late x.o");
	key.path = full("late");
	assert_int_equal(files_intern(f, &key, getpid(), 0, 0, 0), id);
	assert_true(files_settle(f, 10000));
	assert_int_equal(view(f, id).err, -ENOENT);
	files_free(f);
}

/* Idle descriptors go by themselves, and come back when they are wanted. */
static void test_idle_descriptors_are_closed(void **state)
{
	struct files_opts opts = {.idle_ns = 1000000};
	struct files *f;
	struct file_view v;
	uint32_t id;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	id = intern(f, id_key(full("elf1"), 1));
	while (stats_of(f).open)
		usleep(1000);
	files_get(f, id, &v);
	assert_int_equal(v.err, 0);
	usleep(20000);
	assert_int_equal(stats_of(f).open, 1); /* not while it is borrowed */
	files_release_fd(f, id);
	while (stats_of(f).open)
		usleep(1000);
	files_free(f);
}

/* What nobody maps makes room; an old id is never taken for the file that came after it. */
static void test_sweep(void **state)
{
	struct files_opts opts = {.max_files = 4, .keep_ns = 1};
	struct files *f;
	uint32_t id[4], two = 2, fresh[3];
	struct file_view v;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	for (int i = 0; i < 2; i++)
		id[i] = intern(f, id_key("/nowhere", (uint8_t)(100 + i)));
	assert_false(files_crowded(f));
	id[2] = intern(f, id_key(full("elf2"), 2));
	assert_true(files_crowded(f));
	id[3] = intern(f, id_key(full("elf3"), 3));
	files_get(f, id[3], &v);
	assert_int_equal(v.err, 0);
	files_sweep(f, is_below, &two);
	assert_false(files_crowded(f));		/* has just been swept */
	assert_int_equal(stats_of(f).files, 3); /* two mapped, one borrowed */
	assert_int_equal(stats_of(f).open, 1);
	assert_int_equal(view(f, id[2]).err, -ENOENT);
	assert_string_equal(view(f, id[2]).path, "");
	assert_true(fcntl(v.fd, F_GETFD) >= 0);
	files_release_fd(f, id[3]);
	files_sweep(f, is_below, &two);
	assert_int_equal(stats_of(f).files, 2);
	assert_int_equal(stats_of(f).open_failed, 2);
	for (int i = 0; i < 2; i++) {
		fresh[i] = intern(f, id_key(full("elf3"), (uint8_t)(3 - i)));
		assert_int_not_equal(fresh[i], id[2]);
		assert_int_not_equal(fresh[i], id[3]);
	}
	assert_true(intern(f, id_key("/more", 110)) == FILE_NONE); /* full again */
	assert_int_equal(view(f, fresh[0]).err, 0);
	assert_int_equal(view(f, id[3]).err, -ENOENT);
	two = 0;
	files_sweep(f, is_below, &two);
	assert_int_equal(stats_of(f).files, 0);
	assert_int_equal(stats_of(f).open, 0);
	assert_int_equal(stats_of(f).open_failed, 0);
	files_free(f);
}

/* A slot has many lives, and an id comes back after all of them only. */
static void test_lives(void **state)
{
	enum { LIVES = 32768 };
	struct files_opts opts = {.max_files = 2, .keep_ns = 1};
	uint32_t none = 0, first[2], id;
	struct files *f;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	assert_int_equal(files_sweeps(f), 0);
	for (int i = 0; i < 2; i++)
		first[i] = intern(f, id_key(full("elf1"), (uint8_t)i));
	files_sweep(f, is_below, &none);
	for (int i = 2; i < 2 * LIVES; i++) {
		uint32_t slot = first[i % 2] & 1; /* they are used in turn */

		id = intern(f, id_key(full("elf1"), (uint8_t)i));
		assert_true(id < FILE_VDSO && (id & 1) == slot && id != first[i % 2]);
		assert_true(files_knows(f, id) && !files_knows(f, first[i % 2]));
		files_sweep(f, is_below, &none);
	}
	assert_int_equal(files_sweeps(f), 2 * LIVES - 1);
	assert_int_equal(intern(f, id_key(full("elf1"), 1)), first[0]);
	files_free(f);
}

static void map(struct procs *p, uint64_t t_ns, pid_t tgid, uint64_t start, uint32_t file)
{
	struct proc_mapping m = {start, 0x1000, 0, file, 0};

	procs_mmap(p, t_ns, tgid, &m);
}

/* The process table keeps the files of the living, of the dead that linger, and replaced ones. */
static void test_process_table_sweeps(void **state)
{
	struct files_opts opts = {.max_files = 4, .keep_ns = 1};
	struct procs_opts procs_opts = {.linger_ns = 1000};
	struct procs *p;
	uint32_t id[4];

	(void)state;
	assert_int_equal(files_new(&procs_opts.files, &opts), 0);
	assert_int_equal(procs_new(&p, &procs_opts), 0);
	for (int i = 0; i < 4; i++)
		id[i] = intern(procs_opts.files, id_key("/nowhere", (uint8_t)(100 + i)));
	map(p, 10, 9, 0x1000, id[3]);
	procs_exit(p, 11, 9, 9);
	map(p, 5000, 7, 0x1000, id[0]);
	map(p, 5001, 7, 0x1000, id[1]);
	map(p, 5000, 8, 0x1000, id[2]);
	procs_exit(p, 5002, 8, 8);
	procs_expire(p, 5500);
	for (int i = 0; i < 4; i++)
		assert_string_equal(view(procs_opts.files, id[i]).path, i < 3 ? "/nowhere" : "");
	procs_free(p);
	files_free(procs_opts.files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_generation_of_the_open_file),
		cmocka_unit_test(test_descriptor_is_of_the_file),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_not_regular),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_paths_full),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_least_recently_used_is_closed),
		cmocka_unit_test(test_reopening_checks_again),
		cmocka_unit_test(test_success_forgives_failures),
		cmocka_unit_test(test_attempts_are_limited),
		cmocka_unit_test(test_idle_descriptors_are_closed),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_lives),
		cmocka_unit_test(test_process_table_sweeps),
	};

	return cmocka_run_group_tests_name("files", tests, setup, fixture_teardown);
}
