// SPDX-License-Identifier: GPL-2.0-or-later
/* procs_expire(): forgets ended images, replaced mappings, and files that no process maps. */
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/table.h"

struct mapped_files {
	struct htab ids; /* ids are their own keys */
	int err;
};

static void note_file(struct mapped_files *mf, uint32_t file)
{
	if (file >= FILE_VDSO ||
	    htab_find(&mf->ids, hash_u64(file), table_same_id, &file) != HTAB_NONE)
		return;
	mf->err = mf->err ?: htab_insert(&mf->ids, hash_u64(file), file);
}

static void note_image(struct mapped_files *mf, const struct image *im)
{
	size_t n;
	const struct proc_mapping *m = space_live(&im->space, &n);

	note_file(mf, im->pub.exe);
	note_file(mf, im->pub.jitdump);
	for (size_t i = 0; i < n; i++)
		note_file(mf, m[i].file);
	for (size_t i = 0; i < im->space.past.len; i++)
		note_file(mf, im->space.past.data[i].m.file);
}

static bool is_mapped(void *ctx, uint32_t id)
{
	const struct mapped_files *mf = ctx;

	return htab_find(&mf->ids, hash_u64(id), table_same_id, &id) != HTAB_NONE;
}

static void sweep_files(struct procs *p)
{
	struct mapped_files mf = {0};

	for (size_t i = 0; i < p->all.len; i++)
		for (uint32_t k = 0; p->all.data[i] && k < p->all.data[i]->n_images; k++)
			note_image(&mf, p->all.data[i]->images[k]);
	if (!mf.err)
		files_sweep(p->opts.files, is_mapped, &mf);
	htab_release(&mf.ids);
}

void procs_expire(struct procs *p, uint64_t now_ns)
{
	uint64_t before = now_ns > p->opts.linger_ns ? now_ns - p->opts.linger_ns : 0;

	while (p->dead_oldest && p->dead_oldest->pub.end_ns < before)
		table_drop_image(p, p->dead_oldest);
	/* Ended images are dropped as a whole, with their replaced mappings. */
	for (size_t i = 0; i < p->all.len; i++) {
		const struct proc *proc = p->all.data[i];

		if (proc)
			space_forget(&proc->images[proc->n_images - 1]->space, before, &p->total);
	}
	if (p->opts.files && files_crowded(p->opts.files))
		sweep_files(p);
}
