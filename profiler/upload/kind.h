/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kind of profile store: what it is sent, and what its answers mean. One file a kind, and one table of them
 * (kinds.c). No kind waits, opens a file, or knows of queues: profiler/upload/delivery.h does that for all.
 */
#ifndef KILN_UPLOAD_KIND_H
#define KILN_UPLOAD_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/base/why.h"
#include "profiler/net/net.h"

struct profile;
struct upload_target;
struct debuginfo_protocol;

/* Those of kiln push and of the configuration. X(scheme, net's scheme, kind) */
#define UPLOAD_SCHEMES(X)                                                                          \
	X("pyroscope+http", "http", pyroscope)                                                     \
	X("pyroscope+https", "https", pyroscope)                                                   \
	X("parca+http", "http", parca)                                                             \
	X("parca+https", "https", parca)                                                           \
	X("otlp+http", "http", otlp_http)                                                          \
	X("otlp+https", "https", otlp_http)                                                        \
	X("otlp+grpc", "http", otlp_grpc)                                                          \
	X("otlp+grpcs", "https", otlp_grpc)                                                        \
	X("pprof+http", "http", pprof_http)                                                        \
	X("pprof+https", "https", pprof_http)                                                      \
	X("s3+http", "http", s3)                                                                   \
	X("s3+https", "https", s3)                                                                 \
	X("clickhouse+http", "http", clickhouse)                                                   \
	X("clickhouse+https", "https", clickhouse)

/* A window, or a file, to be sent. */
struct upload_item {
	const struct profile *profile; /* its time_ns and duration_ns are right */
	const char *host;	       /* this machine's name */
	/* Keys of labels that tell series apart beside the usual ones (profiler/upload/series.h);
	 * NULL-terminated, or NULL. */
	const char *const *labels;
	uint64_t id
		[2]; /* the same whenever this window is sent, and unlike all others of all hosts */
};

/* One request of several that an item takes. net_request's texts are borrowed from it and from the target. */
struct upload_request {
	const char *method;
	char *url;
	VEC(char *) headers; /* "Name: value"; of the kind, not those of the configuration */
	struct buf body;
	enum net_version version;
	bool is_signed;	  /* by AWS Signature Version 4 */
	bool is_once;	  /* never sent twice without a judgement in between */
	uint64_t samples; /* whose fate is that of the request: for counters */
	/* The kind's own, for its settle(). */
	int step;
	size_t first, n;
};

struct upload_requests {
	VEC(struct upload_request) v; /* sent one after the other, in this order */
};
void upload_requests_release(struct upload_requests *r);
/* Adds headers, NULL-terminated. 0 or -ENOMEM. */
int upload_request_headers(struct upload_request *r, const char *const *headers);

enum upload_verdict {
	UPLOAD_DELIVERED,
	UPLOAD_PARTIAL,	  /* taken in part: never sent again; `rejected` says how much */
	UPLOAD_AGAIN,	  /* later, as often as it takes */
	UPLOAD_AGAIN_FEW, /* later, a few times: it may be the data's fault */
	UPLOAD_REFUSED,	  /* never again: it is the data's fault */
	UPLOAD_WRONG, /* never again as things are: token, tenant, path, certificate. Data wait for it */
};

struct upload_judgement {
	enum upload_verdict verdict;
	uint64_t
		rejected; /* UPLOAD_PARTIAL: samples, or profiles if that is what the server counts */
	int64_t retry_after_s; /* -1: the server does not say */
	bool repack; /* what is to be sent depends on this answer: the item's other requests are
			forgotten, and it is packed again, now or (UPLOAD_AGAIN...) after a while */
	struct why
		why; /* "401 unauthenticated: no org id: set tenant": what it answered, and what to
				   change where that is known. Clean UTF-8, no secrets */
	bool is_unauthenticated; /* upload_target_judge() adds what to do about it */
};

struct upload_kind {
	const char *name; /* "pyroscope", as in its schemes */
	uint16_t
		default_port; /* without TLS; 0: the protocol's own. With TLS it is always 443, where
				  front ends are */
	uint64_t max_age_ns;  /* the server refuses what began before; 0: takes everything */
	bool takes_template;  /* its URLs have placeholders in braces */
	bool is_signed;	      /* by AWS Signature Version 4: it takes a key instead of a password */
	bool has_series;      /* labels of the target say which */
	bool takes_shards;    /* its URLs may have several hosts, and a user: USER@HOST,HOST:PORT */
	uint64_t batch_ns; /* how much of time makes an item, unless people say; 0: a window each */
	/* Whether the URL's rest and the options make sense for it. 0, or -EINVAL with a sentence. */
	int (*check)(const struct upload_target *t, struct why *why);
	/* 0; or -errno with a sentence: then the item can never be sent. */
	int (*pack)(const struct upload_target *t, const struct upload_item *item,
		    struct upload_requests *out, struct why *why);
	/* Of an answer with err 0 that is no redirect. *out has what upload_judge_status() says
	 * of it: a kind changes what it knows better. What is no answer of HTTP is judged for all kinds
	 * alike. */
	void (*judge)(const struct upload_target *t, const struct net_answer *answer,
		      struct upload_judgement *out);
	/* What a destination remembers from one item to the next, in target->state; NULL: nothing. open: 0, or
	 * -ENOMEM. */
	int (*open)(struct upload_target *t);
	void (*close)(struct upload_target *t);
	/* After each request, whatever became of it, and behind judge(): learns from it, and may judge otherwise.
	 * NULL: nothing. */
	void (*settle)(const struct upload_target *t, const struct upload_request *r,
		       const struct net_answer *answer, struct upload_judgement *out);
	const struct debuginfo_protocol *debuginfo; /* NULL: it takes no debug information */
};

/* By the status of HTTP alone, with what the server says in words. */
void upload_judge_status(const struct net_answer *answer, struct upload_judgement *out);
/* So for a kind that reads the body better. said: clean UTF-8, or "". advice: NULL: what is usual for the status. */
void upload_judge_said(const struct net_answer *answer, const char *said, const char *advice,
		       struct upload_judgement *out);

#define X(scheme, net, kind) extern const struct upload_kind upload_##kind;
UPLOAD_SCHEMES(X)
#undef X

#endif
