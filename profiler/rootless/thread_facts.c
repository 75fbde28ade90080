// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/thread_facts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/n_of.h"

/* Lines of /proc about one thread are shorter, and so are most lists of children. */
#define TEXT_MAX     4096
#define NUMBER_MAX   16
#define CHILDREN_MAX (1u << 20) /* bytes */

/* Fields behind the comm, from 0: state, ppid, ... */
enum {
	STATE,
	PPID,
	UTIME = 11,
	STIME,
	CUTIME,
	CSTIME,
	THREADS = 17,
	STARTSTACK = 25,
	PROCESSOR = 36,
	FIELDS
};

/* In their order; a line has three times as many. */
static const uint8_t wanted[] = {PPID,	 UTIME,	  STIME,      CUTIME,
				 CSTIME, THREADS, STARTSTACK, PROCESSOR};

/* NULL: there are not so many. */
static const char *skip_fields(const char *at, size_t n)
{
	while (n-- && at) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

int thread_facts_parse(const char *text, struct thread_facts *out)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *at;
	uint64_t fields[FIELDS] = {[PROCESSOR] = UINT64_MAX};
	size_t len;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EBADMSG;
	*out = (struct thread_facts){
		.on_cpu = close[2] == 'R',
		.is_dead = close[2] == 'Z' || close[2] == 'X',
	};
	len = (size_t)(close - open - 1);
	memcpy(out->comm, open + 1, MIN(len, sizeof(out->comm) - 1));
	at = close + 2;
	for (size_t i = 0, field = STATE; i < N_OF(wanted); i++) {
		at = skip_fields(at, wanted[i] - field);
		field = wanted[i];
		if (at && isdigit((unsigned char)*at))
			fields[field] = strtoull(at, NULL, 10);
		else if (field <= STARTSTACK) /* not every sandbox's line has all fields */
			return -EBADMSG;
	}
	out->parent_tgid = (pid_t)fields[PPID];
	out->threads = fields[THREADS];
	out->cpu_ns = ticks_to_ns(fields[UTIME] + fields[STIME]);
	out->children_ns = ticks_to_ns(fields[CUTIME] + fields[CSTIME]);
	out->program = fields[STARTSTACK];
	out->cpu = fields[PROCESSOR] < INT_MAX ? (int)fields[PROCESSOR] : -1;
	return 0;
}

int thread_facts_read(struct thread_files *files, pid_t tgid, pid_t tid, struct thread_facts *out)
{
	char text[TEXT_MAX];

	return thread_files_read(files, tgid, tid, THREAD_STAT, text, sizeof(text))
		       ?: thread_facts_parse(text, out);
}

int thread_cpu_ns(struct thread_files *files, pid_t tgid, pid_t tid, uint64_t *ns)
{
	struct thread_facts facts;
	char text[TEXT_MAX], *end;
	int err = thread_files_read(files, tgid, tid, THREAD_SCHEDSTAT, text, sizeof(text));

	if (!err) {
		*ns = strtoull(text, &end, 10);
		if (end != text && *ns)
			return 0;
	}
	err = thread_facts_read(files, tgid, tid, &facts);
	if (!err)
		*ns = facts.cpu_ns;
	return err;
}

/* A number that the end of the text has cut has no space behind it. */
void thread_children_parse(const char *text, void (*fn)(void *ctx, pid_t child), void *ctx)
{
	char *end;

	for (long pid; (pid = strtol(text, &end, 10)) > 0 && *end == ' '; text = end)
		fn(ctx, (pid_t)pid);
}

void thread_children(struct thread_files *files, pid_t tgid, pid_t tid,
		     void (*fn)(void *ctx, pid_t child), void *ctx)
{
	_cleanup_free_ char *all = NULL;
	char text[TEXT_MAX], path[80];
	size_t len;

	if (thread_files_read(files, tgid, tid, THREAD_CHILDREN, text, sizeof(text)))
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)tgid, (int)tid);
	if (strlen(text) > TEXT_MAX - NUMBER_MAX && !io_read_file(path, CHILDREN_MAX, &all, &len))
		thread_children_parse(all, fn, ctx);
	else
		thread_children_parse(text, fn, ctx);
}

uint64_t thread_executable(pid_t tgid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)tgid);
	return stat(path, &st) ? 0 : hash_u64(hash_u64(st.st_dev) + st.st_ino);
}

pid_t thread_tracer(pid_t tid)
{
	char text[TEXT_MAX];
	const char *at;

	if (thread_files_read(NULL, tid, tid, THREAD_STATUS, text, sizeof(text)))
		return 0;
	at = strstr(text, "\nTracerPid:");
	return at ? (pid_t)strtol(at + strlen("\nTracerPid:"), NULL, 10) : 0;
}
