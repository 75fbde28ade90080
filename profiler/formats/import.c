// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/formats/compress.h"
#include "profiler/formats/export.h"
#include "profiler/formats/pprof_read.h"

/* Files that users pass by mistake, recognized by their first bytes. */
#define MAGIC(bytes) (bytes), sizeof(bytes) - 1
static const struct {
	const char *magic;
	size_t len;
	const char *sentence;
} others[] = {
	{MAGIC("PERFILE2"), "a perf.data file, not a pprof profile"},
	{MAGIC("{"), "a JSON file, not a pprof profile"},
	{MAGIC("<"), "an SVG or HTML file, not a pprof profile"},
	{MAGIC("\x7f"
	       "ELF"),
	 "a program, not a pprof profile"},
	{MAGIC("SQLite format 3"), "a database, not a pprof profile"},
	{MAGIC("PK\x03\x04"), "a zip archive, not a pprof profile"},
	{MAGIC("FLR\0"), "a recording of Java's Flight Recorder, not a pprof profile"},
	{MAGIC("\xfd"
	       "7zXZ"),
	 "an xz archive: unpack it first"},
	{MAGIC("BZh"), "a bzip2 archive: unpack it first"},
	{MAGIC("\x04\x22\x4d\x18"), "an lz4 archive: unpack it first"},
	{MAGIC("\x1f\x8b"), "it is packed twice: unpack it first"},
	/* Words of 64 bits: 0, 3 words of header follow, version 0. */
	{MAGIC("\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	 "a CPU profile of gperftools: convert it with \"pprof -proto PROGRAM FILE >OUT.pb.gz\""},
};

#define TEXT_BYTES 4096 /* that are looked at */

static bool is_text(const unsigned char *s, size_t len)
{
	for (size_t i = 0; i < len && i < TEXT_BYTES; i++)
		if ((s[i] < ' ' && !strchr("\t\n\r", s[i])) || !s[i] || s[i] == 0x7f)
			return false;
	return true;
}

static int read_raw(struct profile **out, const void *data, size_t len, const char **why)
{
	int err = pprof_read(out, data, len, why);

	if (err != -EBADMSG)
		return err;
	if (is_text(data, len))
		*why = "a text file such as folded stacks, not a pprof profile";
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (len >= others[i].len && !memcmp(data, others[i].magic, others[i].len))
			*why = others[i].sentence;
	return err;
}

int import_pprof_most(struct profile **out, const void *data, size_t len, size_t most,
		      const char **why)
{
	struct buf raw = {0};
	int err;

	if (!len) {
		*why = "the file is empty";
		return -EBADMSG;
	}
	if (compression_of(data, len) == COMPRESSION_NONE)
		return read_raw(out, data, len, why);
	err = decompress(&raw, data, len, most, why);
	err = err ?: read_raw(out, raw.data, raw.len, why);
	buf_release(&raw);
	return err;
}

int import_pprof(struct profile **out, const void *data, size_t len, const char **why)
{
	return import_pprof_most(out, data, len, IMPORT_MAX_BYTES, why);
}

/* For a FIFO, which a shell makes for <(...), waits for its writer. */
static int read_named(const char *path, char **data, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_read_fd(fd, IMPORT_MAX_BYTES, data, len);
}

int import_file(struct profile **out, const char *path, const char **why)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int err;

	if (!strcmp(path, "-"))
		err = io_read_fd(STDIN_FILENO, IMPORT_MAX_BYTES, &data, &len);
	else
		err = read_named(path, &data, &len);
	if (err) {
		*why = err == -EFBIG ? "it is larger than 1 GiB" : strerror(-err);
		return err;
	}
	return import_pprof(out, data, len, why);
}
