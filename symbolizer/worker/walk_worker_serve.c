// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader that runs CFI walks. */
#include <errno.h>
#include <string.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "symbolizer/worker/walk_worker.h"
#include "symbolizer/worker/worker.h"
#include "symbolizer/worker/worker_wire.h"

struct walk_served {
	int sock;
	struct walk_files *state;
	struct buf regions, rest; /* registers and stack */
	char msg[WIRE_BYTES_MAX];
};

static int take_bytes(struct walk_served *s, struct buf *to, size_t len)
{
	int err = 0;

	buf_clear(to);
	while (to->len < len && !err) {
		ssize_t n = wire_recv(s->sock, s->msg, NULL);

		err = n <= 0 ? -ENOTCONN : wire_read_blob(to, s->msg, (size_t)n);
	}
	return err ?: to->len == len ? 0 : -EBADMSG;
}

static int walk(struct walk_served *s, const struct wire_walk *w)
{
	const size_t regs_len = CFI_WALK_REGS * sizeof(uint64_t);
	uint64_t regs[CFI_WALK_REGS], frames[UNWIND_FRAMES_MAX];
	struct wire_walked walked = {.type = WIRE_WALKED};
	struct walk_sample sample = {.n_regions = w->n_regions, .n_live = w->n_live};
	enum cfi_walk_end end;
	int err = 0;

	if (!w->same_regions)
		err = take_bytes(s, &s->regions, w->n_regions * sizeof(struct walk_region));
	err = err ?: take_bytes(s, &s->rest, regs_len + w->stack_len);
	if (err)
		return err;
	memcpy(regs, s->rest.data, regs_len);
	sample.captured = (struct captured_stack){regs, (uint8_t *)s->rest.data + regs_len,
						  w->stack_len, w->below};
	sample.regions = (const struct walk_region *)s->regions.data;
	walked.n = (uint32_t)walk_files_walk(s->state, &sample, frames, UNWIND_FRAMES_MAX, &end);
	walked.end = end;
	return wire_send2(s->sock, &walked, sizeof(walked), frames, walked.n * sizeof(*frames), -1);
}

static int take_file(struct walk_served *s, const struct wire_file *f, int fd)
{
	int err = 0;

	if (f->type == WIRE_NOTE)
		walk_files_note_to(s->state, fd);
	else if (fd < 0)
		walk_files_forget(s->state);
	else
		err = walk_files_add(s->state, f->file, fd);
	return err;
}

int walk_serve_one(struct walk_served *s)
{
	union {
		uint32_t type;
		struct wire_file file;
		struct wire_walk walk;
	} m;
	int fd;
	ssize_t n = wire_recv(s->sock, s->msg, &fd);

	if (n <= 0)
		return -ENOTCONN;
	memset(&m, 0, sizeof(m));
	memcpy(&m, s->msg, (size_t)n < sizeof(m) ? (size_t)n : sizeof(m));
	if (m.type == WIRE_NOTE || m.type == WIRE_FILE)
		return take_file(s, &m.file, fd);
	cleanup_close_fd(&fd);
	return m.type == WIRE_WALK ? walk(s, &m.walk) : -EBADMSG;
}

int walk_served_new(struct walk_served **out, int sock)
{
	struct walk_served *s = calloc(1, sizeof(*s));
	int err = s ? walk_files_new(&s->state) : -ENOMEM;

	if (err) {
		free(s);
		return err;
	}
	s->sock = sock;
	*out = s;
	return 0;
}

void walk_served_free(struct walk_served *s)
{
	if (!s)
		return;
	walk_files_free(s->state);
	buf_release(&s->regions);
	buf_release(&s->rest);
	free(s);
}

int walk_worker_serve(int sock, pid_t parent, struct lookup *lookup)
{
	struct walk_served *s = NULL;
	int err = worker_enter(sock, parent, WORKER_MEMORY) ?: walk_served_new(&s, WORKER_SOCK);

	(void)lookup;
	while (!err)
		err = walk_serve_one(s);
	walk_served_free(s);
	return err;
}
