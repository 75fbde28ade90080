// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/walk_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/descriptors.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"
#include "symbolizer/opener/kept_file.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/worker/worker_priv.h"

/* Recording waits for walks. During longer waits other stacks would be lost. */
#define STALL_NS 1000000000ull
/* CPU time of one sample; the first one in a Go program needs most. */
#define WORK_NS 5000000000ull
/* Samples sent ahead: one is walked while the next is put together. Their answers must fit into
 * the socket's buffer, or both sides would wait for each other. */
#define AHEAD_MAX 4
/* After so many failures within the window no stacks are walked until its end. */
#define FAILURES_MAX 16

struct known_file {
	uint32_t number;
	bool readable; /* false: unreadable, or not to be read any more */
	struct kept_file file;
	bool sent;	 /* the current reader has it */
	bool was_killed; /* a reader that was at it */
};

struct walk_worker {
	struct walk_files *here; /* walks in this process; NULL: the reader does */
	struct worker *worker;
	uint64_t stall_ns;
	VEC(struct known_file) files;
	uint32_t max_files;
	struct stalls stalls; /* files, by number, that the reader failed on: not read any more */
	int note_fd;
	pid_t filled;	  /* the reader that has the files marked as sent */
	bool must_forget; /* the reader has files that are not here any more */
	uint64_t first_ns,
		used_ns;    /* when the first file was added, and when a stack was walked last */
	struct buf regions; /* regions of the last sample sent */
	uint64_t lost, restarts;
};

/* --- files ------------------------------------------------------------------------------------ */

static struct known_file *find_file(const struct walk_worker *w, uint32_t number)
{
	for (size_t i = 0; i < w->files.len; i++)
		if (w->files.data[i].number == number)
			return &w->files.data[i];
	return NULL;
}

static void drop_file(struct known_file *f)
{
	kept_file_release(&f->file);
	f->readable = false;
}

static void forget_files(struct walk_worker *w)
{
	for (size_t i = 0; i < w->files.len; i++)
		drop_file(&w->files.data[i]);
	w->files.len = 0;
	w->must_forget = true;
	if (w->here)
		walk_files_forget(w->here);
}

void walk_worker_forget(struct walk_worker *w)
{
	forget_files(w);
}

void walk_worker_rest(struct walk_worker *w)
{
	uint64_t now = monotonic_ns();

	if (!w->files.len)
		return;
	if (now - w->used_ns > SYMBOLIZER_IDLE_NS) {
		if (w->worker)
			worker_stop(w->worker);
		forget_files(w);
	} else if (now - w->first_ns > 2 * SYMBOLIZER_IDLE_NS) {
		forget_files(w);
	}
}

bool walk_worker_knows(const struct walk_worker *w, uint32_t file)
{
	return find_file(w, file);
}

static bool may_be_read(struct walk_worker *w, uint32_t number, const struct sym_file *file)
{
	const struct file_id id = {.number = number};
	uint64_t now = monotonic_ns();

	return stalls_trust(&w->stalls, &id, now) == ALL &&
	       (!w->stalls.devs.len || !stalls_on(&w->stalls, stalls_dev_of(file), now));
}

int walk_worker_add(struct walk_worker *w, uint32_t number, const struct sym_file *file)
{
	struct known_file f = {.number = number, .file = KEPT_FILE_NONE};
	int err = 0;

	if (w->files.len >= w->max_files)
		return -ENOSPC;
	if (file && sym_file_is_open(file) && may_be_read(w, number, file)) {
		err = kept_file_take(&f.file, file);
		f.readable = !err;
	}
	if (!w->files.len)
		w->first_ns = w->used_ns = monotonic_ns();
	err = err ?: vec_push(&w->files, f);
	if (err)
		drop_file(&f);
	if (err || !w->here || f.file.fd < 0)
		return err;
	vec_last(&w->files).file.fd = -1;
	return walk_files_add(w->here, number, f.file.fd);
}

/* --- the process ------------------------------------------------------------------------------ */

static int send_file(struct walk_worker *w, struct ask *a, enum wire_type type, uint32_t number,
		     int fd)
{
	struct wire_file m = {type, number};

	return worker_send(w->worker, a, &m, sizeof(m), NULL, 0, fd);
}

static void note_progress(struct walk_worker *w, struct ask *a)
{
	worker_note_progress(w->worker, a);
	a->begun_cpu_ns = a->moved_cpu_ns;
}

/* Makes sure that a reader runs. A reader that ended without a question is simply replaced. 0 or
 * -errno. */
static int ensure_process(struct walk_worker *w, struct ask *a)
{
	int err = worker_ensure(w->worker);

	if (err || w->filled == worker_pid(w->worker))
		return err;
	for (size_t i = 0; i < w->files.len; i++)
		w->files.data[i].sent = false;
	buf_clear(&w->regions);
	w->must_forget = false;
	w->filled = worker_pid(w->worker);
	worker_begin(w->worker, a);
	return send_file(w, a, WIRE_NOTE, 0, w->note_fd);
}

/* Sends a file that the reader does not have. One that its opener cannot send is not used. */
static int send_known(struct walk_worker *w, struct ask *a, struct known_file *f)
{
	struct wire_file m = {WIRE_FILE, f->number};
	struct sym_file file = kept_file_sym(&f->file);
	int err = worker_send_file(w->worker, a, &m, sizeof(m), NULL, 0, &file);

	if (err != -ECANCELED || !a->refused)
		return err;
	a->refused = 0;
	drop_file(f);
	return 0;
}

/* Sends all files that the next sample may lead into. */
static int send_files(struct walk_worker *w, struct ask *a)
{
	int err = w->must_forget ? send_file(w, a, WIRE_FILE, 0, -1) : 0;

	w->must_forget = false;
	for (size_t i = 0; i < w->files.len && !err; i++) {
		struct known_file *f = &w->files.data[i];

		if (f->readable && !f->sent)
			err = send_known(w, a, f);
		f->sent = true;
	}
	return err;
}

static int send_bytes(struct walk_worker *w, struct ask *a, const void *data, size_t len)
{
	const size_t max = WIRE_BYTES_MAX - sizeof(struct wire_head);
	int err = 0;

	for (size_t from = 0; from < len && !err; from += max) {
		struct wire_head head = {.type = WIRE_BLOB};

		head.n = (uint32_t)(len - from < max ? len - from : max);
		err = worker_send(w->worker, a, &head, sizeof(head), (const char *)data + from,
				  head.n, -1);
	}
	return err;
}

static int send_sample(struct walk_worker *w, struct ask *a, const struct walk_sample *s)
{
	const struct captured_stack *c = &s->captured;
	size_t regions_len = s->n_regions * sizeof(*s->regions);
	struct wire_walk m = {
		.type = WIRE_WALK,
		.n_regions = (uint32_t)s->n_regions,
		.n_live = (uint32_t)s->n_live,
		.below = (uint32_t)c->below,
		.stack_len = (uint32_t)c->stack_len,
		.same_regions = w->regions.len == regions_len && regions_len &&
				!memcmp(w->regions.data, s->regions, regions_len),
	};
	struct buf rest = {0};
	int err = worker_send(w->worker, a, &m, sizeof(m), NULL, 0, -1);

	if (!err && !m.same_regions) {
		buf_clear(&w->regions);
		buf_add(&w->regions, s->regions, regions_len);
		err = w->regions.err ?: send_bytes(w, a, s->regions, regions_len);
	}
	buf_add(&rest, c->regs, CFI_WALK_REGS * sizeof(*c->regs));
	buf_add(&rest, c->stack, c->stack_len);
	err = err ?: rest.err ?: send_bytes(w, a, rest.data, rest.len);
	buf_release(&rest);
	return err;
}

static int take_answer(struct walk_worker *w, struct ask *a, struct wire_walked *m,
		       uint64_t *frames)
{
	char *msg = w->worker->msg;
	int err = worker_wait(w->worker, a, POLLIN);
	ssize_t len = err ? 0 : wire_recv(w->worker->sock, msg, NULL);

	if (err)
		return err;
	/*
	 * The reader ended with samples unread. Answers that it sent before come after this error.
	 */
	if (len == -ECONNRESET)
		len = wire_recv(w->worker->sock, msg, NULL);
	if (len <= 0)
		return len == -EBADMSG ? -EBADMSG : -ECONNABORTED;
	err = wire_read_walked(msg, (size_t)len, m, frames);
	if (err)
		return err;
	note_progress(w, a);
	return 0;
}

/* --- failures --------------------------------------------------------------------------------- */

/* The file that the reader was reading, or NULL. */
static struct known_file *culprit(struct walk_worker *w)
{
	uint32_t number;

	const uint32_t none = WALK_FILE_NONE;

	if (pread(w->note_fd, &number, sizeof(number), 0) != sizeof(number) ||
	    pwrite(w->note_fd, &none, sizeof(none), 0) != sizeof(none))
		return NULL;
	return find_file(w, number);
}

static void describe_file(const struct known_file *f, char *path, size_t size)
{
	char link[32];
	ssize_t n = -1;

	if (f && f->file.fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", f->file.fd);
		n = readlink(link, path, size - 1);
	}
	if (n > 0)
		path[n] = '\0';
	else
		snprintf(path, size, "%s", f && f->file.path ? f->file.path : "a file");
}

/* Stops using a file. If a file server hung, stops using all files on that file system. */
static void distrust(struct walk_worker *w, const struct known_file *f, int err)
{
	const struct file_id id = {.number = f->number};
	const struct sym_file bad = kept_file_sym(&f->file);
	uint64_t now = monotonic_ns(), dev = stalls_dev_of(&bad);

	/* Out of memory for remembering it: the file may be tried again. */
	if (stalls_distrust(&w->stalls, &id, NO_NAMES, now) ||
	    (err == -ETIME && stalls_note(&w->stalls, dev, now)))
		log_debug("out of memory: cannot remember a bad file");
	if (err == -ETIME && f->file.held.opener)
		opener_note_stall(f->file.held.opener, dev);
	for (size_t i = 0; i < w->files.len; i++) {
		struct known_file *k = &w->files.data[i];
		struct sym_file file = kept_file_sym(&k->file);

		if (k->readable && !may_be_read(w, k->number, &file))
			drop_file(k);
	}
}

static void give_up(struct walk_worker *w, int err)
{
	struct known_file *f = culprit(w);
	int status = worker_stop(w->worker);
	char path[512];

	w->filled = 0;
	w->restarts++;
	describe_file(f, path, sizeof(path));
	if (worker_was_killed(err, status) && (!f || !f->was_killed)) {
		log_warning("the reader that walks stacks was killed at %s, perhaps for want of "
			    "memory",
			    path);
		if (f)
			f->was_killed = true;
		return;
	}
	stalls_note_failure(&w->stalls);
	log_warning("the reader that walks stacks %s %s; its call frame information is not used "
		    "any more",
		    err == -ETIME ? "hung reading" : "failed on", path);
	if (f && f->readable && err != -ENOMEM) /* not our own lack of memory */
		distrust(w, f, err);
}

static bool has_given_up(struct walk_worker *w)
{
	return stalls_failures(&w->stalls, monotonic_ns()) >= FAILURES_MAX;
}

/* --- walking ---------------------------------------------------------------------------------- */

struct run {
	struct walk_worker *w;
	size_t n, sent, answered;
	bool dead; /* the reader has ended, but answers may be left */
	walk_prepare_fn prepare;
	walk_done_fn done;
	void *ctx;
};

static void lose_one(struct run *r)
{
	r->w->lost++;
	r->done(r->ctx, r->answered++, NULL, 0, CFI_WALK_ERROR);
}

static void prepare(struct run *r, size_t i, struct walk_sample *sample)
{
	if (r->w->files.len >= r->w->max_files)
		forget_files(r->w);
	*sample = (struct walk_sample){.n_regions = 0};
	r->prepare(r->ctx, i, sample);
}

static int send_next(struct run *r, struct ask *a)
{
	struct walk_sample sample;
	int err = r->sent == r->answered ? ensure_process(r->w, a) : 0;

	if (err)
		return err;
	prepare(r, r->sent, &sample);
	err = send_files(r->w, a) ?: send_sample(r->w, a, &sample);
	worker_note_progress(r->w->worker, a);
	r->sent += !err;
	return err;
}

/* Sends one sample, or takes one answer. */
static int advance(struct run *r, struct ask *a)
{
	uint64_t frames[UNWIND_FRAMES_MAX];
	struct wire_walked m;
	int err;

	if (!r->dead && r->sent < r->n && r->sent - r->answered < AHEAD_MAX) {
		err = send_next(r, a);
		r->dead = err == -EPIPE || err == -ECONNRESET;
		return r->dead ? 0 : err;
	}
	err = take_answer(r->w, a, &m, frames);
	if (!err)
		r->done(r->ctx, r->answered++, frames, m.n, (enum cfi_walk_end)m.end);
	return err;
}

static void run_there(struct run *r)
{
	struct ask a = {.stall_ns = r->w->stall_ns, .work_ns = WORK_NS};

	if (worker_pid(r->w->worker))
		worker_begin(r->w->worker, &a);
	while (r->answered < r->n) {
		int err = has_given_up(r->w) ? -EAGAIN : advance(r, &a);

		if (!err && worker_pid(r->w->worker))
			err = worker_overdue(r->w->worker, &a);
		if (!err)
			continue;
		if (err != -EAGAIN)
			give_up(r->w, err);
		lose_one(r);
		r->sent = r->answered;
		r->dead = false;
	}
}

static void run_here(struct run *r)
{
	uint64_t frames[UNWIND_FRAMES_MAX];

	for (size_t i = 0; i < r->n; i++) {
		struct walk_sample sample;
		enum cfi_walk_end end;
		size_t n;

		prepare(r, i, &sample);
		n = walk_files_walk(r->w->here, &sample, frames, UNWIND_FRAMES_MAX, &end);
		r->done(r->ctx, i, frames, n, end);
	}
}

void walk_worker_run(struct walk_worker *w, size_t n, walk_prepare_fn prepare, walk_done_fn done,
		     void *ctx)
{
	struct run r = {.w = w, .n = n, .prepare = prepare, .done = done, .ctx = ctx};

	if (n)
		w->used_ns = monotonic_ns();
	if (w->here)
		run_here(&r);
	else
		run_there(&r);
}

/* --- life ------------------------------------------------------------------------------------- */

/* A reader writes the number of a file there. It cannot make it larger, whatever became of it. */
static int make_note(void)
{
	const uint32_t none = WALK_FILE_NONE;
	_cleanup_close_ int fd = memfd_create("kiln-note", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (pwrite(fd, &none, sizeof(none), 0) != sizeof(none) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return -EIO;
	return steal_fd(&fd);
}

static int start(struct walk_worker *w, const struct walk_worker_opts *opts)
{
	struct worker_opts worker = {.lazy = true,
				     .serve = opts->serve ?: walk_worker_serve,
				     .stall_ns = opts->stall_ns,
				     .like = opts->like ? opts->like->worker : NULL};

	if (!opts->sandbox)
		return walk_files_new(&w->here);
	w->note_fd = make_note();
	return w->note_fd < 0 ? w->note_fd : worker_new(&w->worker, &worker);
}

int walk_worker_new(struct walk_worker **out, const struct walk_worker_opts *opts)
{
	struct walk_worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->note_fd = -1;
	w->max_files = descriptors_share(WALK_FILES_MAX);
	w->stall_ns = opts->stall_ns ?: STALL_NS;
	err = start(w, opts);
	if (err) {
		walk_worker_free(w);
		return err;
	}
	*out = w;
	return 0;
}

/*
 * How often it failed stays: whoever makes readers fail must not get others by changing its owner. A reader that has
 * not ended, because it hangs, must not blame the next one's files.
 */
void walk_worker_renew(struct walk_worker *w)
{
	int note = w->worker ? make_note() : -1;

	forget_files(w);
	w->stalls.bad.len = 0;
	if (w->worker)
		worker_stop(w->worker);
	w->filled = 0;
	if (note < 0)
		return;
	close(w->note_fd);
	w->note_fd = note;
}

void walk_worker_free(struct walk_worker *w)
{
	if (!w)
		return;
	forget_files(w);
	walk_files_free(w->here);
	worker_free(w->worker);
	if (w->note_fd >= 0)
		close(w->note_fd);
	vec_release(&w->files);
	stalls_release(&w->stalls);
	buf_release(&w->regions);
	free(w);
}

void walk_worker_stats(const struct walk_worker *w, struct walk_worker_stats *out)
{
	*out = (struct walk_worker_stats){
		.lost = w->lost,
		.files_failed = w->stalls.files_failed,
		.restarts = w->restarts,
	};
}

pid_t walk_worker_pid(const struct walk_worker *w)
{
	return w->worker ? worker_pid(w->worker) : 0;
}
