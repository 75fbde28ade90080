// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/base/kernel.h"
#include "profiler/procs/events.h"
#include "profiler/procs/maps.h"

#define TRAILER_LEN	24
#define KSYMBOL_NAME_AT 24		   /* in a PERF_RECORD_KSYMBOL */
#define KERNEL_ID_LEN	20		   /* PERF_RECORD_MMAP2 has room for so many bytes */
#define PID_LIMIT	(4u * 1024 * 1024) /* PID_MAX_LIMIT of the kernel */
#define LATEST_TIME_NS	(UINT64_MAX / 2)

/* A process outside of kiln's pid namespace has the pid 0 or -1 here. */
static bool is_pid(uint32_t v)
{
	return v && v <= PID_LIMIT;
}

static void parse_task(struct event *e, struct bytes *b, enum event_kind kind)
{
	uint32_t tgid = bytes_u32(b), parent_tgid = bytes_u32(b), tid = bytes_u32(b);
	uint32_t parent_tid = bytes_u32(b);

	bytes_skip(b, 8); /* time, which the trailer has too */
	if (b->bad || !is_pid(tgid) || !is_pid(tid))
		return;
	e->kind = kind;
	e->tgid = (pid_t)tgid;
	e->tid = (pid_t)tid;
	e->parent_tgid = is_pid(parent_tgid) ? (pid_t)parent_tgid : 0;
	e->parent_tid = is_pid(parent_tid) ? (pid_t)parent_tid : 0;
}

static void parse_comm(struct event *e, struct bytes *b, uint16_t misc)
{
	uint32_t tgid = bytes_u32(b), tid = bytes_u32(b);

	e->name = bytes_cstr(b);
	if (b->bad || !is_pid(tgid) || !is_pid(tid))
		return;
	e->kind = misc & PERF_RECORD_MISC_COMM_EXEC ? EVENT_EXEC : EVENT_COMM;
	e->tgid = (pid_t)tgid;
	e->tid = (pid_t)tid;
}

static void parse_identity(struct file_key *key, struct bytes b, bool has_build_id)
{
	uint8_t len;

	if (!has_build_id) {
		key->major = bytes_u32(&b);
		key->minor = bytes_u32(&b);
		key->inode = bytes_u64(&b);
		key->generation = bytes_u64(&b);
		return;
	}
	len = bytes_u8(&b);
	bytes_skip(&b, 3);
	key->build_id.len = len <= KERNEL_ID_LEN ? len : KERNEL_ID_LEN;
	bytes_read(&b, key->build_id.data, key->build_id.len);
}

static void parse_mmap2(struct event *e, struct bytes *b, uint16_t misc)
{
	uint32_t tgid = bytes_u32(b), tid = bytes_u32(b), prot;

	e->start = bytes_u64(b);
	e->len = bytes_u64(b);
	e->file_off = bytes_u64(b);
	parse_identity(&e->file, bytes_sub(b, 24), misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
	prot = bytes_u32(b);
	bytes_skip(b, 4); /* flags */
	e->name = bytes_cstr(b);
	if (b->bad || !is_pid(tgid) || !(prot & PROT_EXEC))
		return;
	e->kind = EVENT_MMAP;
	e->tgid = (pid_t)tgid;
	e->tid = (pid_t)tid;
	e->file.path = e->name;
}

static void parse_ksymbol(struct event *e, struct bytes *b)
{
	uint16_t flags;

	e->start = bytes_u64(b);
	e->len = bytes_u32(b);
	bytes_skip(b, 2); /* type: the names say the same */
	flags = bytes_u16(b);
	e->name = bytes_cstr(b);
	if (!b->bad)
		e->kind = flags & PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER ? EVENT_CODE_END
								       : EVENT_CODE_BEGIN;
}

/*
 * What sample_id_all adds stands at the end of a record, and for a symbol right behind its name: the kernel adds the
 * size of it to the record once more for each further listener on that CPU, and what is there then are old bytes of
 * the ring (perf_event_ksymbol_output(), seen in 6.18).
 */
static struct bytes trailer_of(const void *record, size_t len, uint32_t type)
{
	struct bytes b = bytes_of(record, len);
	size_t used;

	if (type != PERF_RECORD_KSYMBOL) {
		bytes_skip(&b, len - TRAILER_LEN);
		return b;
	}
	bytes_skip(&b, KSYMBOL_NAME_AT);
	used = KSYMBOL_NAME_AT + strnlen((const char *)b.p, bytes_left(&b)) + 1;
	b = bytes_of(record, len);
	bytes_skip(&b, (used + 7) & ~(size_t)7);
	return b;
}

/* A sample begins with what ends other records. */
static int parse_sample(struct event *out, struct bytes b)
{
	struct event e = {.kind = EVENT_OTHER};
	uint32_t tgid = bytes_u32(&b), tid = bytes_u32(&b);

	e.t_ns = bytes_u64(&b);
	bytes_skip(&b, 8); /* cpu */
	if (b.bad || e.t_ns > LATEST_TIME_NS)
		return -EBADMSG;
	if (is_pid(tgid) && is_pid(tid)) {
		e.kind = EVENT_SAMPLE;
		e.tgid = (pid_t)tgid;
		e.tid = (pid_t)tid;
		e.body = b;
	}
	*out = e;
	return 0;
}

int event_parse(struct event *out, const void *record, size_t len)
{
	struct bytes b = bytes_of(record, len), trailer;
	struct event e = {.kind = EVENT_OTHER};
	uint32_t type = bytes_u32(&b);
	uint16_t misc = bytes_u16(&b), size = bytes_u16(&b);

	if (b.bad || size != len || bytes_left(&b) < TRAILER_LEN)
		return -EBADMSG;
	if (type == PERF_RECORD_SAMPLE)
		return parse_sample(out, b);
	b.end -= TRAILER_LEN;
	trailer = trailer_of(record, len, type);
	bytes_skip(&trailer, 8);
	e.t_ns = bytes_u64(&trailer);
	if (trailer.bad || e.t_ns > LATEST_TIME_NS)
		return -EBADMSG;
	if (type == PERF_RECORD_FORK || type == PERF_RECORD_EXIT) {
		parse_task(&e, &b, type == PERF_RECORD_FORK ? EVENT_FORK : EVENT_EXIT);
	} else if (type == PERF_RECORD_COMM) {
		parse_comm(&e, &b, misc);
	} else if (type == PERF_RECORD_MMAP2) {
		parse_mmap2(&e, &b, misc);
	} else if (type == PERF_RECORD_KSYMBOL) {
		parse_ksymbol(&e, &b);
	} else if (type == PERF_RECORD_LOST) {
		bytes_skip(&b, 8); /* id */
		e.lost = bytes_u64(&b);
		e.kind = EVENT_LOST;
	}
	if (b.bad)
		return -EBADMSG;
	*out = e;
	return 0;
}

static void apply_mmap(const struct event *e, struct procs *p, struct files *f)
{
	enum map_kind kind = map_kind_of(e->name, e->file.build_id.len ? MAP_CONTENT_PROGRAM
								       : MAP_CONTENT_OTHER);
	struct proc_mapping m = {e->start, e->len, e->file_off, FILE_NONE, e->t_ns};
	const struct proc_image *im;

	if (kind == MAP_KIND_IGNORE)
		return;
	if (kind == MAP_KIND_VDSO)
		m.file = FILE_VDSO;
	if (kind == MAP_KIND_FILE && f) {
		im = procs_image(p, e->tgid, e->t_ns);
		m.file = files_intern(f, &e->file, e->tgid, im ? im->parent_tgid : 0, e->start,
				      e->start + e->len);
		if (m.file == FILE_NONE)
			/* The file table is full and has counted it; the mapping is unknown, not
			 * anonymous. */
			return;
	}
	procs_mmap(p, e->t_ns, e->tgid, &m);
	if (m.file == FILE_NONE) /* its perf map has that number, and belongs to that user */
		procs_see_owner(p, e->t_ns, e->tgid);
	if (m.file < FILE_VDSO && map_is_jitdump(e->name))
		procs_jitdump(p, e->t_ns, e->tgid, m.file, kernel_monotonic_ahead_ns(e->tgid));
}

void event_apply(const struct event *e, struct procs *p, struct files *f)
{
	switch (e->kind) {
	case EVENT_FORK:
		procs_fork(p, e->t_ns, e->tgid, e->tid, e->parent_tgid);
		break;
	case EVENT_EXIT:
		procs_exit(p, e->t_ns, e->tgid, e->tid);
		break;
	case EVENT_COMM:
	case EVENT_EXEC:
		procs_comm(p, e->t_ns, e->tgid, e->tid, e->name, e->kind == EVENT_EXEC);
		break;
	case EVENT_MMAP:
		apply_mmap(e, p, f);
		break;
	case EVENT_CODE_BEGIN:
	case EVENT_CODE_END:
	case EVENT_LOST:
	case EVENT_SAMPLE:
	case EVENT_OTHER:
		break;
	}
}
