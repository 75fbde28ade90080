// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/naming/elf_find.h"

#define DELETED " (deleted)" /* suffix in /proc/PID/maps: proc(5) */

struct finder {
	const struct elf_search *s;
	struct elf_found *out;
	struct build_id id;
	enum elf_find_problem problem; /* problem of the file at the mapping's own path */
};

static const struct {
	const char *text, *cure;
} problems[] = {
#define X(name, text, cure) [ELF_FIND_##name] = {text, cure},
	ELF_FIND_PROBLEMS(X)
#undef X
};

const char *elf_find_text(enum elf_find_problem problem)
{
	return problems[problem].text;
}

const char *elf_find_cure(enum elf_find_problem problem)
{
	return problems[problem].cure;
}

void elf_found_release(struct elf_found *f)
{
	cleanup_close_fd(&f->fd);
	elf_obj_free(f->obj);
	free(f->path);
	*f = (struct elf_found){.fd = -1};
}

/* Takes fd if it is the right file. 0, -ENOENT or -ENOMEM. */
static int take(struct finder *f, int fd, const char *path, enum elf_find_problem *problem)
{
	_cleanup_close_ int own = fd;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), err;
	struct elf_obj *obj;

	*problem = ELF_FIND_NO_FILE;
	err = copy < 0 ? -errno : elf_obj_open(&obj, copy, NULL);
	if (err) {
		*problem = ELF_FIND_NOT_ELF;
		return err == -ENOMEM ? err : -ENOENT;
	}
	if (f->id.len && !build_id_equal(&f->id, elf_obj_build_id(obj))) {
		elf_obj_free(obj);
		*problem = ELF_FIND_OTHER_ID;
		return -ENOENT;
	}
	if (path) {
		f->out->path = strdup(path);
		if (!f->out->path) {
			elf_obj_free(obj);
			return -ENOMEM;
		}
	}
	f->out->fd = steal_fd(&own);
	f->out->obj = obj;
	return 0;
}

__attribute__((format(printf, 2, 3))) static int try_path(struct finder *f, const char *fmt, ...)
{
	enum elf_find_problem ignored;
	char path[PATH_MAX];
	va_list ap;
	int n, fd;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENOENT;
	fd = io_open_regular(AT_FDCWD, path);
	return fd < 0 ? -ENOENT : take(f, fd, path, &ignored);
}

static bool changed_since(const struct finder *f, int fd)
{
	struct stat st;

	return f->s->until_ns && !fstat(fd, &st) && st.st_mtim.tv_sec > f->s->until_ns / 1000000000;
}

static int at_own_path(struct finder *f, const char *path)
{
	int fd = *path == '/' ? io_open_regular(AT_FDCWD, path) : -ENOENT;

	f->problem = *path ? ELF_FIND_NO_FILE : ELF_FIND_NO_PATH;
	if (fd < 0)
		return -ENOENT;
	if (!f->id.len && changed_since(f, fd)) {
		close(fd);
		f->problem = ELF_FIND_CHANGED;
		return -ENOENT;
	}
	return take(f, fd, path, &f->problem);
}

static int in_exe_dirs(struct finder *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int err = -ENOENT;

	for (size_t i = 0; *name && f->s->exe_dirs[i] && err == -ENOENT; i++) {
		/* a path with ".." is no path of a mapped file */
		err = slash && !strstr(path, "..") ? try_path(f, "%s/%s", f->s->exe_dirs[i], path)
						   : -ENOENT;
		if (err == -ENOENT)
			err = try_path(f, "%s/%s", f->s->exe_dirs[i], name);
	}
	return err;
}

static int by_build_id(struct finder *f)
{
	char hex[2 * BUILD_ID_MAX + 1];
	int err = -ENOENT;

	if (f->id.len < 2)
		return -ENOENT;
	text_hex(f->id.data, f->id.len, hex);
	for (size_t i = 0; f->s->debug_dirs[i] && err == -ENOENT; i++) {
		const char *dir = f->s->debug_dirs[i];

		err = try_path(f, "%s/.build-id/%.2s/%s", dir, hex, hex + 2);
		if (err == -ENOENT)
			err = try_path(f, "%s/.build-id/%.2s/%s.debug", dir, hex, hex + 2);
	}
	return err;
}

static int from_elsewhere(struct finder *f)
{
	enum elf_find_problem ignored;
	int fd;

	if (!f->id.len || !f->s->find_debug)
		return -ENOENT;
	fd = f->s->find_debug(f->s->find_ctx, &f->id);
	return fd < 0 ? -ENOENT : take(f, fd, NULL, &ignored);
}

/* Go's own build ids are longer, and no directory is sorted by them. They count as none. */
static void parse_id(struct build_id *id, const char *hex)
{
	int n = text_unhex(hex, id->data, sizeof(id->data));

	id->len = n > 0 ? (uint8_t)n : 0;
}

int elf_find(struct elf_found *out, const struct elf_search *s, const char *path,
	     const char *build_id, enum elf_find_problem *problem)
{
	size_t len = strlen(path) - (text_has_suffix(path, DELETED) ? strlen(DELETED) : 0);
	_cleanup_free_ char *name = strndup(path, len);
	struct elf_found found = {.fd = -1};
	struct finder f = {.s = s, .out = &found};
	int err;

	if (!name)
		return -ENOMEM;
	parse_id(&f.id, build_id);
	found.id = f.id;
	err = at_own_path(&f, name);
	if (err == -ENOENT)
		err = in_exe_dirs(&f, name);
	if (err == -ENOENT)
		err = by_build_id(&f);
	if (err == -ENOENT)
		err = from_elsewhere(&f);
	if (!err)
		*out = found;
	*problem = !f.id.len || f.problem == ELF_FIND_OTHER_ID ? f.problem : ELF_FIND_NO_ID;
	return err;
}
