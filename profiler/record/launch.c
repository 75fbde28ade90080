// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/record/inherited.h"
#include "profiler/record/launch.h"

/* Until exec() the command is a copy of kiln: what that costs is put down to no program of this name. */
static void take_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	prctl(PR_SET_NAME, slash ? slash + 1 : path);
}

static void run_child(int gate, int report, char *const argv[], const struct inherited *as)
{
	sigset_t none;
	char go;
	int err;

	take_name(argv[0]);
	/* The gate closes without a byte if kiln gives up or dies. */
	if (read(gate, &go, 1) != 1)
		_exit(125);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (as)
		inherited_restore(as);
	/* exec() takes them away, but looks for the program before. */
	if (privileges_are_of_the_file() && privileges_keep(0, 0))
		_exit(125);
	execvp(argv[0], argv);
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int launch_prepare(struct launch *l, char *const argv[], const struct inherited *as)
{
	int gate[2], report[2], err;

	if (pipe2(gate, O_CLOEXEC))
		return -errno;
	if (pipe2(report, O_CLOEXEC)) {
		err = -errno;
		close(gate[0]);
		close(gate[1]);
		return err;
	}
	l->pid = fork();
	if (l->pid == 0) {
		close(gate[1]);
		run_child(gate[0], report[1], argv, as);
	}
	err = l->pid < 0 ? -errno : 0;
	close(gate[0]);
	close(report[1]);
	l->gate_fd = gate[1];
	l->exec_fd = report[0];
	if (err) {
		close(gate[1]);
		close(report[0]);
		l->pid = 0;
	}
	return err;
}

static uint64_t ns_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_usec * 1000;
}

static bool take_status(struct launch *l)
{
	struct rusage used;

	if (wait4(l->pid, &l->status, 0, &used) != l->pid)
		return false;
	l->cpu_ns = ns_of(&used.ru_utime) + ns_of(&used.ru_stime);
	return true;
}

/*
 * Takes the command's status when it has ended. Without root kiln stops it for microseconds, with ptrace(2), and that is
 * no end and nobody else's to take (rootless/stop_one.h): so this looks first.
 */
static bool reap(struct launch *l, bool wait)
{
	siginfo_t si;

	do {
		si = (siginfo_t){.si_pid = 0};
		if (waitid(P_PID, (id_t)l->pid, &si, WEXITED | WNOWAIT | (wait ? 0 : WNOHANG)) &&
		    errno != EINTR)
			return false;
		if (si.si_code == CLD_EXITED || si.si_code == CLD_KILLED ||
		    si.si_code == CLD_DUMPED)
			return take_status(l);
		if (wait)
			usleep(1000);
	} while (wait);
	return false;
}

static void open_gate(struct launch *l)
{
	if (l->gate_fd < 0)
		return;
	/* a child that is gone has closed exec_fd, too */
	if (write(l->gate_fd, "g", 1) < 0)
		log_debug("the command did not wait at its gate");
	close(steal_fd(&l->gate_fd));
}

int launch_go(struct launch *l, int wait_ms)
{
	struct pollfd p = {.fd = l->exec_fd, .events = POLLIN};
	int exec_errno = 0;
	ssize_t n;

	open_gate(l);
	if (poll(&p, 1, wait_ms) <= 0)
		return -EAGAIN;
	n = read(l->exec_fd, &exec_errno, sizeof(exec_errno));
	close(steal_fd(&l->exec_fd));
	if (n != sizeof(exec_errno))
		return 0; /* a successful exec has closed it */
	reap(l, true);
	l->exited = true;
	return -exec_errno;
}

bool launch_poll(struct launch *l)
{
	if (l->pid && !l->exited && reap(l, false))
		l->exited = true;
	return l->exited;
}

void launch_ask_to_end(struct launch *l)
{
	if (!l->pid || launch_poll(l))
		return;
	cleanup_close_fd(&l->exec_fd);
	l->exec_fd = -1;
	if (l->gate_fd < 0) {
		kill(l->pid, SIGTERM);
		return;
	}
	close(steal_fd(&l->gate_fd));
	reap(l, true);
	l->exited = true;
}

uint64_t launch_cpu_ns(const struct launch *l)
{
	clockid_t clock;

	if (l->exited || !l->pid)
		return l->cpu_ns;
	return clock_getcpuclockid(l->pid, &clock) ? 0 : clock_ns(clock);
}

int launch_exit_code(const struct launch *l)
{
	if (!l->exited)
		return 0;
	return WIFSIGNALED(l->status) ? 128 + WTERMSIG(l->status) : WEXITSTATUS(l->status);
}
