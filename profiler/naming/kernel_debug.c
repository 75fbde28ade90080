// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/kernel_debug.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/head/elf_note.h"

/* The notes of a kernel have some hundred bytes. */
#define NOTES_BYTES_MAX 65536
/* 4,000 modules have 600 KiB of lines "kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko ...". */
#define MODULES_DEP_MAX (16u << 20)

/* Code that is contiguous in the file and in memory. */
struct piece {
	uint64_t addr, len, elf_va;
};

struct kernel_file {
	char *module; /* "": the kernel */
	int fd;	      /* -1: no file fits */
	char *path;
	struct build_id build_id;
	VEC(struct piece) pieces;
};

struct kernel_debug {
	char *root, *release;
	uint64_t stext;
	VEC(struct kernel_file *) files; /* files looked for so far */
};

static void kernel_file_free(struct kernel_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	vec_release(&f->pieces);
	free(f->module);
	free(f->path);
	free(f);
}
DEFINE_CLEANUP(kernel_file, kernel_file_free)

/* --- what runs -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static bool path_in(char *out, const struct kernel_debug *k,
							  const char *fmt, ...)
{
	int root = snprintf(out, PATH_MAX, "%s", k->root), n;
	va_list ap;

	if (root < 0 || root >= PATH_MAX)
		return false;
	va_start(ap, fmt);
	n = vsnprintf(out + root, PATH_MAX - (size_t)root, fmt, ap);
	va_end(ap);
	return n >= 0 && n < PATH_MAX - root;
}

static bool running_build_id(const struct kernel_debug *k, struct kernel_file *f)
{
	_cleanup_free_ char *notes = NULL;
	char path[PATH_MAX];
	size_t len;
	bool ok = *f->module
			  ? path_in(path, k, "/sys/module/%s/notes/.note.gnu.build-id", f->module)
			  : path_in(path, k, "/sys/kernel/notes");

	return ok && !io_read_file(path, NOTES_BYTES_MAX, &notes, &len) &&
	       elf_note_build_id(notes, len, 4, &f->build_id);
}

/* Address of a loaded module's section, which only root may read. */
static bool section_address(const struct kernel_debug *k, const char *module, const char *section,
			    uint64_t *addr)
{
	char path[PATH_MAX], line[32], *end;

	if (strchr(section, '/') ||
	    !path_in(path, k, "/sys/module/%s/sections/%s", module, section) ||
	    io_read_line(path, line, sizeof(line)))
		return false;
	errno = 0;
	*addr = strtoull(line, &end, 16);
	return !errno && end != line && !*end && *addr;
}

/* --- the file --------------------------------------------------------------------------------- */

/*
 * vmlinux has its own addresses, and KASLR moves it as a whole. _stext is the start of its .text.
 */
static int place_kernel(const struct kernel_debug *k, struct kernel_file *f, struct elf_obj *obj)
{
	const struct elf_section *text = elf_obj_section(obj, ".text");
	uint64_t moved = k->stext - (text ? text->va : 0);
	size_t n;
	const struct elf_segment *seg = elf_obj_segments(obj, &n);
	int err = 0;

	if (!text || !k->stext || elf_obj_type(obj) == ET_REL)
		return -ENOENT;
	for (size_t i = 0; i < n && !err; i++)
		if (seg[i].exec)
			err = vec_push(&f->pieces, (struct piece){seg[i].va + moved, seg[i].mem_len,
								  seg[i].va});
	return err;
}

/* Modules are object files. Each section can be anywhere. */
static int place_module(const struct kernel_debug *k, struct kernel_file *f, struct elf_obj *obj)
{
	const uint64_t code = SHF_ALLOC | SHF_EXECINSTR;
	int err = 0;

	for (size_t i = 0; i < elf_obj_section_count(obj) && !err; i++) {
		const struct elf_section *sec = elf_obj_section_by_index(obj, i);
		uint64_t addr;

		if ((sec->flags & code) == code && section_address(k, f->module, sec->name, &addr))
			err = vec_push(&f->pieces, (struct piece){addr, sec->size, sec->va});
	}
	return err ?: f->pieces.len ? 0 : -ENOENT;
}

static bool fits(const struct kernel_file *f, struct elf_obj *obj)
{
	return build_id_equal(elf_obj_build_id(obj), &f->build_id) &&
	       elf_obj_section(obj, ".debug_info");
}

/* Whether only those can have written the file who have the rights that this process has: it is parsed here. */
static bool is_trusted(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (!st.st_uid || st.st_uid == geteuid()) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Takes a file if it is the right one. 0, -ENOENT or -ENOMEM. */
static int try_path(const struct kernel_debug *k, struct kernel_file *f, const char *path)
{
	_cleanup_close_ int fd = io_open_regular(AT_FDCWD, path);
	struct elf_obj *obj;
	int other, err;

	if (fd < 0)
		return -ENOENT;
	if (!is_trusted(fd)) {
		log_debug("%s: others than root may write it, so it is not read", path);
		return -ENOENT;
	}
	other = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (other < 0)
		return -ENOENT;
	err = elf_obj_open(&obj, other, NULL);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	err = !fits(f, obj) ? -ENOENT
	      : *f->module  ? place_module(k, f, obj)
			    : place_kernel(k, f, obj);
	elf_obj_free(obj);
	if (err)
		return err;
	f->path = strdup(path);
	if (!f->path)
		return -ENOMEM;
	f->fd = steal_fd(&fd);
	return 0;
}

#define TRY(...) (path_in(path, k, __VA_ARGS__) ? try_path(k, f, path) : -ENOENT)

/* Length of a module's path without its compression suffix; 0 if it is another module's. */
static size_t match_module(const char *path, size_t len, const char *module)
{
	size_t base = 0, n = strlen(module);

	for (size_t i = 0; i < len; i++)
		base = path[i] == '/' ? i + 1 : base;
	if (len - base < n + 3 || memcmp(path + base + n, ".ko", 3) != 0 ||
	    (len > base + n + 3 && path[base + n + 3] != '.'))
		return 0;
	for (size_t i = 0; i < n; i++) /* the file may be called snd-timer.ko */
		if (path[base + i] != module[i] && !(path[base + i] == '-' && module[i] == '_'))
			return 0;
	return base + n + 3;
}

/* Path of a module below /lib/modules/RELEASE, from modules.dep (depmod(8)). */
static char *module_path(const struct kernel_debug *k, const char *module)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t len, n;

	if (!path_in(path, k, "/lib/modules/%s/modules.dep", k->release) ||
	    io_read_file(path, MODULES_DEP_MAX, &text, &len))
		return NULL;
	for (char *line = text, *next; line; line = next) {
		size_t colon = strcspn(line, ":\n");

		n = match_module(line, colon, module);
		if (n)
			return strndup(line, n);
		next = strchr(line + colon, '\n');
		next = next ? next + 1 : NULL;
	}
	return NULL;
}

static int find_module(const struct kernel_debug *k, struct kernel_file *f)
{
	_cleanup_free_ char *at = module_path(k, f->module);
	char path[PATH_MAX];
	int err;

	if (!at)
		return -ENOENT;
	/* Fedora and Debian; then a module that has its debug sections itself. */
	err = TRY("/usr/lib/debug/lib/modules/%s/%s.debug", k->release, at);
	if (err == -ENOENT)
		err = TRY("/usr/lib/debug/lib/modules/%s/%s", k->release, at);
	return err == -ENOENT ? TRY("/lib/modules/%s/%s", k->release, at) : err;
}

static int find_kernel(const struct kernel_debug *k, struct kernel_file *f)
{
	static const char *const places[] = {
		"/usr/lib/debug/boot/vmlinux-%s",	 /* Debian, Ubuntu */
		"/usr/lib/debug/lib/modules/%s/vmlinux", /* Fedora */
		"/usr/lib/debug/boot/vmlinux-%s.debug",	 /* openSUSE */
		"/lib/modules/%s/build/vmlinux",	 /* built on this machine */
		"/boot/vmlinux-%s",
	};
	char path[PATH_MAX], name[PATH_MAX];
	int err = -ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && err == -ENOENT; i++) {
		const char *percent = strchr(places[i], '%');

		snprintf(name, sizeof(name), "%.*s%s%s", (int)(percent - places[i]), places[i],
			 k->release, percent + 2);
		err = TRY("%s", name);
	}
	return err;
}

static int find_file(const struct kernel_debug *k, struct kernel_file *f)
{
	char path[PATH_MAX], hex[2 * BUILD_ID_MAX + 1];
	int err;

	if (!running_build_id(k, f))
		return -ENOENT;
	text_hex(f->build_id.data, f->build_id.len, hex);
	err = TRY("/usr/lib/debug/.build-id/%.2s/%s.debug", hex, hex + 2);
	if (err != -ENOENT)
		return err;
	return *f->module ? find_module(k, f) : find_kernel(k, f);
}

/* --- the door --------------------------------------------------------------------------------- */

DEFINE_CLEANUP(kernel_debug, kernel_debug_free)

int kernel_debug_new(struct kernel_debug **out, const struct kernel_debug_opts *opts)
{
	_cleanup_(kernel_debug_freep) struct kernel_debug *k = calloc(1, sizeof(*k));
	struct utsname u = {0};

	if (!k)
		return -ENOMEM;
	uname(&u);
	k->stext = opts->stext;
	k->root = strdup(opts->root ?: "");
	k->release = strdup(opts->release ?: u.release);
	if (!k->root || !k->release)
		return -ENOMEM;
	*out = steal_ptr(k);
	return 0;
}

void kernel_debug_free(struct kernel_debug *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->files.len; i++)
		kernel_file_free(k->files.data[i]);
	vec_release(&k->files);
	free(k->root);
	free(k->release);
	free(k);
}

/* The name comes from /proc/kallsyms and becomes part of a path. */
static bool is_module_name(const char *name)
{
	return !strchr(name, '/') && name[0] != '.' && strlen(name) < NAME_MAX;
}

int kernel_debug_file(struct kernel_debug *k, const char *module, const struct kernel_file **file)
{
	_cleanup_(kernel_file_freep) struct kernel_file *f = NULL;
	int err;

	for (size_t i = 0; i < k->files.len; i++) {
		if (strcmp(k->files.data[i]->module, module) != 0)
			continue;
		*file = k->files.data[i];
		return (*file)->fd < 0 ? -ENOENT : 0;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->module = strdup(module);
	err = f->module ? vec_reserve(&k->files, k->files.len + 1) : -ENOMEM;
	err = err ?: is_module_name(module) ? find_file(k, f) : -ENOENT;
	if (err && err != -ENOENT)
		return err;
	*file = f;
	k->files.data[k->files.len++] = steal_ptr(f);
	return err;
}

int kernel_file_fd(const struct kernel_file *f)
{
	return f->fd;
}

const char *kernel_file_path(const struct kernel_file *f)
{
	return f->path;
}

const struct build_id *kernel_file_build_id(const struct kernel_file *f)
{
	return &f->build_id;
}

bool kernel_file_va(const struct kernel_file *f, uint64_t addr, uint64_t *elf_va)
{
	for (size_t i = 0; i < f->pieces.len; i++) {
		const struct piece *p = &f->pieces.data[i];

		if (addr - p->addr < p->len) {
			*elf_va = p->elf_va + (addr - p->addr);
			return true;
		}
	}
	return false;
}
