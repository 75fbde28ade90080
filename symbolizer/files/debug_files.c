// SPDX-License-Identifier: GPL-2.0-or-later
/* GDB manual, "Debugging Information in Separate Files": where such files are. */
#include "symbolizer/files/debug_files.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/files/rooted.h"

/* A link is a file name and 4 to 32 bytes of identity. */
#define LINK_BYTES_MAX (PATH_MAX + 64)
/* Bytes read for a checksum. Debug files without a build id are rare and old. */
#define CRC_BYTES_MAX (1ull << 30)

/* What a candidate must match. With neither, any file will do: split units have their own id. */
struct expectation {
	const struct build_id *build_id;
	const uint32_t *crc;
	const struct elf_obj *not_this; /* a link may lead back to the file itself */
};

/* --- opening ---------------------------------------------------------------------------------- */

static bool crc_matches(struct elf_obj *obj, uint32_t want)
{
	enum { CHUNK = 256 << 10 };
	_cleanup_free_ uint8_t *buf = NULL;
	uint64_t size = elf_obj_file_size(obj);
	uLong crc = crc32(0, NULL, 0);

	if (size > CRC_BYTES_MAX)
		return false;
	buf = malloc(CHUNK);
	for (uint64_t off = 0; buf && off < size; off += CHUNK) {
		long n = elf_obj_pread(obj, buf, CHUNK, off);

		if (n <= 0)
			return false;
		crc = crc32(crc, buf, (uInt)n);
	}
	return buf && crc == want;
}

static bool fits(struct elf_obj *obj, const struct expectation *want)
{
	if (want->not_this && elf_obj_machine(obj) != elf_obj_machine(want->not_this))
		return false;
	if (want->build_id)
		return build_id_equal(elf_obj_build_id(obj), want->build_id);
	return !want->crc || crc_matches(obj, *want->crc);
}

/* Takes the descriptor (or -errno). 0 if it is of the wanted file, else -ENOENT or -ENOMEM. */
static int try_fd(struct elf_obj **out, const struct debug_search *s, int fd,
		  const struct expectation *want)
{
	struct elf_obj *obj;
	int err;

	if (fd < 0)
		return -ENOENT;
	err = elf_obj_open(&obj, fd, s->limits);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	if (!fits(obj, want)) {
		elf_obj_free(obj);
		return -ENOENT;
	}
	*out = obj;
	return 0;
}

/* Tries one path in one root (root_fd -1: the host's). */
static int try_open(struct elf_obj **out, const struct debug_search *s, int root_fd,
		    const char *path, const struct expectation *want)
{
	const struct debug_opener *opener = s->opener;

	if (opener && opener->open)
		return try_fd(out, s, opener->open(opener->ctx, root_fd, path), want);
	return try_fd(out, s, rooted_open(root_fd, path), want);
}

/* Asks the opener for a file that no directory has. */
static int ask_for(struct elf_obj **out, const struct debug_search *s, const struct build_id *id,
		   const struct expectation *want)
{
	const struct debug_opener *opener = s->opener;

	if (!opener || !opener->find || !id->len)
		return -ENOENT;
	return try_fd(out, s, opener->find(opener->ctx, id), want);
}

/* Tries a path in the process's root, then in the host's. */
static int try_roots(struct elf_obj **out, const struct debug_search *s, const char *path,
		     const struct expectation *want)
{
	int err = -ENOENT;

	if (s->root_fd >= 0)
		err = try_open(out, s, s->root_fd, path, want);
	return err == -ENOENT ? try_open(out, s, -1, path, want) : err;
}

__attribute__((format(printf, 4, 5))) static int try_path(struct elf_obj **out,
							  const struct debug_search *s,
							  const struct expectation *want,
							  const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || path[0] != '/')
		return -ENOENT;
	return try_roots(out, s, path, want);
}

/* --- places ----------------------------------------------------------------------------------- */

static int by_build_id(struct elf_obj **out, const struct debug_search *s,
		       const struct build_id *id, const struct expectation *want)
{
	char hex[2 * BUILD_ID_MAX + 1];
	int err = -ENOENT;

	if (id->len < 2)
		return -ENOENT;
	text_hex(id->data, id->len, hex);
	for (size_t i = 0; s->dirs[i] && err == -ENOENT; i++)
		err = try_path(out, s, want, "%s/.build-id/%.2s/%s.debug", s->dirs[i], hex,
			       hex + 2);
	return err;
}

/* Length of the directory in path, "/usr/bin" of "/usr/bin/ls". */
static int dir_len(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? (int)(slash - path) : 0;
}

/* Reads a section that holds a NUL-terminated name and then `tail` bytes of identity. */
static int read_link(struct elf_obj *obj, const char *section, char *name, uint8_t *tail,
		     size_t *tail_len)
{
	const struct elf_section *sec = elf_obj_section(obj, section);
	const uint8_t *data, *nul;
	size_t len;
	int err;

	if (!sec || sec->size > LINK_BYTES_MAX)
		return -ENOENT;
	err = elf_obj_data(obj, sec, &data, &len);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	nul = len <= LINK_BYTES_MAX ? memchr(data, 0, len) : NULL;
	if (!nul || nul == data || nul - data >= PATH_MAX || len - (nul - data) - 1 > *tail_len)
		return -ENOENT;
	memcpy(name, data, nul - data + 1);
	*tail_len = len - (nul - data) - 1;
	memcpy(tail, nul + 1, *tail_len);
	return 0;
}

/*
 * The section holds a name, padding to 4 bytes, and a CRC. Like gdb, ignores a name with a slash.
 */
static int by_debuglink(struct elf_obj **out, struct elf_obj *main, const struct debug_search *s,
			const struct expectation *id)
{
	struct expectation want = *id;
	char name[PATH_MAX];
	uint8_t tail[8];
	size_t tail_len = sizeof(tail);
	int dir = dir_len(s->path), err;
	uint32_t crc;

	err = read_link(main, ".gnu_debuglink", name, tail, &tail_len);
	if (err || strchr(name, '/') || tail_len < sizeof(crc) || !s->path)
		return err ?: -ENOENT;
	memcpy(&crc, tail + tail_len - sizeof(crc), sizeof(crc));
	if (!want.build_id)
		want.crc = &crc;
	/* The file itself would pass the check by build id and add nothing. */
	err = strcmp(name, s->path + dir + (s->path[dir] == '/'))
		      ? try_path(out, s, &want, "%.*s/%s", dir, s->path, name)
		      : -ENOENT;
	if (err == -ENOENT)
		err = try_path(out, s, &want, "%.*s/.debug/%s", dir, s->path, name);
	for (size_t i = 0; s->dirs[i] && err == -ENOENT; i++)
		err = try_path(out, s, &want, "%s%.*s/%s", s->dirs[i], dir, s->path, name);
	return err;
}

/* Debian's kernel modules have no link: their debug files are at the same path. Fedora adds a
 * suffix. */
static int by_own_path(struct elf_obj **out, struct elf_obj *main, const struct debug_search *s,
		       const struct expectation *want)
{
	int err = -ENOENT;

	if (elf_obj_type(main) != ET_REL || !want->build_id || !s->path)
		return -ENOENT;
	for (size_t i = 0; s->dirs[i] && err == -ENOENT; i++) {
		err = try_path(out, s, want, "%s%s", s->dirs[i], s->path);
		if (err == -ENOENT)
			err = try_path(out, s, want, "%s%s.debug", s->dirs[i], s->path);
	}
	return err;
}

int debug_file_open(struct elf_obj **out, struct elf_obj *main, const struct debug_search *s)
{
	const struct build_id *id = elf_obj_build_id(main);
	struct expectation want = {.build_id = id->len ? id : NULL, .not_this = main};
	int err = by_build_id(out, s, id, &want);

	if (err == -ENOENT)
		err = by_debuglink(out, main, s, &want);
	if (err == -ENOENT)
		err = by_own_path(out, main, s, &want);
	return err == -ENOENT ? ask_for(out, s, id, &want) : err;
}

int debug_altfile_open(struct elf_obj **out, struct elf_obj *debug, const struct debug_search *s)
{
	struct build_id id = {0};
	struct expectation want = {.build_id = &id, .not_this = debug};
	char name[PATH_MAX];
	size_t len = sizeof(id.data);
	int err = read_link(debug, ".gnu_debugaltlink", name, id.data, &len);

	if (err)
		return err;
	id.len = (uint8_t)len;
	if (!len)
		return -ENOENT;
	err = by_build_id(out, s, &id, &want);
	if (err != -ENOENT)
		return err;
	if (name[0] == '/')
		err = try_path(out, s, &want, "%s", name);
	else
		err = try_path(out, s, &want, "%.*s/%s", dir_len(s->path), s->path ?: "", name);
	return err == -ENOENT ? ask_for(out, s, &id, &want) : err;
}

int debug_dwo_open(struct elf_obj **out, const struct debug_search *s, const char *name,
		   const char *comp_dir)
{
	struct expectation want = {0};
	const char *base = name + dir_len(name) + !!strchr(name, '/');
	int err;

	if (name[0] == '/')
		err = try_path(out, s, &want, "%s", name);
	else
		err = comp_dir ? try_path(out, s, &want, "%s/%s", comp_dir, name) : -ENOENT;
	if (err != -ENOENT || !s->path)
		return err;
	return try_path(out, s, &want, "%.*s/%s", dir_len(s->path), s->path, base);
}

int debug_dwp_open(struct elf_obj **out, const struct debug_search *s)
{
	struct expectation want = {0};

	return s->path ? try_path(out, s, &want, "%s.dwp", s->path) : -ENOENT;
}

/* Sections say it best: patchelf lets the first segment of a program begin earlier, and moves no code. */
uint64_t debug_file_bias(const struct elf_obj *main, const struct elf_obj *debug)
{
	const struct elf_section *text = elf_obj_section(main, ".text");
	const struct elf_section *text_there = elf_obj_section(debug, ".text");
	size_t n_main, n_debug;
	const struct elf_segment *m = elf_obj_segments(main, &n_main);
	const struct elf_segment *d = elf_obj_segments(debug, &n_debug);

	if (text && text_there && text->va && text_there->va)
		return text->va - text_there->va;
	return n_main && n_debug ? m[0].va - d[0].va : 0;
}
