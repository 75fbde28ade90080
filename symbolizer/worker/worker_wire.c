// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/worker_wire.h"

#include <errno.h>
#include <string.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/bytes.h"
#include "profiler/base/strtab.h"
#include "profiler/base/text.h"
#include "symbolizer/unwind/cfi_walk.h"

/* --- writing ---------------------------------------------------------------------------------- */

int wire_writer_init(struct wire_writer *w, int sock)
{
	*w = (struct wire_writer){.sock = sock, .strings = strtab_new()};
	return w->strings ? 0 : -ENOMEM;
}

void wire_writer_release(struct wire_writer *w)
{
	strtab_free(w->strings);
	w->strings = NULL;
}

int wire_flush(struct wire_writer *w)
{
	if (w->len && !w->err)
		w->err = wire_send(w->sock, w->msg, w->len, -1);
	w->len = 0;
	return w->err;
}

/* Room for one record, in a new message if necessary. */
static void *record_room(struct wire_writer *w, size_t len)
{
	struct wire_head head = {.type = WIRE_ANSWERS};
	void *room;

	if (w->len + len > sizeof(w->msg))
		wire_flush(w);
	if (!w->len) {
		memcpy(w->msg, &head, sizeof(head));
		w->len = sizeof(head);
	}
	room = w->msg + w->len;
	w->len += len;
	return room;
}

/* The number of a string. Sends the string if it is new. */
static uint32_t put_string(struct wire_writer *w, const char *s)
{
	struct wire_string head = {.record = WIRE_STRING};
	uint32_t known = strtab_count(w->strings), id;
	char *room;

	if (!s || w->err)
		return 0;
	head.len = (uint32_t)strnlen(s, WIRE_STRING_MAX);
	w->err = strtab_add_n(w->strings, s, head.len, &id);
	if (w->err)
		return 0;
	if (id == known) {
		room = record_room(w, sizeof(head) + head.len);
		memcpy(room, &head, sizeof(head));
		memcpy(room + sizeof(head), s, head.len);
	}
	return id + 1;
}

void wire_put_result(struct wire_writer *w, size_t index, const struct sym_result *r)
{
	struct wire_frame frames[WIRE_FRAMES_MAX];
	struct wire_result head = {
		.record = WIRE_RESULT,
		.index = (uint32_t)index,
		.elf_va = r->elf_va,
		.reason = r->reason,
		.n_frames =
			(uint32_t)(r->n_frames < WIRE_FRAMES_MAX ? r->n_frames : WIRE_FRAMES_MAX),
	};
	size_t len = head.n_frames * sizeof(*frames);
	char *room;

	for (size_t i = 0; i < head.n_frames; i++)
		frames[i] = (struct wire_frame){
			.name = put_string(w, r->frames[i].name),
			.raw_name = put_string(w, r->frames[i].raw_name),
			.file = put_string(w, r->frames[i].file),
			.line = r->frames[i].line,
			.start_line = r->frames[i].start_line,
			.discriminator = r->frames[i].discriminator,
		};
	if (w->err)
		return;
	room = record_room(w, sizeof(head) + len);
	memcpy(room, &head, sizeof(head));
	memcpy(room + sizeof(head), frames, len);
}

/* --- reading ---------------------------------------------------------------------------------- */

int wire_reader_init(struct wire_reader *r, size_t n)
{
	r->n = n;
	r->n_answered = 0;
	r->text = (struct buf){0};
	r->strings.data = NULL;
	r->strings.len = r->strings.cap = 0;
	r->answered = calloc(n + 1, 1);
	buf_char(&r->text, '\0');
	if (!r->answered || r->text.err || vec_push(&r->strings, 0) || vec_push(&r->strings, 0)) {
		wire_reader_release(r);
		return -ENOMEM;
	}
	return 0;
}

void wire_reader_release(struct wire_reader *r)
{
	free(r->answered);
	buf_release(&r->text);
	vec_release(&r->strings);
	r->answered = NULL;
}

static int read_string(struct wire_reader *r, struct bytes *b)
{
	struct wire_string head;
	struct bytes s;

	bytes_read(b, &head, sizeof(head));
	s = bytes_sub(b, head.len);
	if (b->bad || head.len > WIRE_STRING_MAX || r->strings.len >= WIRE_STRINGS_MAX ||
	    r->text.len >= WIRE_TEXT_MAX)
		return -EBADMSG;
	if (vec_push(&r->strings, r->text.len))
		return -ENOMEM;
	text_add_clean(&r->text, (const char *)s.p, head.len);
	buf_char(&r->text, '\0');
	return r->text.err;
}

static bool string_at(const struct wire_reader *r, uint32_t number, const char **s)
{
	if (number >= r->strings.len)
		return false;
	*s = number ? r->text.data + r->strings.data[number] : NULL;
	return true;
}

static bool read_frame(const struct wire_reader *r, struct bytes *b, struct sym_frame *out)
{
	struct wire_frame f;

	*out = (struct sym_frame){0};
	bytes_read(b, &f, sizeof(f));
	out->line = f.line;
	out->start_line = f.start_line;
	out->discriminator = f.discriminator;
	return !b->bad && string_at(r, f.name, &out->name) && out->name &&
	       string_at(r, f.raw_name, &out->raw_name) && string_at(r, f.file, &out->file);
}

static int read_result(struct wire_reader *r, struct bytes *b, sym_result_fn fn, void *ctx)
{
	struct sym_result result = {.frames = r->frames};
	struct wire_result head;

	bytes_read(b, &head, sizeof(head));
	if (b->bad || head.index >= r->n || r->answered[head.index] || !head.n_frames ||
	    head.n_frames > WIRE_FRAMES_MAX || head.reason >= SYM_REASON_COUNT)
		return -EBADMSG;
	for (uint32_t i = 0; i < head.n_frames; i++)
		if (!read_frame(r, b, &r->frames[i]))
			return -EBADMSG;
	r->answered[head.index] = 1;
	r->n_answered++;
	result.elf_va = head.elf_va;
	result.reason = (enum sym_reason)head.reason;
	result.n_frames = head.n_frames;
	fn(ctx, head.index, &result);
	return 0;
}

int wire_read_answers(struct wire_reader *r, const void *msg, size_t len, sym_result_fn fn,
		      void *ctx)
{
	struct bytes b = bytes_of(msg, len);
	struct wire_head head;
	int err = 0;

	bytes_read(&b, &head, sizeof(head));
	if (b.bad || head.type != WIRE_ANSWERS || !bytes_left(&b))
		return -EBADMSG; /* an empty one would count as progress for ever */
	while (!err && bytes_left(&b)) {
		struct bytes peek = b;
		uint32_t record = bytes_u32(&peek);

		if (record == WIRE_STRING)
			err = read_string(r, &b);
		else if (record == WIRE_RESULT)
			err = read_result(r, &b, fn, ctx);
		else
			err = -EBADMSG;
	}
	return err;
}

int wire_read_done(const void *msg, size_t len, struct wire_done *done, struct elf_facts *facts)
{
	struct bytes b = bytes_of(msg, len);

	bytes_read(&b, done, sizeof(*done));
	if (b.bad || done->type != WIRE_DONE || done->n_segments > ELF_FACTS_SEGMENTS_MAX ||
	    done->build_id.len > BUILD_ID_MAX || done->file_err > 0 || done->has_debug_info > 1 ||
	    done->has_symbols > 1)
		return -EBADMSG;
	*facts = (struct elf_facts){.err = done->file_err,
				    .build_id = done->build_id,
				    .has_debug_info = done->has_debug_info,
				    .has_symbols = done->has_symbols};
	for (; facts->n_segs < done->n_segments; facts->n_segs++) {
		struct wire_segment s;

		bytes_read(&b, &s, sizeof(s));
		facts->segs[facts->n_segs] =
			(struct elf_segment){s.va, s.mem_len, s.file_off, s.file_len, true};
	}
	return b.bad ? -EBADMSG : 0;
}

/* --- tables ----------------------------------------------------------------------------------- */

int wire_send_blob(int sock, const void *data, size_t len)
{
	const size_t max = WIRE_BYTES_MAX - sizeof(struct wire_head);
	int err = 0;

	for (size_t from = 0; from < len && !err; from += max) {
		struct wire_head head = {.type = WIRE_BLOB};

		head.n = (uint32_t)(len - from < max ? len - from : max);
		err = wire_send2(sock, &head, sizeof(head), (const char *)data + from, head.n, -1);
	}
	return err;
}

int wire_read_blob(struct buf *blob, const void *msg, size_t len)
{
	struct bytes b = bytes_of(msg, len);
	struct wire_head head;

	bytes_read(&b, &head, sizeof(head));
	if (b.bad || head.type != WIRE_BLOB || !head.n || head.n != bytes_left(&b) ||
	    head.n > WIRE_BLOB_MAX - blob->len)
		return -EBADMSG;
	buf_add(blob, b.p, head.n);
	return blob->err;
}

/* --- stacks ----------------------------------------------------------------------------------- */

int wire_read_walked(const void *msg, size_t len, struct wire_walked *walked, uint64_t *frames)
{
	struct bytes b = bytes_of(msg, len);

	bytes_read(&b, walked, sizeof(*walked));
	if (b.bad || walked->type != WIRE_WALKED || walked->end >= CFI_WALK_END_COUNT ||
	    !walked->n || walked->n > UNWIND_FRAMES_MAX ||
	    bytes_left(&b) != walked->n * sizeof(*frames))
		return -EBADMSG;
	bytes_read(&b, frames, walked->n * sizeof(*frames));
	return 0;
}
