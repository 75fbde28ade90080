// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/reported_mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "symbolizer/opener/opener.h"
#include "profiler/procs/maps.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"

/* Twice what the kernel half remembers. At the cap, both forget the older half. Samples then
 * report these files again. */
#define FILES_MAX	16384
#define PATHS_MAX_BYTES (4u << 20)
/* Incomplete sets: one for each CPU, and those that lost a part. */
#define PARTS_MAX	1024
#define PARTS_MAX_BYTES (8u << 20)
#define PART_OLD_NS	1000000000ull
#define SET_MAX		65536	      /* vm.max_map_count allows 65530 mappings by default */
#define DEV_MINOR(d)	((d)&0xfffff) /* MINORBITS of the kernel's dev_t */
#define DEV_MAJOR(d)	((d) >> 20)

struct reported_file {
	struct kiln_file_key key;
	enum map_kind kind;
	char *path; /* as in the process's view, with " (deleted)" */
};

/* A set without all of its records yet. */
struct part {
	uint32_t tgid;
	uint64_t time_ns;
	bool has_hole;	  /* a record did not fit or was dropped, so the set is useless */
	uint32_t records; /* that came */
	VEC(struct kiln_mapping) mappings;
};

struct reported_mappings {
	struct procs *procs;
	struct files *files;
	struct rescan *rescan;
	void (*saw_made_code)(void *ctx, pid_t tgid); /* or NULL */
	void *ctx;
	int reported_fd, reported_files_fd;
	size_t max_files, max_path_bytes, max_part_bytes;
	VEC(struct reported_file) known; /* oldest first */
	size_t path_bytes;
	struct htab index; /* by key */
	VEC(struct part) parts;
	uint64_t drain_dropped; /* records that the drain dropped, at the last look */
	size_t part_bytes;
	VEC(struct proc_mapping) set; /* set that is being built */
	struct reported_stats stats;
};

int reported_mappings_new(struct reported_mappings **out, struct sampler *sampler,
			  struct procs *procs, struct files *files, struct rescan *rescan)
{
	struct profile_bpf *k = sampler_skeleton(sampler);
	struct reported_mappings *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	reported_mappings_limit(t, FILES_MAX, PATHS_MAX_BYTES, PARTS_MAX_BYTES);
	t->procs = procs;
	t->files = files;
	t->rescan = rescan;
	t->reported_fd = bpf_map__fd(k->maps.kiln_reported);
	t->reported_files_fd = bpf_map__fd(k->maps.kiln_rep_files);
	*out = t;
	return 0;
}

void reported_mappings_watch(struct reported_mappings *t, void (*fn)(void *ctx, pid_t tgid),
			     void *ctx)
{
	t->saw_made_code = fn;
	t->ctx = ctx;
}

void reported_mappings_limit(struct reported_mappings *t, size_t files, size_t path_bytes,
			     size_t set_bytes)
{
	t->max_files = files ?: t->max_files;
	t->max_path_bytes = path_bytes ?: t->max_path_bytes;
	t->max_part_bytes = set_bytes ?: t->max_part_bytes;
}

void reported_mappings_free(struct reported_mappings *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->known.len; i++)
		free(t->known.data[i].path);
	for (size_t i = 0; i < t->parts.len; i++)
		vec_release(&t->parts.data[i].mappings);
	vec_release(&t->known);
	htab_release(&t->index);
	vec_release(&t->parts);
	vec_release(&t->set);
	free(t);
}

/* --- files ------------------------------------------------------------------------------------ */

struct needle {
	const struct reported_mappings *t;
	const struct kiln_file_key *key;
};

static bool key_is(const struct kiln_file_key *a, const struct kiln_file_key *b)
{
	return a->inode == b->inode && a->dev == b->dev && a->generation == b->generation;
}

static bool file_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return key_is(&n->t->known.data[id].key, n->key);
}

static uint64_t key_hash(const struct kiln_file_key *key)
{
	return hash_mix(key->inode, (uint64_t)key->dev << 32 | key->generation);
}

static uint32_t find_file(const struct reported_mappings *t, const struct kiln_file_key *key)
{
	struct needle n = {t, key};

	return htab_find(&t->index, key_hash(key), file_eq, &n);
}

/* Joins the components, which come last one first, to a path. NULL: they are no path. */
static char *join_path(const struct kiln_file_record *rec)
{
	_cleanup_(buf_release) struct buf b = {0};
	size_t end = rec->head.n;

	if (!end || rec->path[end - 1])
		return NULL;
	while (end) {
		/*
		 * True if a file without a name is a program. The sample could not see it, because
		 * the page was not in memory. The file is in memory only, so reading it cannot
		 * hang.
		 */
		size_t start = --end;

		while (start && rec->path[start - 1])
			start--;
		buf_printf(&b, "/%s", rec->path + start);
		end = start;
	}
	if (rec->is_deleted || rec->is_unnamed)
		buf_printf(&b, " (deleted)");
	return strdup(buf_cstr(&b));
}

/* True if a file without a name is a program. The sample could not see it, because the page was
 * not in memory. Such a file is itself in memory, so reading it cannot hang. */
static bool is_elf(const struct reported_mappings *t, const struct kiln_file_record *rec)
{
	struct opener *o = files_opener(t->files);
	char path[96], magic[4] = "";
	_cleanup_close_ int fd = -1;

	if (rec->is_elf || !rec->is_unnamed)
		return rec->is_elf;
	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", rec->tgid, rec->start,
		 rec->start + rec->len);
	if (o)
		return opener_is_elf(o, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && pread(fd, magic, 4, 0) == 4 && !memcmp(magic, "\177ELF", 4);
}

static void forget_file(struct reported_mappings *t, struct reported_file *file)
{
	bpf_map_delete_elem(t->reported_files_fd, &file->key);
	t->path_bytes -= strlen(file->path) + 1;
	free(file->path);
	t->stats.forgotten++;
}

/* Forgets the older half of the files. */
static void forget_files(struct reported_mappings *t)
{
	size_t n = (t->known.len + 1) / 2;

	for (size_t i = 0; i < n; i++)
		forget_file(t, &t->known.data[i]);
	t->known.len -= n;
	memmove(t->known.data, t->known.data + n, t->known.len * sizeof(*t->known.data));
	htab_clear(&t->index);
	for (size_t i = 0; i < t->known.len; i++) /* capacity is there already */
		htab_insert(&t->index, key_hash(&t->known.data[i].key), (uint32_t)i);
}

static void rename_file(struct reported_mappings *t, struct reported_file *known,
			const struct reported_file *file)
{
	t->path_bytes += strlen(file->path) - strlen(known->path);
	free(known->path);
	*known = *file;
}

/* Adds a file and takes its path. */
static void add_file(struct reported_mappings *t, const struct reported_file *file)
{
	uint32_t id;

	if (t->known.len >= t->max_files || t->path_bytes >= t->max_path_bytes)
		forget_files(t);
	id = (uint32_t)t->known.len;
	if (vec_reserve(&t->known, id + 1ul) || htab_insert(&t->index, key_hash(&file->key), id)) {
		free(file->path);
		return;
	}
	t->known.data[t->known.len++] = *file;
	t->path_bytes += strlen(file->path) + 1;
}

static void take_file(struct reported_mappings *t, const struct kiln_file_record *rec)
{
	struct reported_file file = {.key = rec->file, .path = join_path(rec)};
	uint32_t id = find_file(t, &rec->file);

	if (!file.path || !file.key.inode) {
		t->stats.bad++;
		free(file.path);
		return;
	}
	file.kind =
		map_kind_of(file.path, is_elf(t, rec) ? MAP_CONTENT_PROGRAM : MAP_CONTENT_OTHER);
	t->stats.files++;
	if (id != HTAB_NONE) /* under another name, or reported by two CPUs at once */
		rename_file(t, &t->known.data[id], &file);
	else
		add_file(t, &file);
}

/* --- sets ------------------------------------------------------------------------------------- */

/* Has unknown mappings of a process reported again, and rescans it meanwhile. */
static void ask_again(struct reported_mappings *t, const struct kiln_mappings_record *rec)
{
	bpf_map_delete_elem(t->reported_fd, &rec->tgid);
	rescan_want(t->rescan, (pid_t)rec->tgid, rec->time_ns);
}

static size_t bytes_of(const struct part *p)
{
	return sizeof(*p) + p->mappings.cap * sizeof(*p->mappings.data);
}

static void drop_part(struct reported_mappings *t, struct part *p)
{
	t->part_bytes -= bytes_of(p);
	vec_release(&p->mappings);
	*p = vec_last(&t->parts);
	t->parts.len--;
}

/* Drops the sets that were never completed; if there are none, all sets. The rest of a dropped
 * set must not count as a whole set, so its process is rescanned. */
static void drop_parts(struct reported_mappings *t, uint64_t now_ns)
{
	size_t before = t->parts.len;

	for (size_t i = before; i-- > 0;)
		if (t->parts.data[i].time_ns + PART_OLD_NS < now_ns)
			drop_part(t, &t->parts.data[i]);
	for (size_t i = t->parts.len == before ? before : 0; i-- > 0;) {
		struct part *p = &t->parts.data[i];

		bpf_map_delete_elem(t->reported_fd, &p->tgid);
		rescan_want(t->rescan, (pid_t)p->tgid, p->time_ns);
		drop_part(t, p);
	}
	t->stats.dropped += before - t->parts.len;
}

/* The set that a record continues or begins; NULL: no room. */
static struct part *part_of(struct reported_mappings *t, const struct kiln_mappings_record *rec)
{
	for (size_t i = 0; i < t->parts.len; i++) {
		struct part *p = &t->parts.data[i];

		if (p->tgid == rec->tgid && p->time_ns == rec->time_ns)
			return p;
	}
	if (t->parts.len >= PARTS_MAX || t->part_bytes >= t->max_part_bytes)
		drop_parts(t, rec->time_ns);
	if (vec_push(&t->parts, (struct part){.tgid = rec->tgid, .time_ns = rec->time_ns}))
		return NULL;
	t->part_bytes += sizeof(struct part);
	return &vec_last(&t->parts);
}

static int add_to_part(struct reported_mappings *t, struct part *p,
		       const struct kiln_mappings_record *rec)
{
	size_t n = p->mappings.len, before = bytes_of(p);

	if (p->has_hole || rec->number != p->records++ || n + rec->head.n > SET_MAX ||
	    vec_reserve(&p->mappings, n + rec->head.n)) {
		p->has_hole = true;
		return -ENOMEM;
	}
	t->part_bytes += bytes_of(p) - before;
	if (rec->head.n)
		memcpy(p->mappings.data + n, rec->at, rec->head.n * sizeof(rec->at[0]));
	p->mappings.len += rec->head.n;
	return 0;
}

/* m: where it is mapped. */
static uint32_t intern(struct reported_mappings *t, const struct kiln_mappings_record *rec,
		       const struct kiln_file_key *file, const char *path,
		       const struct kiln_mapping *m)
{
	const struct proc_image *im = procs_image(t->procs, (pid_t)rec->tgid, rec->time_ns);
	struct file_key key = {
		.path = path,
		.major = DEV_MAJOR(file->dev),
		.minor = DEV_MINOR(file->dev),
		.inode = file->inode,
		.generation = file->generation,
	};

	return files_intern(t->files, &key, (pid_t)rec->tgid, im ? im->parent_tgid : 0, m->start,
			    m->start + m->len);
}

/* In the midst of an exec there is none. */
static bool has_file(const struct part *p)
{
	for (size_t i = 0; i < p->mappings.len; i++)
		if (p->mappings.data[i].file.inode)
			return true;
	return false;
}

/* The program of which nothing is mapped: it has replaced its own code. FILE_NONE if that is known, or it has ended. */
static uint32_t find_exe(struct reported_mappings *t, const struct kiln_mappings_record *rec)
{
	const struct proc_image *im = procs_image(t->procs, (pid_t)rec->tgid, rec->time_ns);
	const struct kiln_mapping nowhere = {0};
	char link[48], path[PATH_MAX];
	ssize_t n;

	if (!rec->exe.inode || (im && im->exe != FILE_NONE))
		return FILE_NONE;
	snprintf(link, sizeof(link), "/proc/%u/exe", rec->tgid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return FILE_NONE;
	path[n] = '\0';
	return intern(t, rec, &rec->exe, path, &nowhere);
}

/* Adds a mapping to the set. False if its file was not reported. */
static bool add_mapping(struct reported_mappings *t, const struct kiln_mappings_record *rec,
			const struct kiln_mapping *m, struct proc_snapshot *s)
{
	struct proc_mapping out = {m->start, m->len, m->file_off, FILE_NONE, rec->time_ns};
	const struct reported_file *file;
	uint32_t id;

	if (!m->file.inode) {
		out.file = m->file.dev == KILN_NO_FILE_VDSO ? FILE_VDSO : FILE_NONE;
		return !vec_push(&t->set, out);
	}
	id = find_file(t, &m->file);
	/* The file's record was lost, so the kernel half must send it again. */
	if (id == HTAB_NONE) {
		bpf_map_delete_elem(t->reported_files_fd, &m->file);
		return false;
	}
	file = &t->known.data[id];
	if (file->kind == MAP_KIND_IGNORE)
		return true;
	if (file->kind == MAP_KIND_FILE) {
		out.file = intern(t, rec, &file->key, file->path, m);
		if (out.file == FILE_NONE)
			return true; /* the file table is full and has counted it */
		if (key_is(&m->file, &rec->exe) && s->exe == FILE_NONE)
			s->exe = out.file;
		if (map_is_jitdump(file->path))
			s->jitdump = out.file;
	}
	return !vec_push(&t->set, out);
}

static bool is_ascending(const struct part *p)
{
	uint64_t at = 0;

	for (size_t i = 0; i < p->mappings.len; i++) {
		const struct kiln_mapping *m = &p->mappings.data[i];

		if (m->start < at || !m->len || m->start + m->len < m->start)
			return false;
		at = m->start + m->len;
	}
	return true;
}

static bool has_made_code(const struct proc_snapshot *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->mappings[i].file == FILE_NONE)
			return true;
	return false;
}

static void take_set(struct reported_mappings *t, const struct kiln_mappings_record *rec,
		     const struct part *p)
{
	struct proc_snapshot s = {
		.tgid = (pid_t)rec->tgid,
		.t_ns = rec->time_ns,
		.version = rec->version,
		.exe = FILE_NONE,
		.jitdump = FILE_NONE,
		.monotonic_ns = rec->monotonic_ns,
		.uid = rec->uid,
		.ns_tgid = (pid_t)rec->ns_tgid,
	};
	bool known = true;

	if (!is_ascending(p)) {
		t->stats.bad++;
		return;
	}
	t->set.len = 0;
	for (size_t i = 0; i < p->mappings.len && known; i++)
		known = add_mapping(t, rec, &p->mappings.data[i], &s);
	if (!known) {
		t->stats.unknown++;
		ask_again(t, rec);
		return;
	}
	if (s.exe == FILE_NONE && has_file(p))
		s.exe = find_exe(t, rec);
	s.mappings = t->set.data;
	s.n = t->set.len;
	procs_snapshot(t->procs, &s);
	t->stats.sets++;
	if (t->saw_made_code && s.jitdump == FILE_NONE && has_made_code(&s))
		t->saw_made_code(t->ctx, s.tgid);
}

/* Handles a process with more mappings than a sample can report. */
static void take_cut(struct reported_mappings *t, const struct kiln_mappings_record *rec)
{
	t->stats.cut++;
	procs_snapshot_cut(t->procs, (pid_t)rec->tgid, rec->time_ns, rec->version);
	rescan_want(t->rescan, (pid_t)rec->tgid, rec->time_ns);
}

static void take_mappings(struct reported_mappings *t, const struct kiln_mappings_record *rec)
{
	struct part *p = part_of(t, rec);

	if (rec->is_cut)
		take_cut(t, rec);
	else if (!p || add_to_part(t, p, rec))
		ask_again(t, rec);
	else if (rec->is_last)
		take_set(t, rec, p);
	if (p && rec->is_last)
		drop_part(t, p);
}

/* A whole set may be among what was dropped, and the kernel does not report it again. */
static void look_for_dropped(struct reported_mappings *t, const struct drain *d)
{
	struct drain_stats s;

	drain_stats(d, &s);
	if (s.mappings_dropped != t->drain_dropped)
		rescan_want_all(t->rescan, s.dropped_ns);
	t->drain_dropped = s.mappings_dropped;
}

void reported_mappings_run(struct reported_mappings *t, struct drain *d)
{
	look_for_dropped(t, d);
	for (struct mappings_record *r; (r = drain_next_mappings(d)); free(r)) {
		if (r->head->kind == KILN_RECORD_FILE)
			take_file(t, (const struct kiln_file_record *)r->head);
		else
			take_mappings(t, (const struct kiln_mappings_record *)r->head);
	}
}

void reported_mappings_stats(const struct reported_mappings *t, struct reported_stats *out)
{
	*out = t->stats;
}
