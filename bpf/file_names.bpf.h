/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file is mapped, and its path, as the process sees it (d_path() of the kernel may not be called). */
#ifndef KILN_BPF_FILE_NAMES_H
#define KILN_BPF_FILE_NAMES_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>

#include "bpf/abi.h"
#include "bpf/config.bpf.h"
#include "bpf/kernel_types.h"
#include "bpf/mappings_env.bpf.h"

/* Where a file is found. */
struct file_place {
	__u64 mnt, dentry, inode; /* struct vfsmount, dentry, inode */
};

/*
 * What overlayfs maps is a file of another file system: the process knows that of the overlay. That
 * it is such a file only a bit tells that has moved from version to version, so the path is looked at:
 * behind other files there is none whose mount and directory entry belong together.
 */
static __always_inline bool overlay_place(const struct file *file, struct file_place *p)
{
	const struct backing_file *backing = (const void *)file;
	const struct vfsmount *mnt;
	const struct dentry *dentry;
	__u64 sb;

	if (!bpf_core_field_exists(backing->user_path))
		return false;
	mnt = BPF_CORE_READ(backing, user_path.mnt);
	if ((__s64)mnt >= 0) /* no address of the kernel's */
		return false;
	dentry = BPF_CORE_READ(backing, user_path.dentry);
	sb = (__u64)BPF_CORE_READ(mnt, mnt_sb);
	if (!sb || sb != (__u64)BPF_CORE_READ(dentry, d_sb))
		return false;
	p->mnt = (__u64)mnt;
	p->dentry = (__u64)dentry;
	p->inode = (__u64)BPF_CORE_READ(dentry, d_inode);
	return true;
}

static __always_inline struct file_place file_place(const struct file *file)
{
	struct file_place p;

	if (overlay_place(file, &p))
		return p;
	p.mnt = (__u64)BPF_CORE_READ(file, f_path.mnt);
	p.dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
	p.inode = (__u64)BPF_CORE_READ(file, f_inode);
	return p;
}

static __always_inline void file_key_of(const struct file_place *p, struct kiln_file_key *key)
{
	const struct inode *inode = (const void *)p->inode;

	key->inode = BPF_CORE_READ(inode, i_ino);
	key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key->generation = BPF_CORE_READ(inode, i_generation);
}

#define PATH_MOUNTS 4 /* mounts upon each other's root that are passed at once */

enum path_step { PATH_NAMED, PATH_UNNAMED, PATH_END };

/* Goes on to the directory above, over mount points; w->named is what led from there to here. */
static __always_inline enum path_step path_up(struct path_walk *w)
{
	for (int mounts = 0; mounts < PATH_MOUNTS; mounts++) {
		const struct dentry *dentry = (const void *)w->dentry;
		const struct vfsmount *vfs = (const void *)w->mnt;
		const struct mount *above,
			*mount = (const void *)vfs - bpf_core_field_offset(struct mount, mnt);

		if (w->dentry == w->root_dentry && w->mnt == w->root_mnt)
			return PATH_END;
		if ((__u64)BPF_CORE_READ(vfs, mnt_root) != w->dentry) {
			w->named = w->dentry;
			w->dentry = (__u64)BPF_CORE_READ(dentry, d_parent);
			return w->dentry == w->named ? PATH_UNNAMED : PATH_NAMED;
		}
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount)
			return PATH_END;
		w->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		w->mnt = (__u64)above + bpf_core_field_offset(struct mount, mnt);
	}
	return PATH_END;
}

/* Adds a component to the path. Not 0: that was all. */
__attribute__((noinline)) int path_add(void)
{
	struct mappings_env *e = mappings_env_here();
	const struct dentry *dentry;
	__u64 len;
	long n;
	int step;

	if (!tell_mappings || !e)
		return 1;
	len = e->file.head.n;
	step = len < KILN_PATH_MAX ? path_up(&e->path) : PATH_END;
	if (step == PATH_END)
		return 1;
	dentry = (const void *)e->path.named;
	n = bpf_probe_read_kernel_str(e->file.path + (len & (KILN_PATH_MAX - 1)), 256,
				      BPF_CORE_READ(dentry, d_name.name));
	if (n <= 0)
		return 1;
	e->file.head.n += n;
	e->file.is_unnamed = step == PATH_UNNAMED;
	return step == PATH_UNNAMED;
}

#define PATH_PARTS 64 /* components that are read: of a longer path the first ones are missing */

/* Reads the path of a file into e->file. */
static __always_inline void read_path(struct mappings_env *e, const struct file_place *p)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct dentry *leaf = (const void *)p->dentry;

	e->path.mnt = p->mnt;
	e->path.dentry = p->dentry;
	e->path.root_mnt = (__u64)BPF_CORE_READ(task, fs, root.mnt);
	e->path.root_dentry = (__u64)BPF_CORE_READ(task, fs, root.dentry);
	e->file.is_deleted = !BPF_CORE_READ(leaf, d_hash.pprev);
	e->file.is_unnamed = 0;
	e->file.head.n = 0;
	for (int i = 0; i < PATH_PARTS; i++)
		if (path_add())
			break;
}

#endif
