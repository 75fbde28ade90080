// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/opener/opener.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "symbolizer/opener/opener_priv.h"

/* A local file system answers in milliseconds, a busy server in tenths of a second. */
#define WAIT_NS 1000000000ull
/* A hand that waits for a CPU on an overloaded machine gets so much longer. */
#define BUSY_WAIT_NS 10000000000ull
#define CHECK_NS     100000000ull
/* A file system is left alone after so many stalls, for so long. */
#define STALLS_MAX 3
#define STALLED_NS 3600000000000ull
/* A file is asked for so often, while processes of the opener end meanwhile. */
#define TRIES 3

/* --- file systems that hang ------------------------------------------------------------------- */

static struct stalled_fs *find_stalled(struct opener *o, uint64_t dev)
{
	uint64_t now = monotonic_ns();

	for (size_t i = 0; i < o->stalled.len; i++) {
		struct stalled_fs *s = &o->stalled.data[i];

		if (now - s->since_ns > STALLED_NS) {
			*s = vec_last(&o->stalled);
			o->stalled.len--;
			i--;
		} else if (s->dev == dev) {
			return s;
		}
	}
	return NULL;
}

static unsigned stalls_on(struct opener *o, uint64_t dev)
{
	const struct stalled_fs *s = dev ? find_stalled(o, dev) : NULL;

	return s ? s->stalls : 0;
}

/* At the cap the oldest is forgotten. */
static void note_stall(struct opener *o, uint64_t dev)
{
	struct stalled_fs new = {dev, monotonic_ns(), 1}, *s = find_stalled(o, dev);

	if (!dev)
		return;
	if (s) {
		s->stalls++;
		return;
	}
	if (o->stalled.len == STALLED_MAX) {
		o->stalled.len--;
		memmove(o->stalled.data, o->stalled.data + 1,
			o->stalled.len * sizeof(*o->stalled.data));
	}
	if (vec_push(&o->stalled, new))
		log_debug("out of memory: cannot remember a file server that hangs");
}

void opener_note_stall(struct opener *o, uint64_t dev)
{
	pthread_mutex_lock(&o->lock);
	note_stall(o, dev);
	pthread_mutex_unlock(&o->lock);
}

/* Tells the hand which file systems to leave alone. Gives the longest wait. */
static uint64_t prepare(struct opener *o, struct opener_ask *ask, uint64_t dev, unsigned stalls_max)
{
	unsigned stalls;

	ask->n_skip = 0;
	pthread_mutex_lock(&o->lock);
	stalls = stalls_on(o, dev);
	find_stalled(o, 0); /* drops those that are forgiven */
	for (size_t i = 0; i < o->stalled.len; i++)
		if (o->stalled.data[i].stalls >= stalls_max)
			ask->skip[ask->n_skip++] = o->stalled.data[i].dev;
	pthread_mutex_unlock(&o->lock);
	return WAIT_NS >> (stalls < STALLS_MAX ? stalls : STALLS_MAX);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Locks a hand, one that is idle if possible. */
static struct hand_process *take_hand(struct opener *o)
{
	for (size_t i = 0; i < HANDS_MAX; i++)
		if (!pthread_mutex_trylock(&o->hands[i].lock))
			return &o->hands[i];
	pthread_mutex_lock(&o->hands[0].lock);
	return &o->hands[0];
}

/* As in /proc/PID/stat; '\0': not known. */
static char state_of(pid_t pid)
{
	char path[64], line[512];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (io_read_line(path, line, sizeof(line)))
		return '\0';
	state = strrchr(line, ')');
	return state && state[1] == ' ' ? state[2] : '\0';
}

/* True if the process waits for a CPU. An overloaded machine is no hung file server. */
static bool wants_cpu(pid_t pid)
{
	return state_of(pid) == 'R';
}

/* True if a signal or a debugger has stopped it. */
static bool is_stopped(pid_t pid)
{
	char state = state_of(pid);

	return state == 'T' || state == 't';
}

/* 0 if there is an answer; -ETIMEDOUT. */
static int await(const struct hand_process *h, uint64_t wait_ns)
{
	uint64_t begin = monotonic_ns(), end = begin + wait_ns;

	for (;;) {
		struct pollfd p = {.fd = h->sock, .events = POLLIN};
		uint64_t now = monotonic_ns();
		int n;

		if (now >= end && (now - begin > BUSY_WAIT_NS || !wants_cpu(h->pid)))
			return -ETIMEDOUT;
		end = now >= end ? now + CHECK_NS : end;
		n = poll(&p, 1, (int)((end - now) / 1000000) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* The hand hangs: kills it, and remembers where. The result of its question; -EINTR: it was stopped, which says
 * nothing about the file. */
static int abandon(struct opener *o, struct hand_process *h, uint64_t dev)
{
	struct opener_note *note = &o->notes[h - o->hands];
	uint64_t noted = atomic_load(&note->dev);
	bool sent = atomic_load(&note->sent);

	if (is_stopped(h->pid)) {
		log_warning("a signal or a debugger has stopped the process that opens files (pid "
			    "%d): another one takes over",
			    h->pid);
		opener_stop_hand(o, h);
		return sent ? 0 : -EINTR;
	}
	pthread_mutex_lock(&o->lock);
	note_stall(o, noted ?: dev);
	o->stats.stalls++;
	pthread_mutex_unlock(&o->lock);
	log_debug("the opener waits for a file server (device %llu:%llu): another one takes over",
		  (unsigned long long)(noted ?: dev) >> 32,
		  (unsigned long long)(noted ?: dev) & UINT32_MAX);
	opener_stop_hand(o, h);
	return sent ? 0 : -ETIMEDOUT;
}

struct question {
	struct opener_ask ask;
	const void *a, *b; /* bytes that follow */
	size_t a_len, b_len;
	int sock;	 /* of a reader, or -1 */
	uint64_t dev;	 /* of the file, if it is known; 0 */
	unsigned stalls; /* file systems that hung so often are left alone; 0: STALLS_MAX */
};

static int send_question(struct hand_process *h, const struct question *q)
{
	size_t len = sizeof(q->ask);

	if (q->a_len + q->b_len > OPENER_BYTES_MAX)
		return -ENAMETOOLONG;
	memcpy(h->msg, &q->ask, len);
	memcpy(h->msg + len, q->a, q->a_len);
	if (q->b_len)
		memcpy(h->msg + len + q->a_len, q->b, q->b_len);
	return wire_send(h->sock, h->msg, len + q->a_len + q->b_len, q->sock);
}

static int take_answer(struct opener *o, struct hand_process *h, struct opener_answer *out)
{
	if (wire_recv(h->sock, h->msg, NULL) != sizeof(*out)) {
		opener_stop_hand(o, h);
		return -ECONNABORTED;
	}
	memcpy(out, h->msg, sizeof(*out));
	if (out->keeper_gone) {
		pthread_mutex_lock(&o->lock);
		opener_stop_keeper(o);
		pthread_mutex_unlock(&o->lock);
		return -ESTALE;
	}
	return out->err > 0 || out->build_id.len > BUILD_ID_MAX ? -EBADMSG : out->err;
}

static int ask_hand(struct opener *o, struct hand_process *h, struct question *q,
		    struct opener_answer *answer)
{
	struct opener_note *note = &o->notes[h - o->hands];
	uint64_t wait_ns = prepare(o, &q->ask, q->dev, q->stalls ?: STALLS_MAX);
	int err;

	for (uint32_t i = 0; i < q->ask.n_skip; i++)
		if (q->dev && q->ask.skip[i] == q->dev)
			return -EHOSTDOWN;
	err = opener_ensure_hand(o, h);
	if (err)
		return err;
	atomic_store(&note->dev, 0);
	atomic_store(&note->sent, 0);
	err = send_question(h, q);
	if (err == -EPIPE || err == -ECONNRESET)
		opener_stop_hand(o, h);
	err = err ?: await(h, wait_ns);
	if (err == -ETIMEDOUT)
		return abandon(o, h, q->dev);
	return err ?: take_answer(o, h, answer);
}

/* 0 or -errno. *answer is all zero without one. */
static int ask(struct opener *o, struct question *q, struct opener_answer *answer)
{
	struct hand_process *h = take_hand(o);
	int err = -EINTR;

	memset(answer, 0, sizeof(*answer));
	for (int i = 0; i < TRIES && err == -EINTR; i++)
		err = ask_hand(o, h, q, answer);
	pthread_mutex_unlock(&h->lock);
	if (err == -EHOSTDOWN) {
		pthread_mutex_lock(&o->lock);
		o->stats.skipped++;
		pthread_mutex_unlock(&o->lock);
	}
	return err;
}

/* --- questions -------------------------------------------------------------------------------- */

static uint64_t new_numbers(struct opener *o, unsigned n)
{
	uint64_t number;

	pthread_mutex_lock(&o->lock);
	number = o->next_number;
	o->next_number += n;
	pthread_mutex_unlock(&o->lock);
	return number;
}

/*
 * The hand or the keeper, not the file, is why there is nothing. Success is none if a keeper had ended
 * before the question: it has taken the number with it, and the next one keeps the file in vain.
 */
static bool has_ended(int err, const struct opener_answer *answer)
{
	return !err || err == -ECONNABORTED || err == -ECONNRESET || err == -EPIPE ||
	       answer->keeper_gone;
}

static void set_text(struct question *q, const char *text)
{
	q->a = text;
	q->a_len = strlen(text) + 1;
}

static struct held_file held_of(struct opener *o, uint64_t number, const struct opener_answer *a)
{
	return (struct held_file){.opener = o,
				  .number = number,
				  .origin = number,
				  .uid = a->uid,
				  .others_read = a->others_read,
				  .key = a->key};
}

/* True: a process of the opener ended meanwhile, which says nothing about the file. */
static bool mapped_once(struct opener *o, const struct open_request *req, uint64_t root,
			struct opened *out)
{
	struct question q = {
		.ask =
			{
				.what = OPENER_MAPPED,
				.tgid = (uint32_t)req->tgid,
				.parent_tgid = (uint32_t)req->parent_tgid,
				.major = req->major,
				.minor = req->minor,
				.number = new_numbers(o, 2),
				.root = root,
				.inode = req->inode,
				.generation = req->generation,
				.va_start = req->va_start,
				.va_end = req->va_end,
				.build_id = req->build_id,
			},
		.sock = -1,
		.dev = (uint64_t)req->major << 32 | req->minor,
	};
	struct opener_answer answer;
	bool ended;

	set_text(&q, req->path);
	out->err = ask(o, &q, &answer);
	out->replaced = answer.replaced;
	out->build_id = answer.build_id;
	out->generation = answer.generation;
	out->root = answer.root;
	out->file = held_of(o, q.ask.number, &answer);
	if (answer.has_root) {
		out->file.root = q.ask.number + 1;
		out->file.root_dev = answer.root.dev;
		out->file.root_ino = answer.root.inode;
	}
	if (!out->err && opener_has(o, q.ask.number))
		return false;
	ended = has_ended(out->err, &answer);
	out->err = out->err ?: -ESTALE;
	/* A hand that hung in closing has put them there. */
	opener_close(o, q.ask.number);
	opener_close(o, q.ask.number + 1);
	out->file = (struct held_file){0};
	return ended;
}

void opener_mapped(struct opener *o, const struct open_request *req, uint64_t root,
		   struct opened *out)
{
	for (int i = 0; i < TRIES && mapped_once(o, req, root, out); i++)
		;
}

/* As mapped_once(). */
static bool map_once(struct opener *o, uint64_t root, pid_t tgid, const char *path, uint32_t owner,
		     struct held_file *out, int *err)
{
	struct question q = {
		.ask = {.what = OPENER_MAP, .tgid = (uint32_t)tgid, .uid = owner, .root = root},
		.sock = -1,
	};
	struct opener_answer answer;
	bool ended;

	q.ask.number = new_numbers(o, 1);
	set_text(&q, path);
	*err = ask(o, &q, &answer);
	if (!*err && opener_has(o, q.ask.number)) {
		*out = held_of(o, q.ask.number, &answer);
		return false;
	}
	opener_close(o, q.ask.number);
	ended = has_ended(*err, &answer);
	*err = *err ?: -ESTALE;
	return ended;
}

int opener_map(struct opener *o, uint64_t root, pid_t tgid, const char *path, uint32_t owner,
	       struct held_file *out)
{
	int err = 0;

	for (int i = 0; i < TRIES && map_once(o, root, tgid, path, owner, out, &err); i++)
		;
	return err;
}

bool opener_is_elf(struct opener *o, const char *path)
{
	struct question q = {.ask = {.what = OPENER_LOOK}, .sock = -1};
	struct opener_answer answer;

	set_text(&q, path);
	return !ask(o, &q, &answer);
}

int opener_give(const struct held_file *file, const struct opener_mail *mail)
{
	struct question q = {
		.ask = {.what = OPENER_GIVE, .number = file->number, .origin = file->origin},
		.a = mail->head,
		.a_len = mail->head_len,
		.b = mail->body,
		.b_len = mail->body_len,
		.sock = mail->sock,
		.dev = file->key.dev,
	};
	struct opener_answer answer;

	if (!opener_has(file->opener, file->number))
		return -ESTALE;
	return ask(file->opener, &q, &answer);
}

/* A descriptor of this process, or -errno. */
static int claim(struct opener *o, enum opener_what what, uint64_t number, uint64_t origin)
{
	struct question q = {
		.ask = {.what = what, .number = number, .origin = origin},
		.a = "x",
		.a_len = 1,
	};
	_cleanup_close_ int ours = -1, theirs = -1;
	struct opener_answer answer;
	int pair[2], err, fd = -1;
	char msg;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -errno;
	ours = pair[0];
	q.sock = theirs = pair[1];
	err = ask(o, &q, &answer);
	if (err)
		return err;
	return wire_recv_short(ours, &msg, 1, &fd) > 0 && fd >= 0 ? fd : -EIO;
}

int opener_claim(const struct held_file *file, int *fd, int *root_fd)
{
	int got = claim(file->opener, OPENER_GIVE, file->number, file->origin);

	if (got < 0)
		return got;
	*fd = got;
	got = file->root ? claim(file->opener, OPENER_GIVE_HANDLE, file->root, 0) : -1;
	*root_fd = got < 0 ? -1 : got;
	return 0;
}

int opener_handle(const struct held_file *file)
{
	return claim(file->opener, OPENER_GIVE_HANDLE, file->number, 0);
}

int opener_give_elf(struct opener *o, uint64_t root, const char *path,
		    const struct opener_mail *mail, uint64_t *dev)
{
	struct question q = {
		.ask = {.what = OPENER_ELF, .root = root},
		.b = mail->head,
		.b_len = mail->head_len,
		.sock = mail->sock,
		.stalls = 1,
	};
	struct opener_answer answer;
	int err;

	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return -ENOENT;
	set_text(&q, path);
	q.ask.split = (uint32_t)q.a_len;
	err = ask(o, &q, &answer);
	*dev = answer.key.dev;
	return err;
}

int opener_give_debug(const struct held_file *file, const char *path, const struct build_id *id,
		      bool of_root, const struct opener_mail *mail)
{
	struct question q = {
		.ask = {.what = OPENER_DEBUG, .of_root = of_root, .build_id = *id},
		.a = "",
		.b = mail->head,
		.b_len = mail->head_len,
		.sock = mail->sock,
	};
	struct opener_answer answer;

	if (path) {
		if (path[0] != '/' || strlen(path) >= PATH_MAX)
			return -ENOENT;
		set_text(&q, path);
		q.ask.split = (uint32_t)q.a_len;
		q.ask.root = file->root;
		q.stalls = 1;
	} else {
		if (!opener_has(file->opener, file->number))
			return -ESTALE;
		q.ask.number = file->number;
		q.ask.origin = file->origin;
		q.dev = file->key.dev;
	}
	return ask(file->opener, &q, &answer);
}

/* --- numbers ---------------------------------------------------------------------------------- */

void opener_dup(const struct held_file *file, struct held_file *out)
{
	struct opener *o = file->opener;

	*out = *file;
	out->number = new_numbers(o, 2);
	out->root = file->root ? out->number + 1 : 0;
	pthread_mutex_lock(&o->lock);
	opener_tell_keeper(o, KEEPER_DUP, file->number, out->number, -1);
	if (out->root)
		opener_tell_keeper(o, KEEPER_DUP, file->root, out->root, -1);
	pthread_mutex_unlock(&o->lock);
}

void opener_close(struct opener *o, uint64_t number)
{
	pthread_mutex_lock(&o->lock);
	if (number && number >= o->first_number)
		opener_tell_keeper(o, KEEPER_DROP, number, 0, -1);
	pthread_mutex_unlock(&o->lock);
}

bool opener_has(struct opener *o, uint64_t number)
{
	bool has;

	pthread_mutex_lock(&o->lock);
	has = opener_keeper_lives(o) && number >= o->first_number;
	pthread_mutex_unlock(&o->lock);
	return has;
}

void opener_stats(struct opener *o, struct opener_stats *out)
{
	pthread_mutex_lock(&o->lock);
	*out = o->stats;
	pthread_mutex_unlock(&o->lock);
}
