/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples report what their process has mapped executable: the first sample of a process does, and every
 * later one that finds a change. A process that is never sampled costs nothing. The kernel's mapping
 * events are made for each mapping of each process instead: 4 % of the time of programs that end at
 * once.
 */
#ifndef KILN_BPF_MAPPINGS_H
#define KILN_BPF_MAPPINGS_H

#include "bpf/config.bpf.h"
#include "bpf/file_names.bpf.h"
#include "bpf/hash.bpf.h"
#include "bpf/kernel_read.bpf.h"
#include "bpf/mappings_env.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/target.bpf.h"
#include "bpf/vmas.bpf.h"

#define MAPPINGS_STRIDE 64 /* two nested loops: see UNWIND_STRIDE */
/* Looking at a process takes at most 1/64 of the time; while exec_vm is unchanged, 1/768: malloc() maps, too. */
#define MAPPINGS_REST	   64
#define MAPPINGS_DATA_REST 768
/* Longest pause: a virtual machine may have been stopped meanwhile. */
#define MAPPINGS_REST_NS 50000000ull
#define MAPPINGS_CUT_NS	 1000000000ull /* a process that maps too much is reported this often */
#define VM_EXEC		 4	       /* include/linux/mm.h */

/* Key: tgid. Writer and reader: samples. Full: the least recently used process is reported again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32);
	__type(value, struct reported);
	__uint(max_entries, 8192); /* 1 where samples do not report: set at load */
} kiln_reported SEC(".maps");

/* Files that were reported. Writer: samples; user space deletes what it has forgotten. Full: the least
 * recently used file is reported again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct kiln_file_key);
	__type(value, __u8);
	__uint(max_entries, 8192); /* as above */
} kiln_rep_files SEC(".maps");

static __always_inline int send_mappings(struct mappings_env *e)
{
	__u64 n = e->rec.head.n;
	long err;

	if (n > KILN_MAPPINGS_MAX)
		n = KILN_MAPPINGS_MAX;
	err = bpf_ringbuf_output(&kiln_ring, &e->rec,
				 offsetof(struct kiln_mappings_record, at) +
					 n * sizeof(struct kiln_mapping),
				 BPF_RB_NO_WAKEUP);
	e->rec.head.n = 0;
	e->rec.number++;
	return err ? -1 : 0;
}

/* Whether the file of a mapping begins like an ELF file, if its beginning is mapped there or just below,
 * as the parts of such files are. */
static __always_inline bool begins_as_elf(const struct mappings_env *e,
					  const struct vm_area_struct *vma)
{
	const struct vm_area_struct *below = KERNEL(vm_area_struct, e->below);
	__u64 start = vma->vm_start;
	__u32 magic = 0;

	if (vma->vm_pgoff) {
		if (below->vm_file != vma->vm_file || below->vm_pgoff)
			return false;
		start = below->vm_start;
	}
	return !bpf_probe_read_user(&magic, sizeof(magic), (void *)start) && magic == 0x464c457f;
}

/* Reports the file of the mapping added last, unless it was reported. 0, or -1: the ring is full. */
__attribute__((noinline)) int report_file(__u64 vma_at)
{
	struct mappings_env *e = mappings_env_here();
	const struct vm_area_struct *vma;
	struct file_place place;
	__u8 yes = 1;
	__u64 n;

	if (!e)
		return -1;
	vma = KERNEL(vm_area_struct, vma_at);
	place = file_place((__u64)vma->vm_file);
	file_key_of(&place, &e->file.file);
	if (bpf_map_lookup_elem(&kiln_rep_files, &e->file.file))
		return 0;
	e->file.head.kind = KILN_RECORD_FILE;
	e->file.tgid = e->rec.tgid;
	e->file.start = vma->vm_start;
	e->file.len = vma->vm_end - e->file.start;
	e->file.is_elf = begins_as_elf(e, vma);
	read_path(e, &place);
	n = e->file.head.n;
	if (n > sizeof(e->file.path))
		n = sizeof(e->file.path);
	has_new_file = 1; /* first: who reads the record sets it back before */
	if (bpf_ringbuf_output(&kiln_ring, &e->file, offsetof(struct kiln_file_record, path) + n,
			       was_woken ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP))
		return -1;
	was_woken = 1;
	bpf_map_update_elem(&kiln_rep_files, &e->file.file, &yes, BPF_ANY);
	return 0;
}

/* The key of memory without a file; false: memory that no program runs. */
static __always_inline bool no_file_key(const struct vm_area_struct *vma, struct kiln_file_key *key)
{
	char name[8] = {};

	*key = (struct kiln_file_key){.dev = KILN_NO_FILE_ANON};
	if (!vma->vm_ops)
		return true;
	bpf_probe_read_kernel_str(name, sizeof(name),
				  KERNEL(vm_special_mapping, vma->vm_private_data)->name);
	key->dev = KILN_NO_FILE_VDSO;
	return name[0] == '[' && name[1] == 'v' && name[2] == 'd' && name[3] == 's' &&
	       name[4] == 'o' && name[5] == ']';
}

/* JIT compilers map the first page of the file in which they write what code they make. */
#define JITDUMP_MAPPED_MAX 65536

static __always_inline bool is_jitdump(const struct kiln_mapping *m, const struct file_place *place)
{
	char name[5] = {};

	if (m->file_off || m->len > JITDUMP_MAPPED_MAX)
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), KERNEL(dentry, place->dentry)->d_name.name);
	return name[0] == 'j' && name[1] == 'i' && name[2] == 't' && name[3] == '-';
}

enum added { ADDED, ADDED_OF_FILE, NOT_ADDED, NO_ROOM };

/* Adds a mapping of code to the record. */
__attribute__((noinline)) int add_mapping(__u64 at)
{
	struct mappings_env *e = mappings_env_here();
	const struct vm_area_struct *vma;
	struct kiln_mapping m = {};
	struct file_place place;
	__u64 file, h;

	if (!e)
		return NO_ROOM;
	vma = KERNEL(vm_area_struct, at);
	if ((__u64)vma->vm_mm != e->vmas.mm)
		return NO_ROOM; /* the kernel freed and reused it meanwhile */
	file = (__u64)vma->vm_file;
	m.start = vma->vm_start;
	m.len = vma->vm_end - m.start;
	m.file_off = vma->vm_pgoff << 12;
	if (file) {
		place = file_place(file);
		file_key_of(&place, &m.file);
		if (is_jitdump(&m, &place))
			e->jitdump = place.inode;
	} else if (!no_file_key(vma, &m.file)) {
		return NOT_ADDED;
	} else {
		m.file_off = 0;
	}
	h = hash_step(hash_step(hash_step(HASH_START, m.start), m.len), m.file_off);
	h = hash_step(h, m.file.inode ^ (__u64)m.file.generation << 32 ^ m.file.dev);
	e->set = hash_step(e->set, h);
	if (file)
		e->walk = hash_step(e->walk, h);
	e->n++;
	if (e->rec.head.n >= KILN_MAPPINGS_MAX && e->is_second && send_mappings(e))
		return NO_ROOM;
	if (e->rec.head.n < KILN_MAPPINGS_MAX) {
		e->rec.at[e->rec.head.n & (KILN_MAPPINGS_MAX - 1)] = m;
		e->rec.head.n++;
	}
	return file ? ADDED_OF_FILE : ADDED;
}

/* Not 0: that was the last mapping, or nothing more can be sent. */
__attribute__((noinline)) int look_at_mapping(void)
{
	struct mappings_env *e = mappings_env_here();
	__u64 vma = 0;
	int added;

	if (!e)
		return 1;
	e->state = vmas_take(&e->vmas, &vma);
	if (e->state == VMAS_BAD || !vma)
		return e->state != VMAS_MORE;
	added = KERNEL(vm_area_struct, vma)->vm_flags & VM_EXEC ? add_mapping(vma) : NOT_ADDED;
	if (added == NO_ROOM || (added == ADDED_OF_FILE && report_file(vma)))
		e->state = VMAS_BAD;
	e->below = vma;
	return e->state != VMAS_MORE;
}

__attribute__((noinline)) int look_at_some_mappings(void)
{
	for (int i = 0; i < 2 * MAPPINGS_STRIDE; i++)
		if (look_at_mapping())
			return 1;
	return 0;
}

static __always_inline __u32 mm_changes(const struct mm_struct *mm)
{
	const struct mm_struct___counted *counted = (const void *)mm;

	if (bpf_core_field_exists(counted->mm_lock_seq.sequence))
		return counted->mm_lock_seq.sequence;
	return mm->mm_lock_seq;
}

/* Looks at all mappings; the state says how far that got. */
__attribute__((noinline)) int look_at_mappings(__u32 again)
{
	struct mappings_env *e = mappings_env_here();

	if (!e)
		return VMAS_BAD;
	e->is_second = again;
	e->set = e->walk = HASH_START;
	e->below = e->n = 0;
	e->jitdump = 0;
	e->vmas.at = 0;
	e->rec.head.n = 0;
	e->state = VMAS_BAD;
	if (vmas_descend())
		return VMAS_BAD;
	for (int i = 0; i < MAPPINGS_STRIDE; i++)
		if (look_at_some_mappings())
			break;
	return e->state;
}

/* Sends the mappings that were found as a set. 0, or -1: not all of them could be sent. */
static __always_inline int report_set(struct mappings_env *e, __u32 version, bool is_cut)
{
	if (e->n > KILN_MAPPINGS_MAX && !is_cut && look_at_mappings(1) != VMAS_END)
		return -1;
	e->rec.version = version;
	e->rec.is_last = 1;
	e->rec.is_cut = is_cut;
	if (is_cut)
		e->rec.head.n = 0;
	return send_mappings(e);
}

/* How far CLOCK_MONOTONIC of a process's time namespace is ahead: its jitdump has times of that clock. */
static __always_inline __s64 monotonic_ahead(const struct task_struct *task)
{
	const struct timespec64 *ahead;

	if (!bpf_core_field_exists(task->nsproxy->time_ns->offsets))
		return 0;
	ahead = &task->nsproxy->time_ns->offsets.monotonic;
	return ahead->tv_sec * 1000000000ll + ahead->tv_nsec;
}

static __always_inline void begin_report(struct mappings_env *e, const struct task_struct *task,
					 __u32 tgid, __u64 now)
{
	const struct mm_struct *mm = task->mm;
	__u64 exe = (__u64)mm->exe_file;
	struct file_place place;

	e->vmas.mm = (__u64)mm;
	e->rec.head.kind = KILN_RECORD_MAPPINGS;
	e->rec.time_ns = now;
	e->rec.tgid = tgid;
	e->rec.is_last = e->rec.is_cut = 0;
	e->rec.number = 0;
	e->rec.monotonic_ns = monotonic_ahead(task);
	e->rec.uid = BPF_CORE_READ(task, real_cred, uid.val);
	e->rec.ns_tgid = tgid_inside(task);
	e->rec.exe = (struct kiln_file_key){};
	if (exe) {
		place = file_place(exe);
		file_key_of(&place, &e->rec.exe);
	}
}

/* Whether a process with changed mappings may be looked at again now. */
static __always_inline bool may_look(const struct reported *last, __u64 code_pages, __u64 now)
{
	return now >=
	       (code_pages == last->code_pages ? last->data_not_before_ns : last->not_before_ns);
}

static __always_inline __u64 pause_after(__u64 look_ns, __u64 times)
{
	__u64 rest = look_ns * times;

	return rest < MAPPINGS_REST_NS ? rest : MAPPINGS_REST_NS;
}

/* The version, and in the upper half the generation of its JIT compiler's code: the file grows with each new
 * function. */
static __always_inline __u64 with_generation(const struct reported *r)
{
	__u64 size = r->jitdump ? KERNEL(inode, r->jitdump)->i_size : 0;

	return size << 32 | r->version;
}

/*
 * The version of the sampled process's mappings (struct kiln_mappings_record), see with_generation(). Reports
 * them first if they are new. 0: they could not be read or sent just now.
 */
__attribute__((noinline)) __u64 mappings_version(__u32 tgid, __u32 image)
{
	struct mappings_env *e = mappings_env_here();
	struct reported *last, *fresh;
	struct kiln_counters *c = counters_here();
	struct task_struct *task;
	const struct mm_struct *mm;
	__u64 now, end;
	bool is_cut;
	int state;

	if (!e || !c)
		return 0;
	task = bpf_get_current_task_btf();
	mm = task->mm;
	if (!mm)
		return 0;
	fresh = &e->fresh;
	fresh->changes = mm_changes(mm);
	last = bpf_map_lookup_elem(&kiln_reported, &tgid);
	if (last && last->image == image && last->changes == fresh->changes)
		return with_generation(last);
	fresh->image = image;
	fresh->code_pages = mm->exec_vm;
	now = bpf_ktime_get_boot_ns();
	if (last && last->image == image && !may_look(last, fresh->code_pages, now))
		return with_generation(last);
	begin_report(e, task, tgid, now);
	state = look_at_mappings(0);
	is_cut = state == VMAS_MORE;
	fresh->set = is_cut ? now : e->set;
	fresh->jitdump = e->jitdump;
	fresh->version = hash_end(hash_step(is_cut ? HASH_START : e->walk, image)) | 1;
	end = bpf_ktime_get_boot_ns();
	fresh->not_before_ns =
		end + (is_cut ? MAPPINGS_CUT_NS : pause_after(end - now, MAPPINGS_REST));
	fresh->data_not_before_ns =
		is_cut ? fresh->not_before_ns : end + pause_after(end - now, MAPPINGS_DATA_REST);
	if (state == VMAS_BAD) {
		c->v[KILN_CTR_mappings_unread]++;
		return 0;
	}
	if (!last || last->image != image || last->set != fresh->set) {
		if (report_set(e, fresh->version, is_cut)) {
			c->v[KILN_CTR_mappings_unread]++;
			return 0;
		}
		c->v[KILN_CTR_mappings_reported]++;
	}
	bpf_map_update_elem(&kiln_reported, &tgid, fresh, BPF_ANY);
	return with_generation(fresh);
}

#endif
