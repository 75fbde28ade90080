// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/cursor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"

#define MODE_DIR     0750
#define MODE_FILE    0640
#define FILE_MAX     4096
#define VERSION_TEXT "kiln-cursor 1\n"
#define KIND_TEXT    "kiln-cursor "
#define SUFFIX	     ".cursor"
#define REMOVED	     ".removed"
#define STATUS	     ".status"
#define TMP	     ".tmp"
#define PATH_BYTES   (3 * CURSOR_NAME_MAX + 16)

/* --- names ---------------------------------------------------------------------------------------- */

static bool is_plain(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || (c == '.' && !is_first);
}

static int file_name(const char *name, const char *suffix, char out[PATH_BYTES])
{
	size_t n = 0;

	if (!name[0] || strlen(name) > CURSOR_NAME_MAX)
		return -EINVAL;
	for (const char *s = name; *s; s++)
		n += (size_t)snprintf(out + n, PATH_BYTES - n,
				      is_plain(*s, s == name) ? "%c" : "%%%02X",
				      is_plain(*s, s == name) ? *s : (unsigned char)*s);
	snprintf(out + n, PATH_BYTES - n, "%s", suffix);
	return 0;
}

static bool name_of(const char *file, const char *suffix, char out[CURSOR_NAME_MAX + 1])
{
	size_t len = strlen(file), n = 0;
	uint8_t byte;

	if (!text_has_suffix(file, suffix))
		return false;
	len -= strlen(suffix);
	for (size_t i = 0; i < len && n < CURSOR_NAME_MAX; i++) {
		char hex[3] = {0};

		out[n] = file[i];
		if (file[i] == '%') {
			memcpy(hex, file + i + 1, 2);
			if (i + 2 >= len || text_unhex(hex, &byte, 1) != 1)
				return false;
			out[n] = (char)byte;
			i += 2;
		}
		n += out[n] != '\0';
	}
	out[n] = '\0';
	return n > 0;
}

/* --- the directory -------------------------------------------------------------------------------- */

static int open_and_lock(struct cursors *c, const char *path)
{
	if (mkdir(path, MODE_DIR) && errno != EEXIST)
		return -errno;
	c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (c->dir < 0)
		return -errno;
	c->lock = openat(c->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE_FILE);
	if (c->lock < 0)
		return -errno;
	if (flock(c->lock, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

int cursors_open(struct cursors *c, const char *path, struct why *why)
{
	int err;

	*c = (struct cursors){-1, -1};
	err = open_and_lock(c, path);
	if (!err)
		return 0;
	cursors_close(c);
	if (err == -EBUSY)
		return why_say(why, err, "%s is in use by another process: one agent a store",
			       path);
	return why_say(why, err, "%s: %s", path, strerror(-err));
}

void cursors_close(struct cursors *c)
{
	cleanup_close_fd(&c->lock);
	cleanup_close_fd(&c->dir);
	*c = (struct cursors){-1, -1};
}

/* --- one file ------------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	size_t offset;
} fields[] = {
	{"segment", offsetof(struct spool_place, segment)},
	{"sequence", offsetof(struct spool_place, sequence)},
	{"row", offsetof(struct spool_place, row)},
	{"window_ns", offsetof(struct spool_place, window_ns)},
};
#define N_FIELDS (sizeof(fields) / sizeof(*fields))

static int64_t *field(struct spool_place *p, size_t i)
{
	return (int64_t *)((char *)p + fields[i].offset);
}

static void print(struct buf *out, const struct spool_place *p)
{
	buf_str(out, VERSION_TEXT);
	for (size_t i = 0; i < N_FIELDS; i++)
		buf_printf(out, "%s %" PRId64 "\n", fields[i].key,
			   *field((struct spool_place *)p, i));
	buf_printf(out, "check %08" PRIx32 "\n", hash_check(out->data, out->len));
}

/* "KEY 123\n" at *text, which moves on. */
static bool take_line(char **text, const char *key, char **value)
{
	char *line = strsep(text, "\n");
	size_t len = strlen(key);

	if (!line || !*text || strncmp(line, key, len) != 0 || line[len] != ' ')
		return false;
	*value = line + len + 1;
	return true;
}

static bool check_is_right(const char *text, size_t len)
{
	const char *check = strstr(text, "\ncheck ");
	char right[32];

	if (!check)
		return false;
	snprintf(right, sizeof(right), "check %08" PRIx32 "\n",
		 hash_check(text, (size_t)(check + 1 - text)));
	return !strcmp(check + 1, right) && strlen(text) == len;
}

static int parse(char *text, size_t len, struct spool_place *out)
{
	struct spool_place p = {0};
	char *value, *rest = text;
	uint64_t v;

	if (!text_has_prefix(text, VERSION_TEXT) || !check_is_right(text, len))
		return -EBADMSG;
	strsep(&rest, "\n");
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!take_line(&rest, fields[i].key, &value) ||
		    text_parse_u64(value, INT64_MAX, &v))
			return -EBADMSG;
		*field(&p, i) = (int64_t)v;
	}
	*out = p;
	return 0;
}

/* 1, 0: it is not there, or -errno. */
static int load_file(const struct cursors *c, const char *file, struct spool_place *out)
{
	_cleanup_close_ int fd =
		openat(c->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err;

	if (fd < 0)
		return errno == ENOENT ? 0 : errno == ELOOP ? -EBADMSG : -errno;
	err = io_read_fd(fd, FILE_MAX, &text, &len);
	if (err)
		return err == -EFBIG || err == -EISDIR ? -EBADMSG : err;
	return parse(text, len, out) ?: 1;
}

int cursor_load(const struct cursors *c, const char *name, struct spool_place *out)
{
	char file[PATH_BYTES], removed[PATH_BYTES];
	int got = file_name(name, SUFFIX, file) ?: file_name(name, REMOVED, removed);

	got = got ?: load_file(c, file, out);
	if (got)
		return got;
	got = load_file(c, removed, out);
	if (got == 1 && renameat(c->dir, removed, c->dir, file))
		return -errno;
	return got;
}

/* What has the name goes first, whatever it is: to open a FIFO would wait for a reader. */
static int write_file(const struct cursors *c, const char *file, const struct buf *text,
		      bool is_synced)
{
	_cleanup_close_ int fd = -1;
	int err;

	if (unlinkat(c->dir, file, 0) && errno != ENOENT)
		return -errno;
	fd = openat(c->dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE_FILE);
	if (fd < 0)
		return -errno;
	err = io_write(fd, text->data, text->len);
	return err ?: is_synced && fsync(fd) ? -errno : 0;
}

int cursor_save(const struct cursors *c, const char *name, const struct spool_place *p)
{
	char file[PATH_BYTES], tmp[PATH_BYTES];
	struct buf text = {0};
	int err = file_name(name, SUFFIX, file) ?: file_name(name, TMP, tmp);

	if (err)
		return err;
	print(&text, p);
	err = text.err ?: write_file(c, tmp, &text, true);
	buf_release(&text);
	if (!err && (renameat(c->dir, tmp, c->dir, file) || (fsync(c->dir) && errno != EINVAL)))
		err = -errno;
	if (err)
		unlinkat(c->dir, tmp, 0);
	return err;
}

/* --- what people are told ------------------------------------------------------------------------- */

int cursor_save_status(const struct cursors *c, const char *name, const struct buf *text)
{
	char file[PATH_BYTES], tmp[PATH_BYTES];
	int err = file_name(name, STATUS, file) ?: file_name(name, STATUS TMP, tmp);

	err = err ?: text->err ?: write_file(c, tmp, text, false);
	if (!err && renameat(c->dir, tmp, c->dir, file))
		err = -errno;
	return err;
}

int cursor_load_status(char **out, const char *path, const char *name)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
			    fd = -1;
	char file[PATH_BYTES];
	size_t len;
	int err = dir < 0 ? -errno : file_name(name, STATUS, file);

	if (err)
		return err;
	fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : io_read_fd(fd, FILE_MAX, out, &len);
}

/* --- those that are left -------------------------------------------------------------------------- */

struct names {
	VEC(char *) v;
};

static void names_release(struct names *n)
{
	for (size_t i = 0; i < n->v.len; i++)
		free(n->v.data[i]);
	vec_release(&n->v);
}

static int add_name(struct names *n, const char *name)
{
	char *copy = strdup(name);

	if (copy && !vec_push(&n->v, copy))
		return 0;
	free(copy);
	return -ENOMEM;
}

/* Renaming while a directory is read may show a file twice. */
static int list(const struct cursors *c, struct names *out)
{
	int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!stream) {
		err = -errno;
		cleanup_close_fd(&fd);
		return err;
	}
	while (!err && (errno = 0, e = readdir(stream)))
		err = add_name(out, e->d_name);
	err = err ?: -errno;
	closedir(stream);
	return err;
}

static void put_aside(const struct cursors *c, const char *file, const char *name,
		      const struct cursor_sweep *s)
{
	static const struct timespec now[] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	struct spool_place p = {0};
	char removed[PATH_BYTES];

	if (load_file(c, file, &p) == 1)
		s->removed(s->ctx, name, &p);
	if (file_name(name, REMOVED, removed) || renameat(c->dir, file, c->dir, removed) ||
	    utimensat(c->dir, removed, now, AT_SYMLINK_NOFOLLOW))
		unlinkat(c->dir, file, 0);
}

static bool is_old(const struct cursors *c, const char *file, int64_t now_unix_ns)
{
	struct stat st;

	return !fstatat(c->dir, file, &st, AT_SYMLINK_NOFOLLOW) &&
	       now_unix_ns / 1000000000 - st.st_mtime > CURSOR_KEPT_NS / 1000000000;
}

int cursors_sweep(const struct cursors *c, int64_t now_unix_ns, const struct cursor_sweep *s)
{
	char name[CURSOR_NAME_MAX + 1];
	struct names files = {0};
	int err = list(c, &files);

	for (size_t i = 0; i < files.v.len && !err; i++) {
		const char *file = files.v.data[i];

		if (name_of(file, SUFFIX, name) && !s->is_known(s->ctx, name))
			put_aside(c, file, name, s);
		else if ((name_of(file, REMOVED, name) && is_old(c, file, now_unix_ns)) ||
			 (name_of(file, STATUS, name) && !s->is_known(s->ctx, name)))
			unlinkat(c->dir, file, 0);
	}
	names_release(&files);
	return err;
}
