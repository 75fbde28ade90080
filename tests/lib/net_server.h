/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_server.py and its certificates, for unit tests. */
#ifndef KILN_TESTS_NET_SERVER_H
#define KILN_TESTS_NET_SERVER_H

#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/lib/fixture.h"

static pid_t net_server_pid;
static char net_server_ports[512];

static FIXTURE_UNUSED void net_server_certificates(void)
{
	fixture_run("exec >openssl.log 2>&1; set -e; "
		    "ca() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj \"/CN=$1\" "
		    "-keyout $1.key -out $1.pem; }; ca ca; ca other; "
		    "leaf() { openssl req -newkey rsa:2048 -nodes -subj \"/CN=$1\" -keyout $1.key "
		    "-out $1.csr; openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key "
		    "-CAcreateserial -days 2 -extfile ext -out $1.pem; }; "
		    "echo subjectAltName=DNS:localhost,IP:127.0.0.1 >ext; "
		    "leaf server ca; leaf client ca; leaf stranger other");
}

/* root: the source tree. */
static FIXTURE_UNUSED void net_server_start(const char *root)
{
	char script[PATH_MAX];

	snprintf(script, sizeof(script), "%s/tests/lib/net_server.py", root);
	net_server_certificates();
	net_server_pid = fork();
	assert_true(net_server_pid >= 0);
	if (!net_server_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("python3", "python3", script, NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && !strstr(net_server_ports, "end"); i++) {
		FILE *f = fopen("ports", "re");
		size_t n = f ? fread(net_server_ports, 1, sizeof(net_server_ports) - 1, f) : 0;

		net_server_ports[n] = '\0';
		if (f)
			fclose(f);
		usleep(20000);
	}
	assert_non_null(strstr(net_server_ports, "end"));
}

static FIXTURE_UNUSED void net_server_stop(void)
{
	if (net_server_pid > 0) {
		kill(net_server_pid, SIGKILL);
		waitpid(net_server_pid, NULL, 0);
	}
}

static FIXTURE_UNUSED int net_server_port(const char *name)
{
	char line[32];
	const char *at;

	snprintf(line, sizeof(line), "%s ", name);
	at = strstr(net_server_ports, line);
	/* "http" is the end of no other name, "proxy" is. */
	while (at && at != net_server_ports && at[-1] != '\n')
		at = strstr(at + 1, line);
	assert_non_null(at);
	return atoi(at + strlen(line));
}

/* cmocka group setup and teardown. */
static FIXTURE_UNUSED int net_server_setup(void **state)
{
	char root[PATH_MAX / 2];

	if (!getcwd(root, sizeof(root)) || fixture_setup(state))
		return -1;
	net_server_start(root);
	return 0;
}

static FIXTURE_UNUSED int net_server_teardown(void **state)
{
	net_server_stop();
	return fixture_teardown(state);
}

/* "http://127.0.0.1:PORT/path" of one of its servers; good for a dozen calls more. */
static FIXTURE_UNUSED const char *net_server_url(const char *name, const char *path)
{
	static char urls[16][256];
	static unsigned i;

	i = (i + 1) % 16;
	snprintf(urls[i], sizeof(urls[i]), "http%s://127.0.0.1:%d%s",
		 strcmp(name, "https") && strcmp(name, "mtls") && strcmp(name, "tls11") &&
				 strcmp(name, "h2") && strcmp(name, "h2once")
			 ? ""
			 : "s",
		 net_server_port(name), path);
	return urls[i];
}

#endif
