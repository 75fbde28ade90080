// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/record_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PARTS_MAX 8

struct record_ring {
	struct perf_event_mmap_page *page;
	uint8_t *data;
	size_t size, page_size;
	uint64_t head; /* as far as this side has written */
	uint64_t lost; /* records since the last PERF_RECORD_LOST */
	int fd;
};

/* What sample_id_all adds, and what samples begin with (EVENT_SAMPLE_TYPE). */
struct place_and_time {
	uint32_t tgid, tid;
	uint64_t t_ns;
	uint32_t cpu, reserved;
};

int record_ring_new(struct record_ring **out, size_t bytes)
{
	struct record_ring *r = calloc(1, sizeof(*r));
	void *p;

	if (!r)
		return -ENOMEM;
	r->page_size = (size_t)sysconf(_SC_PAGESIZE);
	r->size = bytes;
	p = mmap(NULL, r->page_size + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0);
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->page = p == MAP_FAILED ? NULL : p;
	if (!r->page || r->fd < 0) {
		record_ring_free(r);
		return -ENOMEM;
	}
	r->data = (uint8_t *)p + r->page_size;
	*out = r;
	return 0;
}

void record_ring_free(struct record_ring *r)
{
	if (!r)
		return;
	if (r->page)
		munmap(r->page, r->page_size + r->size);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

void *record_ring_pages(struct record_ring *r)
{
	return r->page;
}

int record_ring_fd(const struct record_ring *r)
{
	return r->fd;
}

static void copy_in(struct record_ring *r, const void *from, size_t len)
{
	size_t off = r->head & (r->size - 1), first = r->size - off;

	first = first < len ? first : len;
	memcpy(r->data + off, from, first);
	memcpy(r->data, (const uint8_t *)from + first, len - first);
	r->head += len;
}

static uint64_t used(const struct record_ring *r)
{
	return r->head - __atomic_load_n(&r->page->data_tail, __ATOMIC_ACQUIRE);
}

/* Wakes the reader when a quarter is used, as perf's watermark does. */
static void publish(struct record_ring *r, uint64_t used_before)
{
	const uint64_t one = 1;
	uint64_t quarter = r->size / 4;

	__atomic_store_n(&r->page->data_head, r->head, __ATOMIC_RELEASE);
	if (used_before < quarter && used(r) >= quarter && write(r->fd, &one, sizeof(one)) < 0)
		return; /* it is awake anyway */
}

static bool put(struct record_ring *r, uint32_t type, uint16_t misc, const struct iovec *parts,
		size_t n)
{
	static const uint8_t zeros[8];
	struct perf_event_header h = {.type = type, .misc = misc};
	uint64_t before = used(r);
	size_t len = sizeof(h), fill;

	for (size_t i = 0; i < n; i++)
		len += (parts[i].iov_len + 7) & ~(size_t)7;
	if (len > UINT16_MAX || before + len > r->size)
		return false;
	h.size = (uint16_t)len;
	copy_in(r, &h, sizeof(h));
	for (size_t i = 0; i < n; i++) {
		fill = -parts[i].iov_len & 7;
		copy_in(r, parts[i].iov_base, parts[i].iov_len);
		copy_in(r, zeros, fill);
	}
	publish(r, before);
	return true;
}

static void put_or_count(struct record_ring *r, uint32_t type, uint16_t misc,
			 struct place_and_time at, const struct iovec *parts, size_t n)
{
	uint64_t told[2] = {0, r->lost};
	const struct iovec lost[] = {{told, sizeof(told)}, {&at, sizeof(at)}};

	if (r->lost && put(r, PERF_RECORD_LOST, 0, lost, 2))
		r->lost = 0;
	if (r->lost || !put(r, type, misc, parts, n))
		r->lost++;
}

void record_ring_put(struct record_ring *r, uint32_t type, uint16_t misc, uint64_t t_ns, pid_t tgid,
		     pid_t tid, const struct iovec *parts, size_t n)
{
	struct place_and_time at = {.tgid = (uint32_t)tgid, .tid = (uint32_t)tid, .t_ns = t_ns};
	struct iovec all[PARTS_MAX];

	memcpy(all, parts, n * sizeof(*parts));
	all[n] = (struct iovec){&at, sizeof(at)};
	put_or_count(r, type, misc, at, all, n + 1);
}

void record_ring_put_sample(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid,
			    const struct iovec *parts, size_t n)
{
	struct place_and_time at = {.tgid = (uint32_t)tgid, .tid = (uint32_t)tid, .t_ns = t_ns};
	struct iovec all[PARTS_MAX];

	all[0] = (struct iovec){&at, sizeof(at)};
	memcpy(all + 1, parts, n * sizeof(*parts));
	put_or_count(r, PERF_RECORD_SAMPLE, 0, at, all, n + 1);
}
