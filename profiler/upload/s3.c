// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Object storage that speaks S3's protocol, with the bucket in the path:
 *
 *	s3+https://HOST[:PORT]/BUCKET[/PREFIX]
 *
 * A window becomes the object PREFIX/HOST/YYYY/MM/DD/HHMMSS.mmmZ-ID.pb.gz. The same window has the same name
 * whenever it is sent, so it is there once. Names have only characters that need no escaping, which servers
 * and proxies do in different ways.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/archive.h"
#include "profiler/upload/target.h"

#define MIN_BUCKET 3
#define MAX_BUCKET 63
#define MAX_HOST   253
#define MAX_QUOTED 200

/* --- URLs ----------------------------------------------------------------------------------------- */

static bool is_unreserved(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~", c));
}

static int check(const struct upload_target *t, struct why *why)
{
	const char *bucket = t->path + (*t->path == '/');
	size_t len = strcspn(bucket, "/");

	if (*t->query)
		return why_say(why, -EINVAL, "a URL of S3 has no query");
	if (len < MIN_BUCKET || len > MAX_BUCKET ||
	    strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") < len)
		return why_say(why, -EINVAL,
			       "a URL of S3 begins its path with the bucket, as in "
			       "s3+https://HOST/BUCKET/PREFIX");
	for (const char *s = t->path; *s; s++) {
		if (!is_unreserved(*s) && *s != '/')
			return why_say(why, -EINVAL,
				       "a bucket and a prefix of S3 have only letters, digits and "
				       "-._~");
		if (*s == '/' && (s[1] == '/' || s[1] == '.'))
			return why_say(why, -EINVAL,
				       "a prefix of S3 has no empty parts and none that begin with "
				       "a point");
	}
	return 0;
}

static void add_host(struct buf *b, const char *host)
{
	size_t n = 0;

	/* "." and ".." are no names for many servers. */
	for (; n < MAX_HOST && host[n]; n++)
		buf_char(b, is_unreserved(host[n]) && (n || host[n] != '.') ? host[n] : '_');
	if (!n)
		buf_char(b, '_');
}

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	char time[ARCHIVE_SIZE], id[ARCHIVE_SIZE];
	size_t path = strlen(t->path);
	struct buf url = {0};
	int err;

	path -= path && t->path[path - 1] == '/';
	archive_time(item->profile->time_ns, "%Y/%m/%d/%H%M%S", time);
	archive_id(item, id);
	buf_printf(&url, "%s%.*s/", t->base, (int)path, t->path);
	add_host(&url, item->host);
	buf_printf(&url, "/%s-%s.pb.gz", time, id);
	err = archive_request(out, item, "PUT", buf_take(&url), why);
	if (!err)
		vec_last(&out->v).is_signed = true;
	return err;
}

/* --- answers -------------------------------------------------------------------------------------- */

/* The text of <name>...</name>, as far as it is there. */
static void element(const struct net_answer *a, const char *name, char *out, size_t size)
{
	struct buf clean = {0};
	const char *at, *end;
	char tag[32];
	size_t n;

	*out = '\0';
	snprintf(tag, sizeof(tag), "<%s>", name);
	at = a->body.len ? memmem(a->body.data, a->body.len, tag, strlen(tag)) : NULL;
	if (!at)
		return;
	at += strlen(tag);
	end = memchr(at, '<', a->body.len - (size_t)(at - a->body.data));
	if (!end)
		return;
	text_add_clean(&clean, at, (size_t)(end - at));
	/* What follows it begins with a colon. */
	clean.len -= clean.len && clean.data[clean.len - 1] == '.';
	n = text_utf8_run(buf_cstr(&clean), clean.len < size ? clean.len : size - 1);
	memcpy(out, buf_cstr(&clean), n);
	out[n] = '\0';
	buf_release(&clean);
}

struct meaning {
	const char *code;
	enum upload_verdict verdict;
	const char *advice;
};

static const struct meaning meanings[] = {
	{"AccessDenied", UPLOAD_WRONG, "let the access key put objects into the bucket"},
	{"AuthorizationHeaderMalformed", UPLOAD_WRONG, "set AWS_REGION to the bucket's"},
	{"BadDigest", UPLOAD_AGAIN_FEW, NULL},
	{"EntityTooLarge", UPLOAD_REFUSED, NULL},
	{"ExpiredToken", UPLOAD_WRONG, "the session token has expired"},
	{"IncompleteBody", UPLOAD_AGAIN_FEW, NULL},
	{"InvalidAccessKeyId", UPLOAD_WRONG, "check the access key"},
	{"InvalidBucketName", UPLOAD_WRONG, "check the bucket in the URL"},
	{"InvalidToken", UPLOAD_WRONG, "check AWS_SESSION_TOKEN"},
	{"NoSuchBucket", UPLOAD_WRONG, "make the bucket, or check the URL"},
	{"OperationAborted", UPLOAD_AGAIN, NULL},
	{"RequestTimeout", UPLOAD_AGAIN, NULL},
	{"RequestTimeTooSkewed", UPLOAD_WRONG, "set this machine's clock"},
	{"SignatureDoesNotMatch", UPLOAD_WRONG,
	 "check the secret of the access key, and AWS_REGION"},
	{"SlowDown", UPLOAD_AGAIN, NULL},
	{"XAmzContentSHA256Mismatch", UPLOAD_AGAIN_FEW, "something on the way changes the data"},
};

static void judge(const struct upload_target *t, const struct net_answer *a,
		  struct upload_judgement *out)
{
	char code[64], message[MAX_QUOTED];
	const char *advice = NULL;

	(void)t;
	if (a->status >= 200 && a->status < 300)
		return;
	element(a, "Code", code, sizeof(code));
	element(a, "Message", message, sizeof(message));
	if (!*code)
		return;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++) {
		if (!strcmp(code, meanings[i].code)) {
			out->verdict = meanings[i].verdict;
			advice = meanings[i].advice;
		}
	}
	out->is_unauthenticated &= !advice;
	why_say(&out->why, 0, "%ld %s%s%s%s%s", a->status, code, *message ? ": " : "", message,
		advice ? ": " : "", advice ? advice : "");
}

const struct upload_kind upload_s3 = {
	.name = "s3",
	.is_signed = true,
	.check = check,
	.pack = pack,
	.judge = judge,
};
