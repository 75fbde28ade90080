// SPDX-License-Identifier: GPL-2.0-or-later
/* A line table of any contents whose checksums are right: as a hostile writer could leave it. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/lines/line_table.h"
#include "tests/lib/line_seal.h"

#define ADDRESSES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct build_id id = {.data = {1, 2, 3, 4}, .len = 4};

static void count(void *ctx, size_t index, const struct dwarf_frame *frames, size_t n,
		  enum dwarf_reason reason)
{
	size_t *chars = ctx;

	if (index >= ADDRESSES || n > 256 || (reason == DWARF_OK) != (n > 0))
		abort();
	for (size_t i = 0; i < n; i++)
		*chars += strlen(frames[i].name ?: "") + strlen(frames[i].file ?: "");
}

/* Addresses at and around those of the blocks. */
static void pick(const uint8_t *data, size_t len, uint64_t va[ADDRESSES])
{
	struct line_header h;

	memcpy(&h, data, sizeof(h));
	for (size_t i = 0; i < ADDRESSES; i++) {
		uint64_t at = h.section[LINE_BLOCKS].off + i / 4 * sizeof(struct line_block);
		uint64_t low = 0;

		if (at < len && len - at >= sizeof(low))
			memcpy(&low, data + at, sizeof(low));
		va[i] = low + i % 4 * 16;
	}
}

static void look(const uint8_t *data, size_t len)
{
	uint64_t va[ADDRESSES];
	struct line_table *t;
	size_t chars = 0, done;
	int fd = memfd_create("table", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	if (!line_table_open(&t, fd, &id)) {
		pick(data, len, va);
		line_table_resolve(t, va, ADDRESSES, count, &chars, &done);
		line_table_free(t);
	}
	close(fd);
}

/*
 * The input is the sections, one behind the other, each with two bytes of length before it, and
 * first the number of nodes. Some are not sealed, so that the checksums are tried too.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct line_header h = {.magic = LINE_MAGIC, .version = LINE_VERSION};
	uint8_t *table = calloc(1, LINE_CHUNK + len + 4096);
	size_t at = LINE_CHUNK;

	if (!table)
		return 0;
	h.build_id = id;
	if (len) {
		h.n_nodes = *data++;
		len--;
	}
	for (int i = 0; i < LINE_SUMS; i++) {
		size_t want = len < 2 ? 0 : (size_t)(data[0] | data[1] << 8);

		data += len < 2 ? len : 2;
		len -= len < 2 ? len : 2;
		want = want < len ? want : len;
		memcpy(table + at, data, want);
		h.section[i].off = at;
		h.section[i].len = want;
		at = (at + want + 7) & ~7ul;
		data += want;
		len -= want;
	}
	h.section[LINE_SUMS].off = at;
	h.section[LINE_SUMS].len = (at - LINE_CHUNK + LINE_CHUNK - 1) / LINE_CHUNK * 4;
	at += h.section[LINE_SUMS].len;
	memcpy(table, &h, sizeof(h));
	line_seal(table, at);
	look(table, at);
	table[at / 2] ^= 1;
	look(table, at);
	free(table);
	return 0;
}
