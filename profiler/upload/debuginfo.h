/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives a profile store an ELF file, so that it can name frames itself. The store is asked first, and told when all
 * has arrived; each is a request of its own, one after the other:
 *
 *	debuginfo_new(&u, target, &file, &why)
 *	do debuginfo_request(u, &request, &why), and wait for the answer
 *	while (debuginfo_answer(u, &answer, &why) == DEBUGINFO_NEXT)
 *	debuginfo_free(u)
 *
 * The file is read while it is sent, at most DEBUGINFO_BYTES_PER_S. It is never held in memory. No file is opened.
 */
#ifndef KILN_UPLOAD_DEBUGINFO_H
#define KILN_UPLOAD_DEBUGINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/why.h"
#include "profiler/net/net.h"

struct upload_target;
struct debuginfo;

/* What Pyroscope and Parca take at most. */
#define DEBUGINFO_MAX_BYTES (1ull << 30)
/* Both end a request after some minutes, so that the largest file must not take longer. */
#define DEBUGINFO_BYTES_PER_S (16u << 20)

struct debuginfo_file {	      /* borrowed until debuginfo_free() */
	int fd;		      /* a regular file; read by pread() */
	uint64_t bytes;	      /* of it */
	const char *build_id; /* GNU's, in hex */
	const char *name;     /* without directories; for people */
	bool has_code;	      /* false: a separate debug file, whose code sections are empty */
};

enum debuginfo_outcome {
	DEBUGINFO_NEXT,	    /* another request is to be made */
	DEBUGINFO_SENT,	    /* it has arrived */
	DEBUGINFO_UNWANTED, /* the store has it, or wants no such file */
	DEBUGINFO_AGAIN,    /* it may be tried again later */
	DEBUGINFO_REFUSED,  /* trying again cannot help */
};

/* Whether the target's kind takes debug information. */
bool debuginfo_is_taken(const struct upload_target *t);
/* 0; -EINVAL (kind, build id), -EFBIG, or -ENOMEM; with a sentence. */
int debuginfo_new(struct debuginfo **out, const struct upload_target *t,
		  const struct debuginfo_file *file, struct why *why);
/* The request that is due. *out borrows from u until the next call. 0 or -ENOMEM with a sentence. */
int debuginfo_request(struct debuginfo *u, struct net_request *out, struct why *why);
/* What the answer to it means, with a sentence: not for DEBUGINFO_NEXT. */
enum debuginfo_outcome debuginfo_answer(struct debuginfo *u, const struct net_answer *a,
					struct why *why);
void debuginfo_free(struct debuginfo *u);
DEFINE_CLEANUP(debuginfo, debuginfo_free)

/* All of it, waited for: for kiln push. Never DEBUGINFO_NEXT; with a sentence. */
enum debuginfo_outcome debuginfo_push(const struct upload_target *t,
				      const struct debuginfo_file *file, struct why *why);

#endif
