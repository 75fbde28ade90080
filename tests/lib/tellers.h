/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process table against real processes: a program tells where it runs and which bytes are there
 * (fixtures/teller.c), and later, mostly after its death, the table must lead to a descriptor that
 * has these bytes at this offset. Needs root, cc and readelf.
 */
#ifndef KILN_TESTS_TELLERS_H
#define KILN_TESTS_TELLERS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/text.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/sideband.h"
#include "tests/lib/fixture.h"

static char *source; /* of the teller */

/* --- the watcher ------------------------------------------------------------------------------ */

struct watch {
	struct files *files;
	struct procs *procs;
	struct sideband *sideband;
};

static FIXTURE_UNUSED uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static FIXTURE_UNUSED void watch_start(struct watch *w, const struct files_opts *files_opts,
				       uint32_t ring_bytes)
{
	struct procs_opts opts = {0};
	struct sideband_opts sideband_opts = {.ring_bytes = ring_bytes};

	assert_int_equal(files_new(&w->files, files_opts), 0);
	opts.files = sideband_opts.files = w->files;
	assert_int_equal(procs_new(&w->procs, &opts), 0);
	sideband_opts.procs = w->procs;
	assert_int_equal(sideband_open(&w->sideband, &sideband_opts), 0);
}

static FIXTURE_UNUSED void watch_look(struct watch *w)
{
	assert_int_equal(sideband_poll(w->sideband, 0), 0);
	/* What other programs of this machine map may hang: only the comparison judges. */
	files_settle(w->files, 10000);
}

static FIXTURE_UNUSED void watch_end(struct watch *w)
{
	struct sideband_stats s;

	sideband_stats(w->sideband, &s);
	assert_int_equal(s.malformed, 0);
	sideband_close(w->sideband);
	procs_free(w->procs);
	files_free(w->files);
}

/* --- the watched ------------------------------------------------------------------------------ */

struct run {
	pid_t pid;
	int in, out;
};

struct tale {
	int pid;
	long long t_ns;
	unsigned long long va;
	uint8_t bytes[16];
};

static FIXTURE_UNUSED pid_t plain_fork(void)
{
	return fork();
}

/* Pipes on stdin and stdout, and in the child the program. `before` runs in the child first. */
static FIXTURE_UNUSED struct run start_as(pid_t (*fork_fn)(void), void (*before)(void),
					  const char *const *argv)
{
	int in[2], out[2];
	struct run r;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	r.pid = fork_fn();
	assert_true(r.pid >= 0);
	if (!r.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		if (before)
			before();
		execv(argv[0], (char **)argv);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	r.in = in[1];
	r.out = out[0];
	return r;
}

#define start(...) start_as(plain_fork, NULL, (const char *const[]){__VA_ARGS__, NULL})

static FIXTURE_UNUSED struct tale hear(struct run *r)
{
	char line[256], hex[64];
	struct tale t;
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(r->out, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	if (sscanf(line, "%d %lld %llx %63s", &t.pid, &t.t_ns, &t.va, hex) != 4)
		fail_msg("the teller says: '%s'", line);
	assert_int_equal(text_unhex(hex, t.bytes, sizeof(t.bytes)), sizeof(t.bytes));
	return t;
}

static FIXTURE_UNUSED void go_on(struct run *r)
{
	assert_int_equal(write(r->in, "x", 1), 1);
}

static FIXTURE_UNUSED int end(struct run *r)
{
	int status = 0;

	close(r->in);
	assert_int_equal(waitpid(r->pid, &status, __WALL), r->pid);
	close(r->out);
	return status;
}

static FIXTURE_UNUSED void end_well(struct run *r)
{
	assert_int_equal(end(r), 0);
}

/* --- the comparison --------------------------------------------------------------------------- */

/* Build id as readelf prints it. */
static FIXTURE_UNUSED void readelf_id(const char *path, char *id, size_t size)
{
	char cmd[512], line[512];
	FILE *f;

	id[0] = '\0';
	snprintf(cmd, sizeof(cmd), "readelf -n '%s' 2>/dev/null", path);
	f = popen(cmd, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "Build ID: ");

		if (p)
			snprintf(id, size, "%.*s", (int)strcspn(p + 10, "\n"), p + 10);
	}
	pclose(f);
}

static FIXTURE_UNUSED struct place place_of(struct watch *w, pid_t pid, const struct tale *t)
{
	struct place place;

	procs_resolve(w->procs, pid, (uint64_t)t->t_ns, t->va, &place);
	return place;
}

/* The bytes at the resolved offset of the opened file are those that were in memory. */
static FIXTURE_UNUSED void check_bytes(const struct file_view *v, uint64_t off,
				       const struct tale *t)
{
	uint8_t bytes[16];

	assert_int_equal(v->err, 0);
	assert_true(v->fd >= 0);
	assert_int_equal(pread(v->fd, bytes, sizeof(bytes), (off_t)off), sizeof(bytes));
	assert_memory_equal(bytes, t->bytes, sizeof(bytes));
}

/* ... and the file has the build id of `like`, says readelf of both and the table itself. */
static FIXTURE_UNUSED void check_tale(struct watch *w, pid_t pid, const struct tale *t,
				      const char *like, const char *path)
{
	char want[128], got[128], self[64];
	struct place place = place_of(w, pid, t);
	struct file_view v;

	assert_int_equal(place.kind, PLACE_FILE);
	files_get(w->files, place.file, &v);
	check_bytes(&v, place.file_off, t);
	readelf_id(like, want, sizeof(want));
	snprintf(self, sizeof(self), "/proc/%d/fd/%d", getpid(), v.fd);
	readelf_id(self, got, sizeof(got));
	assert_true(strlen(want) > 10);
	assert_string_equal(got, want);
	text_hex(v.build_id.data, v.build_id.len, got);
	assert_string_equal(got, want);
	if (path)
		assert_string_equal(v.path, path);
	files_release_fd(w->files, place.file);
}

static FIXTURE_UNUSED const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return p;
}

static FIXTURE_UNUSED int tellers_setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	for (int i = 1; i <= 3; i++) {
		fixture_run("cc -O1 -g -Wl,--build-id -pthread -DSALT=%d -o teller%d %s -ldl", i, i,
			    source);
		fixture_run("cc -O1 -g -Wl,--build-id -no-pie -pthread -DSALT=1%d -o fixed%d %s "
			    "-ldl",
			    i, i, source);
		fixture_run("cc -O1 -g -Wl,--build-id -shared -fPIC -DLIBRARY -DSALT=2%d "
			    "-o lib%d.so %s",
			    i, i, source);
	}
	for (int i = 40; i <= 41; i++)
		fixture_run("cc -O1 -g -Wl,--build-id -static -pthread -DSALT=%d -o static%s %s "
			    "2>/dev/null",
			    i, i == 40 ? "" : "2", source);
	return 0;
}

/* The main program of a test with tellers; they are built anew from the top directory's source. */
#define run_tellers_tests(name, tests)                                                             \
	(geteuid() ? (printf("skipped: watching all processes needs root\n"), 0)                   \
	 : !(source = realpath("tests/fixtures/teller.c", NULL))                                   \
		 ? (printf("run this in the top directory of the source tree\n"), 1)               \
		 : cmocka_run_group_tests_name(name, tests, tellers_setup, fixture_teardown))

#endif
