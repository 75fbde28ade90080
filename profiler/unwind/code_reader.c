// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/unwind/code_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "profiler/base/hash.h"
#include "profiler/base/io.h"

/* What is remembered; another address may take the place of one. */
#define PLACES 1024

struct code_reader {
	struct {
		uint64_t va, value;
		pid_t tgid; /* 0: nothing */
	} places[PLACES];
};

struct code_reader *code_reader_new(void)
{
	return calloc(1, sizeof(struct code_reader));
}

void code_reader_free(struct code_reader *r)
{
	free(r);
}

/* Both pages of 8 bytes, by /proc/PID/pagemap: 8 bytes a page, of which bit 63 says that it is there. */
static bool is_present(pid_t tgid, uint64_t va)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), first = va / page;
	const uint64_t last = (va + 7) / page;
	uint64_t entries[2] = {0};
	char path[32];
	_cleanup_close_ int fd = -1;
	ssize_t want = last == first ? 8 : 16;

	if (va > UINT64_MAX - 7)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && io_pread(fd, entries, (size_t)want, first * 8) == want &&
	       entries[0] >> 63 && (want == 8 || entries[1] >> 63);
}

/* Some filters of containers refuse process_vm_readv(2). */
static bool read_by_file(pid_t tgid, uint64_t va, uint64_t *value)
{
	char path[32];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && io_pread(fd, value, sizeof(*value), va) == sizeof(*value);
}

static bool read_memory(pid_t tgid, uint64_t va, uint64_t *value)
{
	const struct iovec to = {value, sizeof(*value)}, from = {(void *)va, sizeof(*value)};

	if (!is_present(tgid, va))
		return false;
	return process_vm_readv(tgid, &to, 1, &from, 1, 0) == sizeof(*value) ||
	       read_by_file(tgid, va, value);
}

bool code_reader_read(struct code_reader *r, pid_t tgid, uint64_t va, uint64_t *value)
{
	size_t at = hash_mix(va, (uint64_t)tgid) % PLACES;
	bool known = r->places[at].tgid == tgid && r->places[at].va == va;

	if (read_memory(tgid, va, value)) {
		r->places[at].tgid = tgid;
		r->places[at].va = va;
		r->places[at].value = *value;
		return true;
	}
	if (known)
		*value = r->places[at].value;
	return known;
}
