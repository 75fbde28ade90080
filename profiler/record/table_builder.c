// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/table_builder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "symbolizer/symbolizer.h"

/* ioprio_set(2), linux/ioprio.h */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE	   (3 << 13)

/* The builder takes files over from the opener, which ends with kiln. It needs milliseconds. */
#define CLAIM_MS 500

/* A reader of a pipe that kiln was started with must see its end, and a lock must be released.
 * kiln's own descriptors are close-on-exec; inherited ones are not. */
static void drop_inherited(void)
{
	DIR *d = opendir("/proc/self/fd");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	for (struct dirent *e; d && (e = readdir(d));) {
		uint64_t fd;

		if (!text_parse_u64(e->d_name, INT32_MAX, &fd) && fd > 2 &&
		    !(fcntl((int)fd, F_GETFD) & FD_CLOEXEC))
			close((int)fd);
	}
	if (d)
		closedir(d);
}

static void become_idle(void)
{
	struct sched_param none = {0};

	if (sched_setscheduler(0, SCHED_IDLE, &none))
		setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

/* `ready` tells the parent that it may end. */
static void build(struct symbolizer *s, int ready)
{
	symbolizer_claim_files(s); /* while it is not idle yet */
	close(ready);
	setsid();
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN); /* a table that does not fit is not written */
	become_idle();
	drop_inherited();
	if (chdir("/"))
		return;
	symbolizer_build_tables(s);
}

void table_builder_start(struct symbolizer *s)
{
	struct pollfd p = {.events = POLLIN};
	int ready[2];
	pid_t pid;

	if (!s || !symbolizer_tables_due(s) || pipe2(ready, O_CLOEXEC))
		return;
	log_debug("building line tables: %zu are due", symbolizer_tables_due(s));
	pid = fork();
	if (!pid) {
		/* init reaps a process whose parent has ended. */
		if (!fork())
			build(s, ready[1]);
		_exit(0);
	}
	close(ready[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	p.fd = ready[0];
	poll(&p, 1, CLAIM_MS);
	close(ready[0]);
}
