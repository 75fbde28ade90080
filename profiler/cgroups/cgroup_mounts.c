// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/cgroups/cgroup_mounts.h"

/* ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAGS...] - TYPE SOURCE SUPER_OPTIONS */
struct mount_line {
	char *root, *point, *type, *super_options;
};

static char *next_field(char **line)
{
	char *field = strsep(line, " ");

	return field ?: "";
}

static bool parse_line(struct mount_line *m, char *line)
{
	char *rest = line, *sep = strstr(line, " - ");

	if (!sep)
		return false;
	*sep = '\0';
	sep += 3;
	for (int i = 0; i < 3; i++)
		next_field(&rest);
	m->root = next_field(&rest);
	m->point = next_field(&rest);
	m->type = next_field(&sep);
	next_field(&sep);
	m->super_options = next_field(&sep);
	return m->point[0] == '/';
}

/* Decodes in place: space, tab, newline and backslash are three octal digits. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool has_option(const char *options, const char *want)
{
	size_t n = strlen(want);

	for (const char *p = options; (p = strstr(p, want)); p++)
		if ((p == options || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

/* The hierarchy with the highest rank is the main one. */
static int rank_of(const struct mount_line *m)
{
	bool whole = !strcmp(m->root, "/"); /* not a part that is bind-mounted into a container */

	if (!strcmp(m->type, "cgroup2"))
		return 5 + whole;
	if (has_option(m->super_options, "name=systemd"))
		return 3 + whole;
	return 1 + whole;
}

static int consider(struct cgroup_mounts *out, int *best, char *line)
{
	_cleanup_free_ char *point = NULL;
	struct mount_line m;
	int rank;

	if (!parse_line(&m, line) || (strcmp(m.type, "cgroup2") && strcmp(m.type, "cgroup")))
		return 0;
	unescape(m.point);
	rank = rank_of(&m);
	point = strdup(m.point);
	if (!point)
		return -ENOMEM;
	if (rank > *best) {
		char *old = out->main;
		bool old_v2 = out->v2;

		out->main = steal_ptr(point);
		out->v2 = !strcmp(m.type, "cgroup2");
		*best = rank;
		if (!old || old_v2) {
			free(old);
			return 0;
		}
		point = old;
	} else if (!strcmp(m.type, "cgroup2")) {
		return 0;
	}
	if (vec_push(&out->others, point))
		return -ENOMEM;
	point = NULL;
	return 0;
}

int cgroup_mounts_parse(struct cgroup_mounts *out, const char *mountinfo)
{
	_cleanup_free_ char *text = strdup(mountinfo);
	struct cgroup_mounts m = {0};
	char *rest = text, *line;
	int best = 0, err = text ? 0 : -ENOMEM;

	while (!err && (line = strsep(&rest, "\n")))
		err = consider(&m, &best, line);
	if (!err && !m.main)
		err = -ENOENT;
	if (err)
		cgroup_mounts_release(&m);
	else
		*out = m;
	return err;
}

/* --- memory ------------------------------------------------------------------------------------ */

static bool bounds_memory(const struct mount_line *m, bool v2)
{
	return v2 ? !strcmp(m->type, "cgroup2")
		  : !strcmp(m->type, "cgroup") && has_option(m->super_options, "memory");
}

/* The path in a line "ID:CONTROLLERS:PATH", malloc'd. NULL: the process is in no such hierarchy. */
static char *own_path(const char *cgroup, bool v2)
{
	_cleanup_free_ char *text = strdup(cgroup);
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *id = strsep(&line, ":"), *controllers = strsep(&line, ":");

		if (line &&
		    (v2 ? !strcmp(id, "0") && !*controllers : has_option(controllers, "memory")))
			return strdup(line);
	}
	return NULL;
}

/* What a path is below a mount of `root`; "" where it is not in it, or not to be seen from here ("/../x"). */
static const char *below(const char *path, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(path, root, len) || (path[len] && path[len] != '/') || strstr(path, "/.."))
		return "";
	return strcmp(path + len, "/") ? path + len : "";
}

static char *memory_directory(const char *mountinfo, const char *path, bool v2, size_t *point)
{
	_cleanup_free_ char *text = strdup(mountinfo);
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		struct mount_line m;
		char *dir;

		if (!parse_line(&m, line) || !bounds_memory(&m, v2))
			continue;
		unescape(m.root);
		unescape(m.point);
		*point = strlen(m.point);
		return asprintf(&dir, "%s%s", m.point, below(path, m.root)) < 0 ? NULL : dir;
	}
	return NULL;
}

char *cgroup_mounts_memory(const char *mountinfo, const char *cgroup, size_t *point)
{
	char *dir = NULL;

	for (int v2 = 0; v2 < 2 && !dir; v2++) {
		_cleanup_free_ char *path = own_path(cgroup, v2);

		if (path)
			dir = memory_directory(mountinfo, path, v2, point);
	}
	return dir;
}

void cgroup_mounts_release(struct cgroup_mounts *m)
{
	for (size_t i = 0; i < m->others.len; i++)
		free(m->others.data[i]);
	vec_release(&m->others);
	free(m->main);
	m->main = NULL;
}
