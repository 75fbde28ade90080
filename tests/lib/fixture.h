/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test fixtures: a scratch directory, shell commands, their output. Any failure fails the test. */
#ifndef KILN_TESTS_FIXTURE_H
#define KILN_TESTS_FIXTURE_H

#include <elf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FIXTURE_UNUSED __attribute__((unused))

static char fixture_dir[64];

/* cmocka group setup and teardown: a fresh directory, which is also the current one. */
static FIXTURE_UNUSED int fixture_setup(void **state)
{
	(void)state;
	snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/kiln-test-XXXXXX");
	return mkdtemp(fixture_dir) ? chdir(fixture_dir) : -1;
}

static FIXTURE_UNUSED int fixture_teardown(void **state)
{
	char cmd[96];

	(void)state;
	if (chdir("/") < 0 || strncmp(fixture_dir, "/tmp/kiln-test-", 15) != 0)
		return -1;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", fixture_dir);
	return system(cmd);
}

/* Runs a shell command in the scratch directory; it must succeed. */
__attribute__((format(printf, 1, 2))) static FIXTURE_UNUSED void fixture_run(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;

	va_start(ap, fmt);
	assert_in_range(vsnprintf(cmd, sizeof(cmd), fmt, ap), 1, sizeof(cmd) - 1);
	va_end(ap);
	if (system(cmd) != 0)
		fail_msg("command failed: %s", cmd);
}

static FIXTURE_UNUSED void fixture_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* All of a file, malloc'd, with one NUL behind it. */
static FIXTURE_UNUSED uint8_t *fixture_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *data;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	*len = fread(data, 1, (size_t)st.st_size, f);
	assert_int_equal(*len, st.st_size);
	data[*len] = 0;
	fclose(f);
	return data;
}

static FIXTURE_UNUSED int fixture_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("cannot open %s", path);
	return fd;
}

/* Says that there is no section table (sstrip does so): what runs a program does not look at it. */
static FIXTURE_UNUSED void fixture_drop_sections(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	Elf64_Ehdr eh;

	assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	eh.e_shoff = 0;
	eh.e_shnum = eh.e_shstrndx = 0;
	assert_int_equal(pwrite(fd, &eh, sizeof(eh), 0), sizeof(eh));
	close(fd);
}

/* Absolute path of a fixture; good for a dozen calls more. */
static FIXTURE_UNUSED const char *fixture_at(const char *name)
{
	static char paths[16][512];
	static unsigned i;

	i = (i + 1) % 16;
	snprintf(paths[i], sizeof(paths[i]), "%s/%s", fixture_dir, name);
	return paths[i];
}

/* Address of a symbol, as nm has it. */
static FIXTURE_UNUSED uint64_t fixture_nm(const char *path, const char *symbol)
{
	unsigned long va = 0;
	char cmd[256];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "nm %s | awk '$3==\"%s\"{print $1}'", path, symbol);
	f = popen(cmd, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lx", &va), 1);
	pclose(f);
	return va;
}

#endif
