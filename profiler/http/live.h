/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles of now. The server cannot record: it sends a request over a SOCK_SEQPACKET socket, and gets
 * one reply with, if err is 0, a memfd that holds a gzip-compressed pprof profile. One at a time.
 */
#ifndef KILN_HTTP_LIVE_H
#define KILN_HTTP_LIVE_H

#include <stdint.h>

#define LIVE_MAX_SECONDS 300
#define LIVE_HZ		 99

enum live_scope { LIVE_ALL, LIVE_PID, LIVE_COMM, LIVE_UNIT, LIVE_SCOPES };

struct live_request {
	uint32_t seconds; /* 1 to LIVE_MAX_SECONDS */
	uint32_t scope;	  /* enum live_scope */
	uint32_t pid;
	char name[256]; /* of LIVE_COMM (a glob) and LIVE_UNIT, with its NUL */
};

struct live_reply {
	int32_t err;	/* 0 or -errno */
	char text[256]; /* a sentence for the user, with its NUL */
};

/* Asks, and waits for the reply; *memfd is the caller's to close. 0 or the reply's err: -EBADRQC, the request is
 * wrong. client: the socket of whoever wants it, or -1: when it hangs up, -ECANCELED. Closing fd then ends the
 * recording. */
int live_ask(int fd, int client, const struct live_request *req, struct live_reply *reply,
	     int *memfd);

/* For the one who answers: takes a request (checked), sends a reply (memfd -1: none). 0 or -errno. */
int live_take(int fd, struct live_request *req);
int live_answer(int fd, const struct live_reply *reply, int memfd);

#endif
