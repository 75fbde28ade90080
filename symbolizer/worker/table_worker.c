// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/table_worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/unwind/unwind_blob.h"
#include "symbolizer/worker/table_read.h"
#include "symbolizer/worker/worker_set.h"

struct table_worker {
	struct worker_set *workers; /* NULL: this process does the work */
};

int table_worker_new(struct table_worker **out, const struct table_worker_opts *opts)
{
	struct worker_opts worker = {
		.lazy = opts->lazy,
		.serve = opts->serve,
		.stall_ns = opts->stall_ns,
		.opener = opts->opener,
	};
	struct table_worker *u = calloc(1, sizeof(*u));
	int err = u ? 0 : -ENOMEM;

	if (!err && opts->sandbox)
		err = worker_set_new(&u->workers, &worker);
	if (err) {
		free(u);
		return err;
	}
	*out = u;
	return 0;
}

void table_worker_free(struct table_worker *u)
{
	if (!u)
		return;
	worker_set_free(u->workers);
	free(u);
}

void table_worker_cancel(struct table_worker *u)
{
	if (u->workers)
		worker_set_cancel(u->workers);
}

pid_t table_worker_pid(const struct table_worker *u)
{
	return u->workers ? worker_set_pid(u->workers) : 0;
}

/* Asks the reader. The path, else from /proc/self/fd, is for messages only; reading it asks no file
 * server. */
static int ask(struct table_worker *u, enum query_kind kind, const struct sym_file *of,
	       const struct elf_facts **facts, const struct buf **table)
{
	char link[32], path[PATH_MAX];
	struct sym_file file = *of;
	ssize_t n = -1;
	int err;

	if (!file.path && file.fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", file.fd);
		n = readlink(link, path, sizeof(path) - 1);
	}
	if (n > 0) {
		path[n] = '\0';
		file.path = path;
	}
	err = worker_ask(worker_set_for(u->workers, &file), kind, &file, facts, table);
	return err ?: (*facts)->err;
}

static void read_here(enum query_kind kind, const struct sym_file *file, struct elf_facts *facts,
		      void **blob, size_t *len)
{
	const struct debug_search search = {.root_fd = file->root_fd, .path = file->path};

	table_read(kind, file->fd, &search, facts, blob, len);
}

int table_worker_look(struct table_worker *u, const struct sym_file *file, struct elf_facts *facts)
{
	const struct elf_facts *said;
	int err;

	if (!u->workers) {
		read_here(QUERY_ELF, file, facts, NULL, NULL);
		return facts->err;
	}
	err = ask(u, QUERY_ELF, file, &said, NULL);
	*facts = *said;
	return facts->err = err;
}

int table_worker_build(struct table_worker *u, const struct sym_file *file, void **blob,
		       size_t *len)
{
	const struct elf_facts *said;
	const struct buf *table;
	struct elf_facts facts;
	int err;

	if (!u->workers) {
		read_here(QUERY_TABLE, file, &facts, blob, len);
		return facts.err;
	}
	err = ask(u, QUERY_TABLE, file, &said, &table);
	if (err)
		return err;
	if (unwind_blob_check(table->data, table->len))
		return -ECONNABORTED;
	*blob = malloc(table->len);
	if (!*blob)
		return -ENOMEM;
	memcpy(*blob, table->data, table->len);
	*len = table->len;
	return 0;
}

int table_worker_described(struct table_worker *u, const struct sym_file *file)
{
	const struct elf_facts *said;
	struct elf_facts facts;

	if (u->workers)
		return ask(u, QUERY_FRAMES, file, &said, NULL);
	read_here(QUERY_FRAMES, file, &facts, NULL, NULL);
	return facts.err;
}
