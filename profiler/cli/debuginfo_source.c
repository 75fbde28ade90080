// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/debuginfo_source.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/io.h"
#include "profiler/base/text.h"

static bool has_bytes(const struct elf_obj *obj, const char *name)
{
	const struct elf_section *s = elf_obj_section(obj, name);

	return s && s->type != SHT_NOBITS && s->size;
}

/* The object has a descriptor of its own. 0 or -errno. */
static int take_elf(struct debuginfo_source *out, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	out->fd = fd;
	return copy < 0 ? -errno : elf_obj_open(&out->obj, copy, NULL);
}

static void drop_elf(struct debuginfo_source *s)
{
	cleanup_close_fd(&s->fd);
	elf_obj_free(s->obj);
	s->obj = NULL;
}

static int open_elf(struct debuginfo_source *out, const char *path, struct why *why)
{
	int fd = io_open_regular(AT_FDCWD, path), err;

	if (fd < 0)
		return why_say(why, fd, "%s: %s", path,
			       fd == -EINVAL ? "not a regular file" : strerror(-fd));
	err = take_elf(out, fd);
	if (err == -ENOEXEC || err == -EBADMSG)
		return why_say(why, -ENOEXEC, "%s: not an ELF file that kiln can read", path);
	if (!err && elf_obj_build_id(out->obj)->len < 2)
		return why_say(why, -ENODATA, "%s: it has no build id: link it with --build-id",
			       path);
	return err ? why_say(why, err, "%s: %s", path, strerror(-err)) : 0;
}

/* Takes it in place of the file, if it is of the same build and has symbols. 0, -ENOENT or -ENOMEM. */
static int try_debug_file(struct debuginfo_source *s, const char *path)
{
	struct debuginfo_source other = {.fd = -1};
	int fd = io_open_regular(AT_FDCWD, path);
	int err = fd < 0 ? -ENOENT : take_elf(&other, fd);

	if (!err && (!build_id_equal(elf_obj_build_id(s->obj), elf_obj_build_id(other.obj)) ||
		     (!has_bytes(other.obj, ".debug_info") && !has_bytes(other.obj, ".symtab"))))
		err = -ENOENT;
	if (err) {
		drop_elf(&other);
		return err == -ENOMEM ? err : -ENOENT;
	}
	drop_elf(s);
	s->fd = other.fd;
	s->obj = other.obj;
	return 0;
}

/* Without ".debug" it is often a link to the stripped file. */
static int find_better(struct debuginfo_source *s, const char *const *debug_dirs)
{
	static const char *const suffixes[] = {".debug", ""};
	char path[PATH_MAX];
	int err = -ENOENT;

	for (size_t i = 0; debug_dirs[i / 2] && err == -ENOENT; i++) {
		int n = snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s%s", debug_dirs[i / 2],
				 s->build_id, s->build_id + 2, suffixes[i % 2]);

		if (n > 0 && (size_t)n < sizeof(path))
			err = try_debug_file(s, path);
	}
	return err;
}

static int choose(struct debuginfo_source *s, const char *path, const char *const *debug_dirs,
		  struct why *why)
{
	int err;

	if (has_bytes(s->obj, ".debug_info"))
		return 0;
	err = find_better(s, debug_dirs);
	if (err == -ENOENT && has_bytes(s->obj, ".symtab"))
		return 0;
	if (err == -ENOENT)
		return why_say(why, -ENODATA,
			       "%s: it is stripped, and there is no debug file of its build id "
			       "%s: a store that had this one would take no better one",
			       path, s->build_id);
	return err ? why_say(why, err, "%s: %s", path, strerror(-err)) : 0;
}

static int describe(struct debuginfo_source *s, const char *path, struct why *why)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (fstat(s->fd, &st))
		return why_say(why, -errno, "%s: %s", path, strerror(errno));
	s->name = strdup(slash ? slash + 1 : path);
	if (!s->name)
		return why_say(why, -ENOMEM, "out of memory");
	s->file = (struct debuginfo_file){
		.fd = s->fd,
		.bytes = (uint64_t)st.st_size,
		.build_id = s->build_id,
		.name = s->name,
		.has_code = has_bytes(s->obj, ".text"),
	};
	return 0;
}

int debuginfo_source_open(struct debuginfo_source *out, const char *path,
			  const char *const *debug_dirs, struct why *why)
{
	const struct build_id *id;
	int err;

	*out = (struct debuginfo_source){.fd = -1};
	err = open_elf(out, path, why);
	if (!err) {
		id = elf_obj_build_id(out->obj);
		text_hex(id->data, id->len, out->build_id);
		err = choose(out, path, debug_dirs, why) ?: describe(out, path, why);
	}
	if (err)
		debuginfo_source_release(out);
	return err;
}

void debuginfo_source_release(struct debuginfo_source *s)
{
	drop_elf(s);
	free(s->name);
	*s = (struct debuginfo_source){.fd = -1};
}
