// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/debuginfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/upload/debuginfo_priv.h"

#define PIECE_BYTES   (1u << 20)
#define FRAME_MAX     16
#define MIN_ID_DIGITS 2
#define MAX_ID_DIGITS 40 /* Pyroscope's */
/* A store may read slowly, and then begin to work. */
#define SEND_MS 300000

bool debuginfo_is_taken(const struct upload_target *t)
{
	return t->kind->debuginfo;
}

static bool is_build_id(const char *s)
{
	size_t len = strlen(s);

	return len >= MIN_ID_DIGITS && len <= MAX_ID_DIGITS && len % 2 == 0 &&
	       strspn(s, "0123456789abcdef") == len;
}

int debuginfo_new(struct debuginfo **out, const struct upload_target *t,
		  const struct debuginfo_file *file, struct why *why)
{
	struct debuginfo *u;

	if (!debuginfo_is_taken(t))
		return why_say(why, -EINVAL, "%s takes no debug information", t->kind->name);
	if (!is_build_id(file->build_id))
		return why_say(why, -EINVAL, "%s: no build id that stores take", file->name);
	if (!file->bytes || file->bytes > DEBUGINFO_MAX_BYTES)
		return why_say(why, -EFBIG, "%s: it is %s", file->name,
			       file->bytes ? "larger than 1 GiB, which stores refuse" : "empty");
	u = calloc(1, sizeof(*u));
	if (!u)
		return why_say(why, -ENOMEM, "out of memory");
	u->target = t;
	u->file = *file;
	*out = u;
	return 0;
}

static void clear_request(struct debuginfo *u)
{
	free(u->request.url);
	for (size_t i = 0; i < u->request.headers.len; i++)
		free(u->request.headers.data[i]);
	vec_release(&u->request.headers);
	buf_release(&u->request.body);
	free(u->headers);
	u->headers = NULL;
	u->request = (struct upload_request){0};
}

void debuginfo_free(struct debuginfo *u)
{
	if (!u)
		return;
	clear_request(u);
	buf_release(&u->head);
	free(u->upload_id);
	free(u->signed_url);
	free(u);
}

char *debuginfo_url(const struct debuginfo *u, const char *suffix)
{
	size_t len = strlen(u->target->path);
	struct buf b = {0};

	while (len && u->target->path[len - 1] == '/')
		len--;
	buf_str(&b, u->target->base);
	buf_add(&b, u->target->path, len);
	buf_str(&b, suffix);
	return buf_take(&b);
}

/* --- the file ------------------------------------------------------------------------------------- */

/* A file that the server wants at another place goes as it is. */
static size_t frame_of(const struct debuginfo *u, uint64_t bytes, uint8_t *out)
{
	const struct debuginfo_protocol *p = u->target->kind->debuginfo;

	return p->frame && !u->signed_url ? p->frame(bytes, out) : 0;
}

uint64_t debuginfo_framed_bytes(const struct debuginfo *u)
{
	uint64_t whole = u->file.bytes / PIECE_BYTES, rest = u->file.bytes % PIECE_BYTES;
	uint8_t frame[FRAME_MAX];

	return whole * (frame_of(u, PIECE_BYTES, frame) + PIECE_BYTES) +
	       (rest ? frame_of(u, rest, frame) + rest : 0);
}

static ssize_t copy_out(const void *from, size_t len, uint64_t off, void *out, size_t max)
{
	size_t n = len - (size_t)off < max ? len - (size_t)off : max;

	memcpy(out, (const char *)from + off, n);
	return (ssize_t)n;
}

/* Each piece has its place, so that any part of the body can be read again. */
static ssize_t read_body(void *ctx, uint64_t off, void *out, size_t max)
{
	const struct debuginfo *u = ctx;
	uint8_t frame[FRAME_MAX];
	uint64_t stride = frame_of(u, PIECE_BYTES, frame) + PIECE_BYTES, piece, left;
	size_t len;
	ssize_t got;

	if (off < u->head.len)
		return copy_out(u->head.data, u->head.len, off, out, max);
	off -= u->head.len;
	piece = off / stride;
	off %= stride;
	left = u->file.bytes - piece * PIECE_BYTES;
	if (left > PIECE_BYTES)
		left = PIECE_BYTES;
	len = frame_of(u, left, frame);
	if (off < len)
		return copy_out(frame, len, off, out, max);
	off -= len;
	if (max > left - off)
		max = (size_t)(left - off);
	got = pread(u->file.fd, out, max, (off_t)(piece * PIECE_BYTES + off));
	/* A file that has become shorter is none to send. */
	return got > 0 ? got : got ? -errno : -ENODATA;
}

/* --- requests and answers ------------------------------------------------------------------------- */

/* The URL is the server's, and for this file alone: others' secrets are not sent there. */
static void strip_secrets(const struct debuginfo *u, struct net_request *r)
{
	r->auth = (struct net_auth){0};
	r->tls = (struct net_tls){.ca_file = u->target->ca_file};
	r->headers = NULL;
}

int debuginfo_request(struct debuginfo *u, struct net_request *out, struct why *why)
{
	int err;

	clear_request(u);
	u->request.method = "POST";
	err = u->target->kind->debuginfo->request(u);
	err = err ?: u->request.body.err;
	err = err ?: upload_target_request(u->target, &u->request, out, &u->headers);
	if (err)
		return why_say(why, err, "out of memory");
	if (u->step != DEBUGINFO_SEND)
		return 0;
	out->body = NULL;
	out->len = u->body_bytes;
	out->read = read_body;
	out->read_ctx = u;
	out->send_bytes_per_s = DEBUGINFO_BYTES_PER_S;
	out->total_ms = SEND_MS;
	if (u->signed_url)
		strip_secrets(u, out);
	return 0;
}

static enum debuginfo_outcome outcome_of(enum upload_verdict v)
{
	return v == UPLOAD_REFUSED || v == UPLOAD_WRONG ? DEBUGINFO_REFUSED : DEBUGINFO_AGAIN;
}

enum debuginfo_outcome debuginfo_answer(struct debuginfo *u, const struct net_answer *a,
					struct why *why)
{
	bool is_signed = u->step == DEBUGINFO_SEND && u->signed_url;
	enum debuginfo_outcome outcome;
	struct upload_judgement j;

	if (!a->err && is_signed && a->status / 100 == 2) {
		u->step = DEBUGINFO_END;
		return DEBUGINFO_NEXT;
	}
	if (!a->err && !is_signed && a->status == 200 && a->grpc_status <= 0) {
		outcome = u->target->kind->debuginfo->answer(u, a, why);
		if (outcome != DEBUGINFO_NEXT)
			upload_target_hide_secrets(u->target, why);
		return outcome;
	}
	upload_target_judge(u->target, a, &j);
	/* Somebody else has just given it. */
	if (!a->err && (a->status == 409 || a->grpc_status == 6)) {
		why_say(why, 0, "%s", j.why.text);
		return DEBUGINFO_UNWANTED;
	}
	why_say(why, 0, "%s", j.why.text);
	return outcome_of(j.verdict);
}

enum debuginfo_outcome debuginfo_push(const struct upload_target *t,
				      const struct debuginfo_file *file, struct why *why)
{
	_cleanup_(debuginfo_freep) struct debuginfo *u = NULL;
	enum debuginfo_outcome outcome = DEBUGINFO_NEXT;
	struct net_answer a;
	struct net_request r;

	if (debuginfo_new(&u, t, file, why))
		return DEBUGINFO_REFUSED;
	while (outcome == DEBUGINFO_NEXT) {
		a = (struct net_answer){.grpc_status = -1};
		if (debuginfo_request(u, &r, why))
			return DEBUGINFO_AGAIN;
		net_fetch(&r, NULL, &a);
		outcome = debuginfo_answer(u, &a, why);
		net_answer_release(&a);
	}
	return outcome;
}
