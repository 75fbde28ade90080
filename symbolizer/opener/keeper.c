// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/opener/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/opener/opener_wire.h"

/* The keeper answers at once, unless the machine is overloaded. */
#define ANSWER_MS 5000

struct kept {
	uint64_t number;
	int fd;
};

struct keeper {
	int control;
	int links[KEEPER_LINKS_MAX];
	size_t n_links;
	VEC(struct kept) files;
	char msg[WIRE_BYTES_MAX];
};

/* --- the process ------------------------------------------------------------------------------ */

static struct kept *find(struct keeper *k, uint64_t number)
{
	for (size_t i = k->files.len; i-- > 0;)
		if (k->files.data[i].number == number)
			return &k->files.data[i];
	return NULL;
}

/* Takes the descriptor. Another kind of descriptor could hang when it is closed. */
static int keep(struct keeper *k, uint64_t number, int fd)
{
	struct kept kept = {number, fd};
	int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
	int err = flags < 0 || !(flags & O_PATH)     ? -EINVAL
		  : find(k, number)		     ? -EEXIST
		  : k->files.len >= KEEPER_FILES_MAX ? -EMFILE
						     : vec_push(&k->files, kept);

	if (err && fd >= 0)
		close(fd);
	return err;
}

static void drop(struct keeper *k, uint64_t number)
{
	struct kept *f = find(k, number);

	if (!f)
		return;
	close(f->fd);
	*f = vec_last(&k->files);
	k->files.len--;
}

static void duplicate(struct keeper *k, uint64_t number, uint64_t as)
{
	const struct kept *f = find(k, number);
	int fd = f ? fcntl(f->fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd >= 0)
		keep(k, as, fd);
}

static int take(struct keeper *k, int sock, struct keeper_ask *ask, int *fd)
{
	ssize_t n = wire_recv(sock, k->msg, fd);

	if (n != sizeof(*ask)) {
		cleanup_close_fd(fd);
		return n < 0 ? (int)n : -ENOTCONN;
	}
	memcpy(ask, k->msg, sizeof(*ask));
	return 0;
}

/* One order of kiln. 0, -EAGAIN if there is none, or another -errno if kiln is gone. */
static int obey(struct keeper *k)
{
	struct keeper_ask ask = {0};
	int fd, err = take(k, k->control, &ask, &fd);

	if (err)
		return err;
	if (ask.what == KEEPER_LINK && k->n_links < KEEPER_LINKS_MAX && fd >= 0) {
		k->links[k->n_links++] = fd;
		return 0;
	}
	cleanup_close_fd(&fd);
	if (ask.what == KEEPER_DUP)
		duplicate(k, ask.number, ask.other);
	else if (ask.what == KEEPER_DROP)
		drop(k, ask.number);
	return 0;
}

/* All of them. A hand's question may rest on one. */
static int obey_all(struct keeper *k)
{
	int err;

	while (!(err = obey(k)))
		;
	return err == -EAGAIN ? 0 : err;
}

/* Answers a hand. -errno if the hand is gone. */
static int answer(struct keeper *k, int link)
{
	struct keeper_answer answer = {0};
	const struct kept *f = NULL;
	struct keeper_ask ask = {0};
	int fd, err = take(k, link, &ask, &fd);

	if (err)
		return err == -EAGAIN ? 0 : err;
	if (ask.what == KEEPER_PUT) {
		answer.err = keep(k, ask.number, fd);
	} else {
		cleanup_close_fd(&fd);
		f = find(k, ask.number);
		answer.err = f ? 0 : -ESTALE;
	}
	return wire_send(link, &answer, sizeof(answer), f ? f->fd : -1);
}

static void unlink_at(struct keeper *k, size_t i)
{
	close(k->links[i]);
	k->links[i] = k->links[--k->n_links];
}

int keeper_serve(int control)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int err = k ? 0 : -ENOMEM;

	if (k)
		k->control = control;
	while (!err) {
		struct pollfd p[KEEPER_LINKS_MAX + 1] = {{.fd = control, .events = POLLIN}};
		size_t n = k->n_links;

		for (size_t i = 0; i < n; i++)
			p[i + 1] = (struct pollfd){.fd = k->links[i], .events = POLLIN};
		if (poll(p, n + 1, -1) < 0 && errno != EINTR)
			err = -errno;
		for (size_t i = n; i-- > 0 && !err;) {
			err = p[i + 1].revents ? obey_all(k) : 0;
			if (p[i + 1].revents && !err && answer(k, k->links[i]))
				unlink_at(k, i);
		}
		err = err ?: obey_all(k);
	}
	if (k)
		vec_release(&k->files);
	free(k);
	return err;
}

/* --- a hand's side ---------------------------------------------------------------------------- */

static int ask_keeper(int keeper, enum keeper_what what, uint64_t number, int fd, int *got)
{
	struct keeper_ask ask = {.what = what, .number = number};
	struct pollfd p = {.fd = keeper, .events = POLLIN};
	struct keeper_answer answer;
	static char msg[WIRE_BYTES_MAX];
	int n;

	if (wire_send(keeper, &ask, sizeof(ask), fd))
		return -ESHUTDOWN;
	while ((n = poll(&p, 1, ANSWER_MS)) < 0 && errno == EINTR)
		;
	if (n <= 0 || wire_recv(keeper, msg, got) != sizeof(answer))
		return -ESHUTDOWN;
	memcpy(&answer, msg, sizeof(answer));
	return answer.err;
}

int keeper_put(int keeper, uint64_t number, int handle)
{
	return ask_keeper(keeper, KEEPER_PUT, number, handle, NULL);
}

int keeper_get(int keeper, uint64_t number)
{
	int fd = -1, err = ask_keeper(keeper, KEEPER_GET, number, -1, &fd);

	if (!err && fd >= 0)
		return fd;
	cleanup_close_fd(&fd);
	return err ?: -ESHUTDOWN;
}
