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
#include "symbolizer/opener/mapped_file.h"
#include "profiler/procs/procs.h"
#include "tests/lib/files_table.h"

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

/* What was opened while a window was named stays open, rather than what that window is named with. */
static void test_named_files_are_closed_first(void **state)
{
	struct files *f = new_table(3, 0);
	uint32_t id[4];
	char name[] = "elf0";

	(void)state;
	for (int i = 0; i < 4; i++, name[3]++) {
		if (i == 2)
			files_begin_window(f);
		if (i == 3) { /* named meanwhile */
			assert_int_equal(view(f, id[0]).err, 0);
			assert_int_equal(view(f, id[1]).err, 0);
			files_window_named(f);
		}
		id[i] = intern(f, id_key(full(name), (uint8_t)i));
	}
	fixture_run("mv elf0 away0; mv elf2 away2");
	assert_int_not_equal(view(f, id[0]).err, 0);
	assert_int_equal(view(f, id[2]).err, 0);
	fixture_run("mv away0 elf0; mv away2 elf2");
	files_free(f);
}

/* Half of what may be open are new files: their names should be looked up. Files that come back are not new. */
static void test_many_new_files(void **state)
{
	const struct files_opts opts = {.max_open = 4, .many_new = 2};
	struct files *f;
	uint32_t id[N_ELF];

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(files_many_new(f), i >= 2);
		id[i] = intern(
			f, id_key(full((char[]){'e', 'l', 'f', (char)('0' + i), 0}), (uint8_t)i));
	}
	assert_true(files_many_new(f));
	files_begin_window(f);
	assert_false(files_many_new(f));
	for (int i = 0; i < 3; i++)
		assert_int_equal(view(f, id[i]).err, 0);
	/* does not count: it is not open */
	intern(f, (struct file_key){.path = "/nowhere", .inode = 1, .major = 1});
	assert_false(files_many_new(f));
	files_free(f);
}

/* A file that was closed, and cannot be opened again: each counts once. */
static void test_files_that_are_gone(void **state)
{
	struct files *f = new_table(2, 0);
	char name[] = "gone0";
	uint32_t id[5];

	(void)state;
	for (int i = 0; i < 5; i++, name[4]++) {
		fixture_write(name, "text");
		id[i] = intern(f, inode_key(full(name)));
		assert_int_equal(view(f, id[i]).err, 0);
	}
	fixture_run("rm gone0 gone2 gone3 gone4");
	assert_int_equal(stats_of(f).gone, 0);
	for (int i = 0; i < 4; i++)
		assert_int_not_equal(view(f, id[i % 2 * 2]).err, 0);
	assert_int_equal(view(f, id[4]).err, 0); /* it is open */
	assert_int_equal(view(f, id[1]).err, 0);
	assert_int_equal(stats_of(f).gone, 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_generation_of_the_open_file),
		cmocka_unit_test(test_descriptor_is_of_the_file),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_not_regular),
		cmocka_unit_test(test_least_recently_used_is_closed),
		cmocka_unit_test(test_named_files_are_closed_first),
		cmocka_unit_test(test_many_new_files),
		cmocka_unit_test(test_files_that_are_gone),
		cmocka_unit_test(test_reopening_checks_again),
		cmocka_unit_test(test_success_forgives_failures),
		cmocka_unit_test(test_attempts_are_limited),
		cmocka_unit_test(test_idle_descriptors_are_closed),
	};

	return cmocka_run_group_tests_name("files", tests, files_setup, fixture_teardown);
}
