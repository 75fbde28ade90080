// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/debuginfo_source.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_bytes(const struct elf_obj *obj, const char *name)
{
	const struct elf_section *s = elf_obj_section(obj, name);

	return s && s->type != SHT_NOBITS && s->size;
}

static void id_text(const struct build_id *id, char out[2 * BUILD_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (uint8_t i = 0; i < id->len; i++) {
		out[2 * i] = digits[id->data[i] >> 4];
		out[2 * i + 1] = digits[id->data[i] & 15];
	}
	out[2 * id->len] = '\0';
}

static int open_elf(struct elf_found *out, const char *path, struct why *why)
{
	int err, copy;

	/* A FIFO would wait for somebody who writes. */
	out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (out->fd < 0)
		return why_say(why, -errno, "%s: %s", path, strerror(errno));
	copy = fcntl(out->fd, F_DUPFD_CLOEXEC, 0);
	err = copy < 0 ? -errno : elf_obj_open(&out->obj, copy, NULL);
	if (err == -ENOEXEC || err == -EBADMSG || err == -EINVAL)
		return why_say(why, -ENOEXEC, "%s: not an ELF file that kiln can read", path);
	if (!err && !elf_obj_build_id(out->obj)->len)
		return why_say(why, -ENODATA, "%s: it has no build id: link it with --build-id",
			       path);
	return err ? why_say(why, err, "%s: %s", path, strerror(-err)) : 0;
}

/* Takes the debug file in place of the file, if there is one. */
static int find_better(struct debuginfo_source *s, const char *const *debug_dirs)
{
	const struct elf_search search = {.debug_dirs = debug_dirs};
	enum elf_find_problem problem;
	struct elf_found found = {.fd = -1};
	int err = elf_find(&found, &search, "", s->build_id, &problem);

	if (err)
		return err;
	if (!has_bytes(found.obj, ".debug_info") && !has_bytes(found.obj, ".symtab")) {
		elf_found_release(&found);
		return -ENOENT;
	}
	elf_found_release(&s->found);
	s->found = found;
	return 0;
}

static int choose(struct debuginfo_source *s, const char *path, const char *const *debug_dirs,
		  struct why *why)
{
	int err;

	if (has_bytes(s->found.obj, ".debug_info"))
		return 0;
	err = find_better(s, debug_dirs);
	if (err == -ENOENT && has_bytes(s->found.obj, ".symtab"))
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

	if (fstat(s->found.fd, &st))
		return why_say(why, -errno, "%s: %s", path, strerror(errno));
	s->name = strdup(slash ? slash + 1 : path);
	if (!s->name)
		return why_say(why, -ENOMEM, "out of memory");
	s->file = (struct debuginfo_file){
		.fd = s->found.fd,
		.bytes = (uint64_t)st.st_size,
		.build_id = s->build_id,
		.name = s->name,
		.has_code = has_bytes(s->found.obj, ".text"),
	};
	return 0;
}

int debuginfo_source_open(struct debuginfo_source *out, const char *path,
			  const char *const *debug_dirs, struct why *why)
{
	int err;

	*out = (struct debuginfo_source){.found = {.fd = -1}};
	err = open_elf(&out->found, path, why);
	if (!err) {
		id_text(elf_obj_build_id(out->found.obj), out->build_id);
		err = choose(out, path, debug_dirs, why) ?: describe(out, path, why);
	}
	if (err)
		debuginfo_source_release(out);
	return err;
}

void debuginfo_source_release(struct debuginfo_source *s)
{
	elf_found_release(&s->found);
	free(s->name);
	*s = (struct debuginfo_source){.found = {.fd = -1}};
}
