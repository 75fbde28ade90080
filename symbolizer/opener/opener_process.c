// SPDX-License-Identifier: GPL-2.0-or-later
/* The opener's processes: their start and end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/opener/keeper.h"
#include "symbolizer/opener/opener_priv.h"
#include "symbolizer/sandbox/sandbox.h"
#include "symbolizer/sandbox/spawner.h"

#define SLICE_NS 100000 /* the shortest there is */
/* As sandbox_enter() leaves it. */
#define SOCK 3
/* Besides what was inherited. Neither process holds more than a message and headers. */
#define MEMORY (64ull << 20)

/*
 * Others wait for each of the few microseconds that these processes run. Where there are more tasks
 * than CPUs, a task with short slices need not wait for the end of another's long one (Linux 6.12;
 * others ignore it).
 */
static void want_short_slices(void)
{
	/* struct sched_attr, whose header collides with sched.h; its policy 0 is SCHED_OTHER */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {
		.size = sizeof(attr),
		.nice = getpriority(PRIO_PROCESS, 0),
		.runtime = SLICE_NS,
	};

	if (syscall(SYS_sched_setattr, 0, &attr, 0))
		log_debug("the opener gets no short slices of time");
}

/* --- in the new process ----------------------------------------------------------------------- */

static int be_keeper(int sock, pid_t parent)
{
	unsigned parts;
	int err = sandbox_enter(sock, parent, MEMORY, &parts);

	return err ?: keeper_serve(SOCK);
}

static int be_hand(struct opener_note *note, int sock, pid_t parent)
{
	unsigned parts;
	char link_msg;
	int link, err = sandbox_enter_opener(sock, parent, MEMORY, &parts);

	if (err)
		return err;
	if (wire_recv_short(SOCK, &link_msg, 1, &link) <= 0 || link < 0)
		return -ENOTCONN;
	return opener_hand_serve(SOCK, link, note);
}

int opener_serve_in(void *ctx, int sock, pid_t parent)
{
	struct opener *o = ctx;
	struct opener_hello hello;

	if (wire_recv_short(sock, &hello, sizeof(hello), NULL) != sizeof(hello))
		return -ENOTCONN;
	want_short_slices();
	/* For whoever looks at processes. */
	prctl(PR_SET_NAME, hello.role == OPENER_KEEPER ? "kiln-keeper" : "kiln-opener");
	if (hello.role == OPENER_KEEPER)
		return fcntl(sock, F_SETFL, O_NONBLOCK) ? -errno : be_keeper(sock, parent);
	return hello.note < HANDS_MAX ? be_hand(&o->notes[hello.note], sock, parent) : -EINVAL;
}

/* --- the keeper ------------------------------------------------------------------------------- */

void opener_reap(struct opener *o, int wait_ms)
{
	for (;;) {
		size_t kept = 0;

		for (size_t i = 0; i < o->unreaped.len; i++)
			if (!waitpid(o->unreaped.data[i], NULL, WNOHANG))
				o->unreaped.data[kept++] = o->unreaped.data[i];
		o->unreaped.len = kept;
		if (!kept || wait_ms-- <= 0)
			return;
		usleep(1000);
	}
}

static void end_process(struct opener *o, pid_t *pid, int *sock)
{
	kill(*pid, SIGKILL);
	if (vec_push(&o->unreaped, *pid))
		log_debug("a process of the opener is not waited for");
	close(steal_fd(sock));
	*pid = 0;
	opener_reap(o, 0);
}

/* True if the process at the other end has ended. */
static bool is_gone(int sock)
{
	struct pollfd p = {.fd = sock};

	return poll(&p, 1, 0) < 0 || p.revents & (POLLHUP | POLLERR);
}

static int spawn(struct opener *o, enum opener_role role, uint32_t note, pid_t *pid, int *sock)
{
	struct opener_hello hello = {role, note};
	int err = spawner_spawn(o->spawner, pid, sock);

	if (err) {
		*pid = 0;
		return err;
	}
	err = wire_send(*sock, &hello, sizeof(hello), -1);
	if (err)
		end_process(o, pid, sock);
	return err;
}

void opener_stop_keeper(struct opener *o)
{
	if (!o->keeper_pid)
		return;
	end_process(o, &o->keeper_pid, &o->keeper_sock);
	o->first_number = o->next_number;
	o->stats.lost++;
}

bool opener_keeper_lives(struct opener *o)
{
	if (o->keeper_pid && is_gone(o->keeper_sock)) {
		log_warning("the process that holds files open has ended; opening them again");
		opener_stop_keeper(o);
	}
	return o->keeper_pid != 0;
}

static int ensure_keeper(struct opener *o)
{
	int err;

	if (opener_keeper_lives(o))
		return 0;
	err = spawn(o, OPENER_KEEPER, 0, &o->keeper_pid, &o->keeper_sock);
	if (!err)
		o->keeper_life++;
	return err;
}

int opener_tell_keeper(struct opener *o, enum keeper_what what, uint64_t number, uint64_t other,
		       int fd)
{
	struct keeper_ask ask = {.what = what, .number = number, .other = other};
	struct pollfd p = {.fd = o->keeper_sock, .events = POLLOUT};
	int err;

	if (!o->keeper_pid)
		return -ESTALE;
	err = wire_send(o->keeper_sock, &ask, sizeof(ask), fd);
	if (err == -EAGAIN && poll(&p, 1, 1000) > 0)
		err = wire_send(o->keeper_sock, &ask, sizeof(ask), fd);
	if (err)
		opener_stop_keeper(o);
	return err;
}

/* --- hands ------------------------------------------------------------------------------------ */

static void stop_hand_locked(struct opener *o, struct hand_process *h)
{
	if (h->pid)
		end_process(o, &h->pid, &h->sock);
}

void opener_stop_hand(struct opener *o, struct hand_process *h)
{
	pthread_mutex_lock(&o->lock);
	stop_hand_locked(o, h);
	pthread_mutex_unlock(&o->lock);
}

/* Connects a new hand and the keeper. */
static int link_hand(struct opener *o, struct hand_process *h)
{
	_cleanup_close_ int keeper_end = -1, hand_end = -1;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	keeper_end = pair[0];
	hand_end = pair[1];
	if (fcntl(keeper_end, F_SETFL, O_NONBLOCK))
		return -errno;
	err = opener_tell_keeper(o, KEEPER_LINK, 0, 0, keeper_end)
		      ?: wire_send(h->sock, "x", 1, hand_end);
	if (!err)
		h->keeper_life = o->keeper_life;
	return err;
}

static int ensure_hand_locked(struct opener *o, struct hand_process *h)
{
	int err = o->ended ? -ESHUTDOWN : ensure_keeper(o);

	if (err)
		return err;
	if (h->pid && (h->keeper_life != o->keeper_life || is_gone(h->sock)))
		stop_hand_locked(o, h);
	if (h->pid)
		return 0;
	opener_reap(o, 0);
	if (o->unreaped.len >= OPENER_HUNG_MAX) {
		o->stats.crowded++;
		return -EBUSY;
	}
	err = spawn(o, OPENER_HAND, (uint32_t)(h - o->hands), &h->pid, &h->sock);
	if (err)
		return err;
	err = link_hand(o, h);
	if (err)
		stop_hand_locked(o, h);
	return err;
}

int opener_ensure_hand(struct opener *o, struct hand_process *h)
{
	int err;

	pthread_mutex_lock(&o->lock);
	err = ensure_hand_locked(o, h);
	pthread_mutex_unlock(&o->lock);
	return err;
}
