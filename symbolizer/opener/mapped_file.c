// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/opener/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "symbolizer/head/elf_head.h"

#ifndef BTRFS_SUPER_MAGIC
#define BTRFS_SUPER_MAGIC 0x9123683e
#endif

/* A file that is no ELF file has no build id. */
static struct build_id build_id_of(int fd)
{
	struct elf_head head = {.build_id = {.len = 0}};

	elf_head_of(&head, fd);
	return head.build_id;
}

/* Inode generation; 0: unknown. */
static uint64_t generation_of(int fd)
{
	/* The ioctl is defined with a long, but the kernel writes an int (ioctl_iflags(2)). */
	union {
		long room;
		unsigned int value;
	} generation = {.room = 0};

	return ioctl(fd, FS_IOC_GETVERSION, &generation) ? 0 : generation.value;
}

/*
 * A mapping has the device of the super block. On btrfs stat(2) gives the subvolume's device, on
 * overlayfs the overlay's. There only the inode number can be compared.
 */
static bool same_inode(int fd, const struct open_request *req)
{
	struct stat st;
	struct statfs fs;

	if (!req->inode || fstat(fd, &st) || (uint64_t)st.st_ino != req->inode)
		return false;
	if (st.st_dev == makedev(req->major, req->minor))
		return true;
	return !fstatfs(fd, &fs) &&
	       (fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

/*
 * True if it is the requested file. Gives its generation, if the file is identified by its inode.
 */
static bool is_wanted(int fd, const struct open_request *req, const struct build_id *id,
		      uint64_t *generation)
{
	*generation = 0;
	if (req->build_id.len)
		return build_id_equal(id, &req->build_id);
	if (!same_inode(fd, req))
		return false;
	*generation = generation_of(fd);
	return !req->generation || !*generation || *generation == req->generation;
}

/* Takes the handle (or -errno). True if it is the file, which then is in *out. */
static bool accept_handle(int handle_or_err, const struct open_request *req,
			  struct open_result *out)
{
	_cleanup_close_ int handle = handle_or_err, fd = -1;
	struct build_id id;
	uint64_t generation;
	int err = handle < 0 ? handle : req->may_read ? req->may_read(req->ctx, handle) : 0;

	if (!err) {
		fd = io_reopen_regular(handle);
		err = fd < 0 ? fd : 0;
	}
	if (err) {
		out->err = out->replaced ? out->err : err;
		return false;
	}
	id = build_id_of(fd);
	if (!is_wanted(fd, req, &id, &generation)) {
		out->replaced = true;
		out->err = -ESTALE;
		return false;
	}
	out->fd = steal_fd(&fd);
	out->handle = steal_fd(&handle);
	out->err = 0;
	out->build_id = id;
	out->generation = generation;
	return true;
}

static int open_root(pid_t tgid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", tgid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool root_key_of(const char *pid, int root_fd, struct root_key *key)
{
	char path[64];
	struct stat ns, root;

	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	if (stat(path, &ns) || fstat(root_fd, &root))
		return false;
	*key = (struct root_key){ns.st_ino, root.st_dev, root.st_ino};
	return true;
}

/*
 * Remembers the root under which the file was found, unless it is kiln's own. Takes the descriptor.
 */
static void keep_root(struct open_result *out, pid_t tgid, int fd)
{
	_cleanup_close_ int root_fd = fd, own_fd = -1;
	struct root_key own;
	char pid[16];

	if (root_fd < 0)
		return;
	snprintf(pid, sizeof(pid), "%d", tgid);
	own_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (own_fd < 0 || !root_key_of(pid, root_fd, &out->root) ||
	    !root_key_of("self", own_fd, &own))
		return;
	if (memcmp(&own, &out->root, sizeof(own)))
		out->root_fd = steal_fd(&root_fd);
}

static bool try_map_files(const struct open_request *req, struct open_result *out)
{
	char path[96];
	int fd;

	if (!req->tgid || req->va_end <= req->va_start)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", req->tgid,
		 (unsigned long long)req->va_start, (unsigned long long)req->va_end);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (!accept_handle(fd < 0 ? -errno : fd, req, out))
		return false;
	keep_root(out, req->tgid, open_root(req->tgid));
	return true;
}

static bool try_root_of(pid_t tgid, const struct open_request *req, struct open_result *out)
{
	_cleanup_close_ int root_fd = -1;

	if (!tgid || req->path[0] != '/')
		return false;
	root_fd = open_root(tgid);
	if (root_fd < 0) {
		out->err = out->replaced ? out->err : root_fd;
		return false;
	}
	if (!accept_handle(io_open_in_root(root_fd, req->path), req, out))
		return false;
	keep_root(out, tgid, steal_fd(&root_fd));
	return true;
}

void open_mapped_file(const struct open_request *req, struct open_result *out)
{
	int fd;

	*out = (struct open_result){.fd = -1, .err = -ENOENT, .handle = -1, .root_fd = -1};
	if (req->root_fd >= 0 && accept_handle(io_open_in_root(req->root_fd, req->path), req, out))
		return;
	if (try_map_files(req, out) || try_root_of(req->tgid, req, out) ||
	    try_root_of(req->parent_tgid, req, out))
		return;
	if (req->path[0] != '/')
		return;
	fd = open(req->path, O_PATH | O_CLOEXEC);
	accept_handle(fd < 0 ? -errno : fd, req, out);
}
