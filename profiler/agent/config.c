// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/config_doc.h"
#include "profiler/agent/config_read.h"
#include "profiler/agent/config_values.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/suggest.h"
#include "profiler/base/text.h"

#define CONFIG_MAX_FILES 256 /* of conf.d */
#define VARIABLE_PREFIX	 "KILN_"

DEFINE_CLEANUP(config, config_free)
DEFINE_CLEANUP(config_doc, config_doc_free)

/* --- sources ----------------------------------------------------------------------------------- */

/* A name that lives as long as the configuration, for places. NULL when out of memory. */
static const char *keep_source(struct config *c, const char *name)
{
	char *copy = strdup(name);

	if (!copy || vec_push(&c->sources.list, copy)) {
		free(copy);
		return NULL;
	}
	return copy;
}

static int read_text(struct config *c, const char *source, const void *data, size_t len,
		     struct config_errors *errs)
{
	_cleanup_(config_doc_freep) struct config_doc *doc = NULL;

	return config_doc_parse(&doc, source, data, len, errs)
		       ?: config_read_doc(c, config_doc_root(doc), errs);
}

/* Its headers may be secrets. */
static void free_wiped(char **data)
{
	text_wipe(*data);
	free(*data);
}

/* A file that need not be there is none. */
static int read_file(struct config *c, const char *path, bool must_exist,
		     struct config_errors *errs)
{
	_cleanup_(free_wiped) char *data = NULL;
	struct config_place at = {.source = keep_source(c, path)};
	_cleanup_close_ int fd = -1;
	size_t len;
	int err;

	if (!at.source)
		return -ENOMEM;
	/* A FIFO would read as an empty file: as the defaults. */
	fd = io_open_regular(AT_FDCWD, path);
	err = fd < 0 ? fd : io_read_fd(fd, CONFIG_MAX_BYTES, &data, &len);
	if (err == -ENOENT && !must_exist)
		return 0;
	c->n_files += !err;
	if (!err)
		return read_text(c, at.source, data, len, errs);
	if (fd == -EINVAL)
		config_error(errs, &at, "is no regular file");
	else if (err == -EFBIG)
		config_error(errs, &at, "larger than %u KiB", CONFIG_MAX_BYTES >> 10);
	else
		config_error(errs, &at, "cannot be read: %s", strerror(-err));
	return err == -ENOMEM ? err : -EBADMSG;
}

/* Mistakes of all files are shown at once. */
static int keep_on(int so_far, int err)
{
	return so_far == -ENOMEM || !err ? so_far : err;
}

static int read_drop_ins(struct config *c, const char *path, struct config_errors *errs)
{
	_cleanup_free_ char *copy = strdup(path), *pattern = NULL;
	glob_t found = {0};
	int err = 0;

	if (!copy || asprintf(&pattern, "%s/conf.d/*.yaml", dirname(copy)) < 0) {
		pattern = NULL;
		return -ENOMEM;
	}
	if (glob(pattern, 0, NULL, &found) == GLOB_NOSPACE)
		err = -ENOMEM;
	if (!err && found.gl_pathc > CONFIG_MAX_FILES) {
		struct config_place at = {.source = keep_source(c, pattern)};

		config_error(errs, &at, "more than %d files", CONFIG_MAX_FILES);
		err = -EBADMSG;
	}
	for (size_t i = 0; i < found.gl_pathc && i < CONFIG_MAX_FILES && err != -ENOMEM; i++)
		err = keep_on(err, read_file(c, found.gl_pathv[i], true, errs));
	globfree(&found);
	return err;
}

/* "KILN_STORE_MAX_SIZE". */
static void variable_name(const struct config_key *k, char *out, size_t size)
{
	snprintf(out, size, VARIABLE_PREFIX "%s", k->name);
	for (char *c = out; *c; c++)
		*c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

/* The value of a variable in an environment, or NULL: also when it is empty. */
static const char *variable(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return (*env)[n + 1] ? *env + n + 1 : NULL;
	return NULL;
}

static int read_variables(struct config *c, char *const *env, struct config_errors *errs)
{
	int err = 0;

	for (size_t i = 0; i < config_schema.n && err != -ENOMEM; i++) {
		struct config_place at = {0};
		const char *value;
		char name[128];

		variable_name(&config_schema.keys[i], name, sizeof(name));
		value = variable(env, name);
		if (!value)
			continue;
		at.source = keep_source(c, name);
		if (!at.source)
			return -ENOMEM;
		err = keep_on(err, config_read_text(c, (enum config_key_id)i, value, &at, errs));
	}
	return err;
}

static int read_overrides(struct config *c, const struct config_inputs *in,
			  struct config_errors *errs)
{
	int err = 0;

	for (size_t i = 0; i < in->n_overrides && err != -ENOMEM; i++) {
		const struct config_override *o = &in->overrides[i];
		struct config_place at = {.source = keep_source(c, o->flag)};

		if (!at.source)
			return -ENOMEM;
		err = keep_on(err, config_read_text(c, o->key, o->value, &at, errs));
	}
	return err;
}

/* --- the door ---------------------------------------------------------------------------------- */

int config_load(struct config **out, const struct config_inputs *in, struct config_errors *errs)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const char *path = in->path ?: CONFIG_DEFAULT_PATH;
	int err = config_new(&c);

	if (err)
		return err;
	if (!*path) {
		config_error(errs, &(struct config_place){.source = "--config"},
			     "the name of the file is empty: leave --config out for %s",
			     CONFIG_DEFAULT_PATH);
		return -EBADMSG;
	}
	err = read_file(c, path, in->path != NULL, errs);
	err = err == -ENOMEM ? err : keep_on(err, read_drop_ins(c, path, errs));
	err = err == -ENOMEM ? err : keep_on(err, read_variables(c, in->env, errs));
	err = err == -ENOMEM ? err : keep_on(err, read_overrides(c, in, errs));
	err = err ?: config_check(c, errs);
	if (!err)
		*out = steal_ptr(c);
	return err;
}

int config_parse(struct config **out, const char *source, const void *data, size_t len,
		 struct config_errors *errs)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const char *kept;
	int err = config_new(&c);

	if (err)
		return err;
	kept = keep_source(c, source);
	if (!kept)
		return -ENOMEM;
	c->n_files = 1;
	err = read_text(c, kept, data, len, errs) ?: config_check(c, errs);
	if (!err)
		*out = steal_ptr(c);
	return err;
}

/* The variable that a misspelt one was meant to be; false: it is ours, or nobody's business. */
static bool is_stray(const char *typed, char *meant, size_t size)
{
	size_t distance = SIZE_MAX;

	for (size_t i = 0; i < config_schema.n; i++) {
		struct suggest near = {.typed = typed + strlen(VARIABLE_PREFIX)};
		char name[128];

		variable_name(&config_schema.keys[i], name, sizeof(name));
		if (!strcmp(name, typed))
			return false;
		suggest_consider(&near, name + strlen(VARIABLE_PREFIX));
		if (near.best && near.distance < distance) {
			snprintf(meant, size, "%s", name);
			distance = near.distance;
		}
	}
	return distance != SIZE_MAX;
}

void config_stray_variables(struct buf *out, char *const *env)
{
	for (; env && *env; env++) {
		char typed[128], meant[128];

		if (!text_has_prefix(*env, VARIABLE_PREFIX))
			continue;
		snprintf(typed, sizeof(typed), "%.*s", (int)strcspn(*env, "="), *env);
		if (is_stray(typed, meant, sizeof(meant)))
			buf_printf(out, "%s%s sets nothing (did you mean %s?)",
				   out->len ? "; " : "", typed, meant);
	}
}
