/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file is mapped, and its path, as the process sees it (d_path() of the kernel may not be called). */
#ifndef KILN_BPF_FILE_NAMES_H
#define KILN_BPF_FILE_NAMES_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>

#include "bpf/abi.h"
#include "bpf/kernel_read.bpf.h"
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
static __always_inline bool overlay_place(__u64 file, struct file_place *p)
{
	const struct backing_file *backing;
	const struct dentry *dentry;
	__u64 mnt, sb;

	if (!bpf_core_field_exists(struct backing_file, user_path))
		return false;
	backing = KERNEL(backing_file, file);
	mnt = (__u64)backing->user_path.mnt;
	if ((__s64)mnt >= 0) /* no address of the kernel's */
		return false;
	dentry = backing->user_path.dentry;
	sb = (__u64)KERNEL(vfsmount, mnt)->mnt_sb;
	if (!sb || sb != (__u64)dentry->d_sb)
		return false;
	p->mnt = mnt;
	p->dentry = (__u64)dentry;
	p->inode = (__u64)dentry->d_inode;
	return true;
}

static __always_inline struct file_place file_place(__u64 file)
{
	const struct file *f;
	struct file_place p;

	if (overlay_place(file, &p))
		return p;
	f = KERNEL(file, file);
	p.mnt = (__u64)f->f_path.mnt;
	p.dentry = (__u64)f->f_path.dentry;
	p.inode = (__u64)f->f_inode;
	return p;
}

static __always_inline void file_key_of(const struct file_place *p, struct kiln_file_key *key)
{
	const struct inode *inode = KERNEL(inode, p->inode);

	key->inode = inode->i_ino;
	key->dev = inode->i_sb->s_dev;
	key->generation = inode->i_generation;
}

#define PATH_MOUNTS 4 /* mounts upon each other's root that are passed at once */

enum path_step { PATH_NAMED, PATH_UNNAMED, PATH_END };

/* Goes on to the directory above, over mount points; w->named is what led from there to here. */
static __always_inline enum path_step path_up(struct path_walk *w)
{
	for (int mounts = 0; mounts < PATH_MOUNTS; mounts++) {
		const struct mount *mount =
			KERNEL(mount, w->mnt - bpf_core_field_offset(struct mount, mnt));
		__u64 above;

		if (w->dentry == w->root_dentry && w->mnt == w->root_mnt)
			return PATH_END;
		if ((__u64)mount->mnt.mnt_root != w->dentry) {
			w->named = w->dentry;
			w->dentry = (__u64)KERNEL(dentry, w->dentry)->d_parent;
			return w->dentry == w->named ? PATH_UNNAMED : PATH_NAMED;
		}
		above = (__u64)mount->mnt_parent + bpf_core_field_offset(struct mount, mnt);
		if (above == w->mnt)
			return PATH_END;
		w->dentry = (__u64)mount->mnt_mountpoint;
		w->mnt = above;
	}
	return PATH_END;
}

/* Adds a component to the path. Not 0: that was all. */
__attribute__((noinline)) int path_add(void)
{
	struct mappings_env *e = mappings_env_here();
	__u64 len;
	long n;
	int step;

	if (!e)
		return 1;
	len = e->file.head.n;
	step = len < KILN_PATH_MAX ? path_up(&e->path) : PATH_END;
	if (step == PATH_END)
		return 1;
	n = bpf_probe_read_kernel_str(e->file.path + (len & (KILN_PATH_MAX - 1)), 256,
				      KERNEL(dentry, e->path.named)->d_name.name);
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
	struct task_struct *task = bpf_get_current_task_btf();

	e->path.mnt = p->mnt;
	e->path.dentry = p->dentry;
	e->path.root_mnt = (__u64)task->fs->root.mnt;
	e->path.root_dentry = (__u64)task->fs->root.dentry;
	e->file.is_deleted = !KERNEL(dentry, p->dentry)->d_hash.pprev;
	e->file.is_unnamed = 0;
	e->file.head.n = 0;
	for (int i = 0; i < PATH_PARTS; i++)
		if (path_add())
			break;
}

#endif
