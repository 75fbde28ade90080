// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader for names and tables: answers queries until the socket is closed. */
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/lines/line_cache.h"
#include "symbolizer/sandbox/sandbox.h"
#include "symbolizer/worker/table_read.h"
#include "symbolizer/worker/worker.h"
#include "symbolizer/worker/worker_wire.h"

/* Stands for the root in a query. The asker has the descriptor and is only asked for "below the
 * root". */
#define THE_ROOT 0

struct served {
	int sock;
	struct lookup *lookup;
	struct wire_writer writer;
	char msg[WIRE_BYTES_MAX], path[WIRE_BYTES_MAX];
};

/* For debug_files.c: the asker opens files. */
static int ask_for_file(struct served *s, const void *head, size_t head_len, const void *body,
			size_t body_len)
{
	struct wire_opened opened;
	int fd;

	if (wire_send2(s->sock, head, head_len, body, body_len, -1) ||
	    wire_recv(s->sock, s->msg, &fd) < (ssize_t)sizeof(opened))
		_exit(1);
	memcpy(&opened, s->msg, sizeof(opened));
	return opened.err ? opened.err : fd;
}

static int ask_to_open(void *ctx, int root_fd, const char *path)
{
	struct wire_open open = {.type = WIRE_OPEN, .in_root = root_fd == THE_ROOT};

	return ask_for_file(ctx, &open, sizeof(open), path, strlen(path) + 1);
}

static int ask_to_find(void *ctx, const struct build_id *id)
{
	struct wire_find find;

	memset(&find, 0, sizeof(find));
	find.type = WIRE_FIND;
	find.build_id = *id;
	return ask_for_file(ctx, &find, sizeof(find), NULL, 0);
}

/* For line tables: the asker opens them. */
static int ask_for_lines(void *ctx, enum line_wish wish, const struct build_id *id)
{
	struct wire_lines lines;

	memset(&lines, 0, sizeof(lines));
	lines.type = WIRE_LINES;
	lines.wish = wish;
	lines.build_id = *id;
	return ask_for_file(ctx, &lines, sizeof(lines), NULL, 0);
}

static void take_result(void *ctx, size_t index, const struct sym_result *r)
{
	wire_put_result(ctx, index, r);
}

static int read_addresses(struct served *s, uint64_t *addr, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t len = wire_recv(s->sock, s->msg, NULL);
		size_t part = len < (ssize_t)sizeof(struct wire_head)
				      ? 0
				      : ((size_t)len - sizeof(struct wire_head)) / sizeof(*addr);

		if (!part || part > n - have)
			return -EBADMSG;
		memcpy(addr + have, s->msg + sizeof(struct wire_head), part * sizeof(*addr));
		have += part;
	}
	return 0;
}

static int send_done(struct served *s, int err, const struct elf_facts *facts)
{
	struct wire_segment out[ELF_FACTS_SEGMENTS_MAX];
	struct wire_done done;

	memset(&done, 0, sizeof(done));
	done.type = WIRE_DONE;
	done.err = err;
	done.file_err = facts->err;
	done.build_id = facts->build_id;
	done.has_debug_info = facts->has_debug_info;
	done.has_symbols = facts->has_symbols;
	for (; done.n_segments < facts->n_segs; done.n_segments++) {
		const struct elf_segment *seg = &facts->segs[done.n_segments];

		out[done.n_segments] =
			(struct wire_segment){seg->va, seg->mem_len, seg->file_off, seg->file_len};
	}
	if (s->lookup)
		lookup_stats(s->lookup, &done.stats);
	return wire_send2(s->sock, &done, sizeof(done), out, done.n_segments * sizeof(*out), -1);
}

static int send_end(struct served *s, int err)
{
	const struct elf_facts none = {0};

	return send_done(s, err, &none);
}

/* Answers with the file's executable segments, from the cache. */
static int answer_segments(struct served *s, const struct sym_file *file)
{
	struct elf_facts facts = {0};
	const struct elf_segment *segs;
	size_t n;
	int err = lookup_segments(s->lookup, file, &segs, &n);

	for (size_t i = 0; !err && i < n && facts.n_segs < ELF_FACTS_SEGMENTS_MAX; i++)
		if (segs[i].exec)
			facts.segs[facts.n_segs++] = segs[i];
	return send_done(s, err, &facts);
}

static int answer_tables(struct served *s, enum query_kind kind, const struct sym_file *file)
{
	const struct debug_opener opener = {.open = ask_to_open, .ctx = s};
	const struct debug_search search = {
		.root_fd = file->root_fd, .path = file->path, .opener = &opener};
	_cleanup_free_ void *blob = NULL;
	struct elf_facts facts;
	size_t len = 0;
	int err = 0;

	table_read(kind, file->fd, &search, &facts, &blob, &len);
	if (!facts.err && kind == QUERY_TABLE)
		err = wire_send_blob(s->sock, blob, len);
	if (err)
		return err;
	return send_done(s, facts.err == -ENOMEM ? -ENOMEM : 0, &facts);
}

static int answer_addresses(struct served *s, struct sym_query *q)
{
	size_t n = query_has_as_of(q->kind) ? 2 * q->n : q->n;
	_cleanup_free_ uint64_t *numbers = malloc(n * sizeof(*numbers) + 1);
	int err = numbers ? read_addresses(s, numbers, n) : -ENOMEM;

	if (err)
		return err;
	q->addr = numbers;
	q->as_of = numbers + q->n;
	err = wire_writer_init(&s->writer, s->sock);
	if (!err)
		err = lookup_resolve(s->lookup, q, take_result, &s->writer);
	if (wire_flush(&s->writer))
		err = s->writer.err;
	wire_writer_release(&s->writer);
	return send_end(s, err);
}

static int answer(struct served *s, const struct wire_query *wire, const char *path, int fd)
{
	struct sym_file file = {
		.fd = fd,
		.root_fd = wire->has_root ? THE_ROOT : -1,
		.path = path,
		.build_id = wire->build_id.len ? &wire->build_id : NULL,
		.identity = &wire->identity,
	};
	struct sym_query q = {
		.kind = wire->kind,
		.file = &file,
		.offsets = wire->offsets,
		.names_only = wire->names_only,
		.n = wire->n,
	};
	int err;

	switch (q.kind) {
	case QUERY_LINES: /* the asker does not need the reason */
		err = q.names_only ? 0 : lookup_build(s->lookup, &q);
		return send_end(s, err == -ENOMEM ? err : 0);
	case QUERY_ELF:
	case QUERY_TABLE:
	case QUERY_FRAMES:
		return answer_tables(s, q.kind, &file);
	default:
		return q.n ? answer_addresses(s, &q) : answer_segments(s, &file);
	}
}

/* Debug files and line tables come from the asker; NULL: none. */
static void set_sources(struct served *s, const struct debug_opener *opener,
			const struct line_store *lines)
{
	if (!s->lookup)
		return;
	lookup_set_opener(s->lookup, opener);
	lookup_set_lines(s->lookup, lines);
}

int worker_serve_one(int sock, struct lookup *lookup)
{
	_cleanup_free_ struct served *s = calloc(1, sizeof(*s));
	struct debug_opener opener = {.open = ask_to_open, .ctx = s};
	struct line_store lines = {.ask = ask_for_lines, .ctx = s};
	_cleanup_close_ int fd = -1;
	struct wire_query q;
	ssize_t len;
	int err;

	if (!s)
		return -ENOMEM;
	s->sock = sock;
	s->lookup = lookup;
	len = wire_recv(sock, s->msg, &fd);
	if (len <= (ssize_t)sizeof(q))
		return -ENOTCONN;
	memcpy(&q, s->msg, sizeof(q));
	memcpy(s->path, s->msg + sizeof(q), (size_t)len - sizeof(q));
	opener.find = q.can_find ? ask_to_find : NULL;
	set_sources(s, &opener, q.has_lines ? &lines : NULL);
	err = answer(s, &q, s->path[0] ? s->path : NULL, fd);
	set_sources(s, &opener, NULL);
	return err;
}

int worker_enter(int sock, pid_t parent, uint64_t memory_bytes)
{
	struct wire_hello hello = {.type = WIRE_HELLO};
	int err;

	/* Sections and tables are large and go soon: glibc would learn to keep them. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	err = sandbox_enter(sock, parent, memory_bytes, &hello.sandbox_parts);

	return err ?: wire_send(WORKER_SOCK, &hello, sizeof(hello), -1);
}

int worker_serve(int sock, pid_t parent, struct lookup *lookup)
{
	int err = worker_enter(sock, parent, WORKER_MEMORY);

	while (!err)
		err = worker_serve_one(WORKER_SOCK, lookup);
	return err;
}
