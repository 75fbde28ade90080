// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/doctor/agent_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/doctor/caps.h"

#define ANSWER_CAP (16 * 1024)
#define PROPERTIES                                                                                 \
	"--property=LoadState,ActiveState,UnitFileState,Result,StatusText,User,NRestarts,"         \
	"AmbientCapabilities,CapabilityBoundingSet"

/* "cap_bpf cap_perfmon": a mask of those that kiln knows. */
static uint64_t parse_caps(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
#define X(name, number, use) {"cap_" #name, number},
		CAPS(X)
#undef X
	};
	uint64_t mask = 0;

	for (size_t len; *(text += strspn(text, " ")); text += len) {
		len = strcspn(text, " ");
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (strlen(known[i].name) == len && !strncasecmp(text, known[i].name, len))
				mask |= 1ull << known[i].number;
	}
	return mask;
}

static void take(struct agent_unit *u, const char *key, const char *value)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = {
		{"LoadState", u->load, sizeof(u->load)},
		{"ActiveState", u->active, sizeof(u->active)},
		{"UnitFileState", u->enabled, sizeof(u->enabled)},
		{"Result", u->result, sizeof(u->result)},
		{"StatusText", u->status, sizeof(u->status)},
		{"User", u->user, sizeof(u->user)},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!strcmp(key, texts[i].key))
			snprintf(texts[i].to, texts[i].size, "%s", value);
	if (!strcmp(key, "NRestarts"))
		u->restarts = strtoull(value, NULL, 10);
	if (!strcmp(key, "AmbientCapabilities"))
		u->ambient = parse_caps(value);
	if (!strcmp(key, "CapabilityBoundingSet"))
		u->bounding = parse_caps(value);
}

void agent_unit_parse(struct agent_unit *u, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *save = NULL;

	*u = (struct agent_unit){0};
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value = '\0';
		take(u, line, value + 1);
	}
}

/* Starts systemctl with its output in a pipe, whose other end is returned; or -errno. */
static int spawn(pid_t *pid)
{
	static char *const argv[] = {"systemctl", "show", AGENT_UNIT, PROPERTIES, NULL};
	static char *const env[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawn(pid, "/usr/bin/systemctl", &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!err)
		return ends[0];
	close(ends[0]);
	return -err;
}

int agent_unit_ask(struct agent_unit *u)
{
	_cleanup_free_ char *answer = calloc(1, ANSWER_CAP);
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	ssize_t n = 1;
	pid_t pid;
	int status;

	*u = (struct agent_unit){0};
	if (!answer)
		return -ENOMEM;
	fd = spawn(&pid);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	while (n > 0 && len < ANSWER_CAP - 1) {
		n = TEMP_FAILURE_RETRY(read(fd, answer + len, ANSWER_CAP - 1 - len));
		len += n > 0 ? (size_t)n : 0;
	}
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return -errno;
	/* It fails where systemd does not run. */
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		agent_unit_parse(u, answer);
	return 0;
}
