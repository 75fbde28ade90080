/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short words for tests of the table of files, and small ELF files whose build ids are known. Needs cc. */
#ifndef KILN_TESTS_FILES_TABLE_H
#define KILN_TESTS_FILES_TABLE_H

#include <sys/sysmacros.h>

#include "profiler/files/files.h"
#include "tests/lib/fixture.h"

#define N_ELF 5

static FIXTURE_UNUSED int files_setup(void **state)
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

static FIXTURE_UNUSED struct file_key id_key(const char *path, uint8_t byte)
{
	struct file_key key = {.path = path, .build_id = {.len = 4}};

	memset(key.build_id.data, byte, 4);
	return key;
}

static FIXTURE_UNUSED struct file_key inode_key(const char *path)
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
static FIXTURE_UNUSED const char *full(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return p;
}

static FIXTURE_UNUSED struct files *new_table(uint32_t max_open, uint32_t max_files)
{
	struct files_opts opts = {.max_open = max_open, .max_files = max_files};
	struct files *f;

	assert_int_equal(files_new(&f, &opts), 0);
	return f;
}

static FIXTURE_UNUSED uint32_t intern(struct files *f, struct file_key key)
{
	uint32_t id = files_intern(f, &key, getpid(), 0, 0, 0);

	assert_true(files_settle(f, 10000));
	return id;
}

static FIXTURE_UNUSED struct file_view view(struct files *f, uint32_t id)
{
	struct file_view v;

	files_get(f, id, &v);
	files_release_fd(f, id);
	return v;
}

static FIXTURE_UNUSED struct files_stats stats_of(struct files *f)
{
	struct files_stats s;

	files_stats(f, &s);
	return s;
}

static FIXTURE_UNUSED bool is_below(void *ctx, uint32_t id)
{
	return id < *(const uint32_t *)ctx;
}

#endif
