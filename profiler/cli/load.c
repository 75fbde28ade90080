// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/load.h"
#include "profiler/cli/load_fleet.h"
#include "profiler/cli/load_remote.h"
#include "profiler/formats/export.h"
#include "profiler/profile/difference.h"
#include "profiler/profile/prune.h"

static const char *shown_name(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

static int load_file(const char *path, struct profile **out)
{
	const char *why = NULL;
	int err = import_file(out, path, &why);

	if (err) {
		log_error("%s: %s%s", shown_name(path), why ? why : strerror(-err),
			  text_has_suffix(path, ".kiln")
				  ? ": it is a part of a store, give the store's directory"
				  : "");
		return EXIT_ERROR;
	}
	if (!(*out)->sample_types.len) {
		log_error("%s: the profile has no sample type", shown_name(path));
		return EXIT_ERROR;
	}
	return EXIT_OK;
}

static int load_one(const struct command *cmd, const char *path, const struct load_range *range,
		    struct profile **out)
{
	struct stat st;

	if (!*path)
		return usage_error(cmd, "the name of a FILE is empty");
	if (range && !stat(path, &st) && S_ISDIR(st.st_mode))
		return load_store(cmd, path, range, out);
	if (range && load_range_is_set(range))
		return usage_error(cmd,
				   "%s is no store: --since, --until and --where are for stores",
				   shown_name(path));
	return load_file(path, out);
}

static int load_all(const struct command *cmd, char *const *paths, int n,
		    const struct load_range *range, struct profile **out)
{
	_cleanup_(profile_freep) struct profile *all = NULL;
	int code = load_one(cmd, paths[0], range, &all);

	for (int i = 1; i < n && code == EXIT_OK; i++) {
		_cleanup_(profile_freep) struct profile *next = NULL;
		const char *why = NULL;
		int err;

		code = load_one(cmd, paths[i], range, &next);
		if (code != EXIT_OK)
			break;
		err = profile_merge(all, next, &why);
		if (err) {
			log_error("%s cannot be merged with %s: %s", shown_name(paths[i]),
				  shown_name(paths[0]), why ? why : strerror(-err));
			code = EXIT_ERROR;
		}
	}
	if (code == EXIT_OK)
		*out = steal_ptr(all);
	return code;
}

/* Where no agent has stored anything, a FILE has been forgotten. */
static bool has_configured_store(const char *config, char **path)
{
	struct stat st;

	return load_configured_store(config, path) == EXIT_OK && !stat(*path, &st) &&
	       S_ISDIR(st.st_mode);
}

int load_profiles(const struct command *cmd, char *const *paths, int n,
		  const struct load_range *range, struct profile **out)
{
	_cleanup_free_ char *configured = NULL;
	int code;

	if (range && range->from && n)
		return usage_error(cmd, "--from asks another host: no FILE beside it");
	if (range && range->from)
		return load_is_fleet(range) ? load_fleet(cmd, range, out)
					    : load_remote(cmd, range, out);
	if (!n && range && (load_range_is_set(range) || range->config)) {
		code = load_configured_store(range->config, &configured);
		return code == EXIT_OK ? load_store(cmd, configured, range, out) : code;
	}
	if (!n && range && has_configured_store(range->config, &configured))
		return load_store(cmd, configured, range, out);
	if (!n)
		return usage_error(cmd, "no profile: give a FILE, or - for standard input");
	if (!strcmp(paths[0], "-") && isatty(STDIN_FILENO))
		return usage_error(
			cmd,
			"standard input is a terminal: give a FILE, or redirect standard input");
	return load_all(cmd, paths, n, range, out);
}

int load_shown(const struct command *cmd, char *const *paths, int n, const struct load_range *range,
	       struct profile **out)
{
	_cleanup_(profile_freep) struct profile *whole = NULL;
	const char *why = NULL;
	int code = load_profiles(cmd, paths, n, range, &whole), err;

	if (code != EXIT_OK)
		return code;
	err = profile_prune(out, whole, &why);
	if (err == -EINVAL)
		log_warning("the profile's drop_frames are not applied: %s", why);
	else if (err)
		log_error("%s: %s", cmd->name, strerror(-err));
	if (err && err != -EINVAL)
		return EXIT_ERROR;
	if (!*out)
		*out = steal_ptr(whole);
	return EXIT_OK;
}

void load_base_set(struct load_base *b, int which, const char *value)
{
	if (which)
		b->normalize = true;
	else
		b->path = value;
}

/* Of a longer recording everything is more. */
static void tell_of_durations(const struct profile *p, const struct profile *base)
{
	int64_t longer = MAX(p->duration_ns, base->duration_ns);
	int64_t shorter = MIN(p->duration_ns, base->duration_ns);
	char text[32], base_text[32];

	if (shorter > 0 && longer - shorter > longer / 10)
		log_info("the base covers %s, what is compared with it %s; --normalize compares as "
			 "if their "
			 "totals were equal",
			 text_format_ns((uint64_t)base->duration_ns, base_text, sizeof(base_text)),
			 text_format_ns((uint64_t)p->duration_ns, text, sizeof(text)));
}

int load_base(const struct command *cmd, const struct load_base *b, bool shown, struct profile *p)
{
	char *path = (char *)b->path;
	_cleanup_(profile_freep) struct profile *base = NULL;
	const char *why = NULL;
	int code, err;

	if (!path)
		return b->normalize ? usage_error(cmd, "--normalize is for --diff-base") : EXIT_OK;
	code = (shown ? load_shown : load_profiles)(cmd, &path, 1, NULL, &base);
	if (code != EXIT_OK)
		return code;
	if (!b->normalize)
		tell_of_durations(p, base);
	err = profile_subtract(p, base, b->normalize, &why);
	if (!err)
		return EXIT_OK;
	log_error("%s cannot be compared: %s", shown_name(path), why ? why : strerror(-err));
	return EXIT_ERROR;
}

static void say_values(const struct command *cmd, const struct profile *p, const char *type)
{
	struct buf known = {0};

	for (size_t i = 0; i < p->sample_types.len; i++)
		buf_printf(&known, "%s%s", i ? ", " : "",
			   profile_text(p, p->sample_types.data[i].type));
	usage_error(cmd, "--value: the profile has no sample type \"%s\"; it has %s", type,
		    buf_cstr(&known));
	buf_release(&known);
}

int load_value(const struct command *cmd, const struct profile *p, const char *type)
{
	if (!type)
		return (int)profile_default_type(p);
	for (size_t i = 0; i < p->sample_types.len; i++) {
		if (!strcmp(profile_text(p, p->sample_types.data[i].type), type))
			return (int)i;
	}
	say_values(cmd, p, type);
	return -EINVAL;
}
