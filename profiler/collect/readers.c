// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/readers.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>

#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "profiler/debuginfod/debuginfod.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/worker/table_worker.h"
#include "symbolizer/worker/walk_set.h"

static int open_unwinders(struct readers *r, bool sandbox)
{
	struct table_worker_opts compiler = {.sandbox = sandbox, .lazy = true, .opener = r->opener};
	struct walk_worker_opts walker = {.sandbox = sandbox};
	int err = table_worker_new(&r->table_worker, &compiler)
			  ?: walk_set_new(&r->walk_set, &walker);

	return err == -EOPNOTSUPP ? 0 : err; /* there are no tables on such a machine either */
}

int readers_open(struct readers *r, const struct readers_opts *opts)
{
	char path[PATH_MAX];
	struct symbolizer_opts symbolizer = {
		.names_only = opts->names_only,
		.sandbox = opts->sandbox,
		.find_debug = opts->debuginfod ? debuginfod_find : NULL,
		.find_ctx = opts->debuginfod,
		.cache_bytes = opts->symbol_bytes,
		.table_dir = cache_dir_path("lines", path, sizeof(path)),
	};
	int err = opts->sandbox ? opener_new(&r->opener) : 0;

	symbolizer.opener = r->opener;
	if (!err && opts->tables)
		err = open_unwinders(r, opts->sandbox);
	err = err ?: symbolizer_new(&r->symbolizer, &symbolizer);
	if (err)
		opener_free(steal_ptr(r->opener));
	return err;
}

void readers_close(struct readers *r)
{
	table_worker_free(r->table_worker);
	walk_set_free(r->walk_set);
	symbolizer_free(r->symbolizer);
	*r = (struct readers){0};
}
