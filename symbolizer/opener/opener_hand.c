// SPDX-License-Identifier: GPL-2.0-or-later
/* A hand of the opener: opens, looks at and closes foreign files, and may hang in each. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "symbolizer/files/jit_files.h"
#include "symbolizer/files/rooted.h"
#include "symbolizer/head/elf_head.h"
#include "symbolizer/opener/keeper.h"
#include "symbolizer/opener/opener_wire.h"

/*
 * Handles that the hand used lately, by origin, so that it need not ask the keeper. They keep file
 * systems from being unmounted, so not for long.
 */
#define RECENT_MAX	128
#define RECENT_KEEP_NS	5000000000ull
#define RECENT_CHECK_MS 1000

struct recent {
	uint64_t origin, used_ns; /* origin 0: free */
	int handle;
};

struct hand {
	struct recent recent[RECENT_MAX];
	uint64_t purged_ns;
	bool has_recent; /* some may be left */
	int sock, keeper;
	struct opener_note *note;
	struct opener_ask ask;
	struct opener_answer answer;
	char *bytes; /* after the question */
	size_t len;
	int reader; /* socket that came with the question, or -1 */
	char msg[WIRE_BYTES_MAX];
};

/* --- handles used lately ----------------------------------------------------------------------- */

static void forget_recent(struct recent *r)
{
	if (r->origin)
		close(r->handle);
	r->origin = 0;
}

static void purge_recent(struct hand *h, uint64_t now)
{
	h->has_recent = false;
	for (size_t i = 0; i < RECENT_MAX; i++) {
		if (h->recent[i].origin && now - h->recent[i].used_ns > RECENT_KEEP_NS)
			forget_recent(&h->recent[i]);
		h->has_recent |= h->recent[i].origin != 0;
	}
	h->purged_ns = now;
}

static struct recent *recent_of(struct hand *h, uint64_t origin)
{
	return &h->recent[origin / 2 % RECENT_MAX]; /* most numbers come in pairs */
}

/* Takes the handle. */
static void note_recent(struct hand *h, uint64_t origin, int handle)
{
	struct recent *r = recent_of(h, origin);

	forget_recent(r);
	h->has_recent = true;
	if (handle >= 0 && origin)
		*r = (struct recent){origin, monotonic_ns(), handle};
	else
		cleanup_close_fd(&handle);
}

/* The handle of the question's file, borrowed; or -errno. */
static int handle_of(struct hand *h)
{
	struct recent *r = recent_of(h, h->ask.origin);
	int handle;

	if (!h->ask.origin)
		return -EINVAL;
	if (r->origin != h->ask.origin) {
		handle = keeper_get(h->keeper, h->ask.number);
		if (handle < 0)
			return handle;
		note_recent(h, h->ask.origin, handle);
	}
	r->used_ns = monotonic_ns();
	return r->handle;
}

/* --- what may hang ---------------------------------------------------------------------------- */

/* Notes whose server is asked next. Leaves it alone if it hung before. */
static int may_read(void *ctx, int handle)
{
	struct hand *h = ctx;
	struct sym_file_key key;

	if (!sym_file_key(handle, &key))
		return -EBADF;
	for (uint32_t i = 0; i < h->ask.n_skip && i < OPENER_SKIP_MAX; i++)
		if (h->ask.skip[i] == key.dev)
			return -EHOSTDOWN;
	atomic_store(&h->note->dev, key.dev);
	return 0;
}

/* Reopens a handle, if it is of a regular file. A descriptor or -errno. */
static int reopen(struct hand *h, int handle)
{
	int err = handle < 0 ? handle : may_read(h, handle);

	return err ?: io_reopen_regular(handle);
}

static int open_handle(int root_fd, const char *path)
{
	int fd;

	if (root_fd >= 0)
		return io_open_in_root(root_fd, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The root of the question: a held one, or that of a process; -1: the host's. 0 or -errno. */
static int open_root(struct hand *h, int *fd)
{
	char path[64];

	*fd = -1;
	if (h->ask.root) {
		*fd = keeper_get(h->keeper, h->ask.root);
	} else if (h->ask.tgid) {
		snprintf(path, sizeof(path), "/proc/%u/root", h->ask.tgid);
		*fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		*fd = *fd < 0 ? -errno : *fd;
	} else {
		return 0;
	}
	return *fd < 0 ? *fd : 0;
}

static void describe(struct hand *h, int handle)
{
	struct statx st;

	sym_file_key(handle, &h->answer.key);
	if (statx(handle, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID | STATX_MODE, &st))
		return;
	h->answer.uid = st.stx_uid;
	h->answer.others_read = (st.stx_mode & S_IROTH) != 0;
}

/* --- questions -------------------------------------------------------------------------------- */

static int do_mapped(struct hand *h)
{
	_cleanup_close_ int root = -1, fd = -1, handle = -1, new_root = -1;
	struct open_request req = {
		.path = h->bytes,
		.build_id = h->ask.build_id,
		.major = h->ask.major,
		.minor = h->ask.minor,
		.inode = h->ask.inode,
		.generation = h->ask.generation,
		.tgid = (pid_t)h->ask.tgid,
		.parent_tgid = (pid_t)h->ask.parent_tgid,
		.va_start = h->ask.va_start,
		.va_end = h->ask.va_end,
		.may_read = may_read,
		.ctx = h,
	};
	struct open_result r;

	root = h->ask.root ? keeper_get(h->keeper, h->ask.root) : -1;
	req.root_fd = root < 0 ? -1 : root;
	open_mapped_file(&req, &r);
	fd = r.fd;
	handle = r.handle;
	new_root = r.root_fd;
	h->answer.replaced = r.replaced;
	if (r.err)
		return r.err;
	h->answer.build_id = r.build_id;
	h->answer.generation = r.generation;
	describe(h, handle);
	r.err = keeper_put(h->keeper, h->ask.number, handle);
	if (!r.err && new_root >= 0 && !keeper_put(h->keeper, h->ask.number + 1, new_root)) {
		h->answer.has_root = 1;
		h->answer.root = r.root;
	}
	if (!r.err)
		note_recent(h, h->ask.number, steal_fd(&handle));
	return r.err;
}

/* Not read here: the reader does. */
static int do_map(struct hand *h)
{
	_cleanup_close_ int root = -1, handle = -1, fd = -1;
	int err = open_root(h, &root);

	if (err)
		return err;
	handle = jit_map_handle(root, h->bytes);
	fd = reopen(h, handle);
	err = fd < 0 ? fd : jit_file_check(fd, h->ask.uid);
	if (err)
		return err;
	describe(h, handle);
	return keeper_put(h->keeper, h->ask.number, handle);
}

static int starts_like_elf(int fd, bool cores)
{
	int type = elf_head_type(fd);

	if (type < 0)
		return type;
	/* Core dumps hold secrets. */
	return cores || type != ET_CORE ? 0 : -ENOEXEC;
}

static int do_look(struct hand *h)
{
	_cleanup_close_ int handle = open_handle(-1, h->bytes);
	_cleanup_close_ int fd = reopen(h, handle);

	return fd < 0 ? fd : starts_like_elf(fd, true);
}

/* Passes the message on. Closing the file afterwards may hang; the note says that it was sent. */
static int send_on(struct hand *h, const char *msg, size_t len, int fd)
{
	int err = h->reader < 0 ? -EINVAL : wire_send(h->reader, msg, len, fd);

	if (!err)
		atomic_store(&h->note->sent, 1);
	return err;
}

static int do_give(struct hand *h)
{
	_cleanup_close_ int fd = reopen(h, handle_of(h));

	return fd < 0 ? fd : send_on(h, h->bytes, h->len, fd);
}

static int do_give_handle(struct hand *h)
{
	_cleanup_close_ int handle = keeper_get(h->keeper, h->ask.number);

	return handle < 0 ? handle : send_on(h, h->bytes, h->len, handle);
}

static int do_elf(struct hand *h)
{
	_cleanup_close_ int root = -1, handle = -1, fd = -1;
	size_t split = h->ask.split;
	int err;

	if (!split || split >= h->len || h->bytes[split - 1])
		return -EINVAL;
	err = open_root(h, &root);
	if (err)
		return err;
	handle = open_handle(root, h->bytes);
	fd = reopen(h, handle);
	err = fd < 0 ? fd : starts_like_elf(fd, false);
	if (err)
		return err;
	describe(h, handle);
	return send_on(h, h->bytes + split, h->len - split, fd);
}

/* Whether the bytes are root's, as the kernel believes of a program that is set-user-id. */
static bool is_of_root(int fd, const struct stat *st)
{
	struct statfs fs;

	return !st->st_uid && !(st->st_mode & (S_IWGRP | S_IWOTH)) && !fstatfs(fd, &fs) &&
	       !(fs.f_flags & ST_NOSUID);
}

static bool is_worth_giving(int fd, const struct build_id *id)
{
	struct elf_head head;

	return !elf_head_of(&head, fd) && head.type != ET_CORE &&
	       build_id_equal(&head.build_id, id) && head.has_symtab;
}

/* A store keeps what it gets first, under the build id that the file claims. */
static int do_debug(struct hand *h)
{
	_cleanup_close_ int root = -1, found = -1, fd = -1;
	size_t split = h->ask.split;
	struct stat st;
	int err = 0;

	if (split > h->len || (split && h->bytes[split - 1]))
		return -EINVAL;
	if (split) {
		err = open_root(h, &root);
		found = err ?: open_handle(root, h->bytes);
	}
	fd = reopen(h, split ? found : handle_of(h));
	if (fd < 0)
		return fd == -EINVAL ? -ENOENT : fd;
	if (fstat(fd, &st))
		return -errno;
	if (!(st.st_mode & S_IROTH))
		return -EACCES;
	if (h->ask.of_root && !is_of_root(fd, &st))
		return -EPERM;
	if (!is_worth_giving(fd, &h->ask.build_id))
		return -ENOENT;
	return send_on(h, h->bytes + split, h->len - split, fd);
}

static int do_what_is_asked(struct hand *h)
{
	bool is_text = h->len && !h->bytes[h->len - 1];

	switch (h->ask.what) {
	case OPENER_MAPPED:
		return is_text ? do_mapped(h) : -EINVAL;
	case OPENER_MAP:
		return is_text ? do_map(h) : -EINVAL;
	case OPENER_LOOK:
		return is_text ? do_look(h) : -EINVAL;
	case OPENER_GIVE:
		return do_give(h);
	case OPENER_GIVE_HANDLE:
		return do_give_handle(h);
	case OPENER_ELF:
		return do_elf(h);
	case OPENER_DEBUG:
		return do_debug(h);
	default:
		return -EINVAL;
	}
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Waits for a question, and lets go of handles meanwhile. */
static void await_question(struct hand *h)
{
	struct pollfd p = {.fd = h->sock, .events = POLLIN};
	uint64_t now = monotonic_ns();

	if (now - h->purged_ns > RECENT_KEEP_NS)
		purge_recent(h, now);
	while (poll(&p, 1, h->has_recent ? RECENT_CHECK_MS : -1) == 0)
		purge_recent(h, monotonic_ns());
}

static int serve_one(struct hand *h)
{
	ssize_t n;

	await_question(h);
	n = wire_recv(h->sock, h->msg, &h->reader);

	if (n < (ssize_t)sizeof(h->ask)) {
		cleanup_close_fd(&h->reader);
		return -ENOTCONN;
	}
	memcpy(&h->ask, h->msg, sizeof(h->ask));
	h->bytes = h->msg + sizeof(h->ask);
	h->len = (size_t)n - sizeof(h->ask);
	memset(&h->answer, 0, sizeof(h->answer));
	h->answer.err = do_what_is_asked(h);
	h->answer.keeper_gone = h->answer.err == -ESHUTDOWN;
	cleanup_close_fd(&h->reader);
	atomic_store(&h->note->dev, 0);
	return wire_send(h->sock, &h->answer, sizeof(h->answer), -1);
}

int opener_hand_serve(int sock, int keeper, struct opener_note *note)
{
	struct hand *h = calloc(1, sizeof(*h));
	int err = h ? 0 : -ENOMEM;

	if (h) {
		h->sock = sock;
		h->keeper = keeper;
		h->note = note;
	}
	while (!err)
		err = serve_one(h);
	free(h);
	return err;
}
