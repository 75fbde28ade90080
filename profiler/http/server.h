/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside profiler/http: requests, answers, and the table of what answers which. */
#ifndef KILN_HTTP_SERVER_H
#define KILN_HTTP_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/http/http.h"
#include "profiler/metrics/metrics.h"

#define HTTP_MAX_BODY	  (1u << 20)
#define HTTP_MAX_QUERY	  4096 /* bytes of a parameter */
#define HTTP_QUERIES	  2    /* that read the store at once */
#define HTTP_QUERY_WAIT_S 5    /* for one's turn */
#define HTTP_QUERY_S	  20   /* for reading: longer ones end with 503 */
#define HTTP_STUCK_S	  60   /* a query that does not end: the process does */
#define HTTP_IDLE_S	  10   /* nothing came or went */
#define HTTP_REQUEST_S	  30   /* until a request is complete */
#define HTTP_ANSWER_S	  120  /* until its answer is sent, once it is made */
/* Of a connection, for headers and what the library makes of them: a copy of cookies, and a record of 56 bytes for each
 * header, cookie and parameter. What has no room gets no answer from some versions of it, and all programs on a host share
 * the cookies of localhost. */
#define HTTP_HEADERS_BYTES (128u << 10)

#define TYPE_JSON  "application/json"
#define TYPE_TEXT  "text/plain; charset=utf-8"
#define TYPE_PROTO "application/octet-stream"

struct MHD_Connection;
struct MHD_Daemon;
struct watch;

struct listener { /* what a daemon knows of its socket */
	struct server *server;
	struct MHD_Daemon *daemon; /* NULL: there is none */
	bool tcp;
};

struct server {
	struct http_opts opts;
	struct watch *watch;
	struct listener tcp, local;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t turn;
	struct {
		pthread_t thread;
		uint64_t began_ns; /* 0: free */
	} queries[HTTP_QUERIES];   /* at work */
	int live_fd;		   /* -1: nobody records live profiles */
	bool live;		   /* one is being recorded */
};

struct request {
	struct MHD_Connection *connection;
	const char *path, *method;
	const char *rest; /* of the path, where a route ends with "/" */
	const char *content_type;
	struct buf body;
	bool too_large;
};

struct answer {
	int status;
	const char *type;     /* of the body */
	const char *name;     /* of the file that a browser would save, or NULL */
	char csp[512];	      /* content security policy; "": nothing may be loaded */
	unsigned retry_after; /* seconds, or 0 */
	char why[512];	      /* of answer_error() */
	const char *allow;    /* methods of a path that is asked by another one, or NULL */
	struct buf body;
};

/* The value of a parameter of the query, or NULL: absent or without a value. */
const char *request_param(const struct request *r, const char *key);

/* The number of a word of "a|b", or -1. */
int place_of_word(const char *word, const char *words);

/* Whether the request has parameters of "a|b" alone, each once; else the answer says which one is wrong. */
bool request_has_only(const struct request *r, const char *known, struct answer *a);

/* {"error": "..."}. */
__attribute__((format(printf, 3, 4))) void answer_error(struct answer *a, int status,
							const char *fmt, ...);

typedef void (*handler)(struct server *s, const struct request *r, struct answer *a);

/* Parameters of a path, as "a|b"; NULL: others are ignored. */
const char *http_route_params(const char *path);
handler http_route(const char *method, const char *path, const char **rest, const char **allow);

/* One's turn to read the store; false: the answer says that there are too many. */
bool server_begin_query(struct server *s, struct answer *a);
void server_end_query(struct server *s);
/* Whether one has not ended for HTTP_STUCK_S: it hangs in a file. now_ns: CLOCK_MONOTONIC. */
bool server_is_stuck(struct server *s, uint64_t now_ns);

/* profiler/http/api.c */
void answer_profile(struct server *s, const struct request *r, struct answer *a);
void answer_report(struct server *s, const struct request *r, struct answer *a);
void answer_list(struct server *s, const struct request *r, struct answer *a);
void answer_page(struct server *s, const struct request *r, struct answer *a);
/* profiler/http/api_labels.c */
void answer_labels(struct server *s, const struct request *r, struct answer *a);
void answer_label_values(struct server *s, const struct request *r, struct answer *a);
/* profiler/http/api_status.c */
void answer_metrics(struct server *s, const struct request *r, struct answer *a);
void answer_healthy(struct server *s, const struct request *r, struct answer *a);
void answer_ready(struct server *s, const struct request *r, struct answer *a);
void answer_openapi(struct server *s, const struct request *r, struct answer *a);
/* profiler/http/api_live.c */
void answer_live(struct server *s, const struct request *r, struct answer *a);
/* profiler/http/api_querier.c */
void answer_querier(struct server *s, const struct request *r, struct answer *a);

#endif
