// SPDX-License-Identifier: GPL-2.0-or-later
/* What answers mean that are the same for all kinds, and how they are told without secrets. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/upload/rpc_judge.h"
#include "profiler/upload/target.h"

#define MAX_QUOTED 200
/* Of a secret: shorter ones are told apart from other text by nothing. */
#define MIN_SECRET 3
#define MIN_PREFIX 8 /* of one that has been cut off */

/* --- secrets -------------------------------------------------------------------------------------- */

static size_t common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/* The values of a URL's query may be keys. Returns the longer of that and `longest`. */
static size_t secret_of_query(const struct upload_target *t, const char *s, size_t longest)
{
	for (const char *at = t->query; at && *at; at += strcspn(at, "&"), at += *at == '&') {
		const char *value = at + strcspn(at, "=&");
		size_t len = *value == '=' ? strcspn(value + 1, "&") : 0, n;

		/* Shorter ones are words of people: "format=pprof". */
		n = len >= MIN_PREFIX ? common_prefix(value + 1, s) : 0;
		n = n < len ? n : len;
		if (n >= MIN_PREFIX && n > longest)
			longest = n;
	}
	return longest;
}

/* Bytes at s that are a secret, or the beginning of one; 0: none. */
static size_t secret_at(const struct upload_target *t, const char *s)
{
	const char *const secrets[] = {t->bearer,     t->password,	    t->basic,
				       t->aws_secret, t->aws_session_token, t->aws_key};
	size_t longest = 0;

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		size_t len = secrets[i] ? strlen(secrets[i]) : 0;
		size_t n = len >= MIN_SECRET ? common_prefix(secrets[i], s) : 0;

		if ((n == len || n >= MIN_PREFIX) && n > longest)
			longest = n;
	}
	/* The words of configured headers may be secrets: "Authorization: Token abcdefgh". */
	for (char **h = t->headers; h && *h; h++) {
		const char *word = strchr(*h, ':');

		while (word && *(word += strspn(word, ": "))) {
			size_t len = strcspn(word, " "), n = common_prefix(word, s);

			n = n < len ? n : len;
			if (n >= MIN_PREFIX && n > longest)
				longest = n;
			word += len;
		}
	}
	return secret_of_query(t, s, longest);
}

/* What is at s, if it is the path of a copy: the option that names the file. */
static const char *option_at(const struct upload_target *t, const char *s, size_t *len)
{
	const struct {
		const char *path, *option;
	} files[] = {
		{t->ca_file, "ca_file"}, {t->cert_file, "cert_file"}, {t->key_file, "key_file"}};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		*len = files[i].path ? strlen(files[i].path) : 0;
		if (*len && !strncmp(s, files[i].path, *len) && !isdigit((unsigned char)s[*len]))
			return files[i].option;
	}
	return NULL;
}

void upload_target_hide_secrets(const struct upload_target *t, struct why *why)
{
	struct buf out = {0};
	const char *option;
	size_t n;

	for (const char *s = why->text; *s; s += n) {
		option = option_at(t, s, &n);
		if (option) {
			buf_str(&out, option);
			continue;
		}
		n = secret_at(t, s);
		if (n)
			buf_str(&out, "<redacted>");
		else
			buf_add(&out, s, n = 1);
	}
	n = out.len < sizeof(why->text) ? out.len : sizeof(why->text) - 1;
	n = out.err ? 0 : text_utf8_run(buf_cstr(&out), n);
	memcpy(why->text, buf_cstr(&out), n);
	why->text[n] = '\0';
	buf_release(&out);
}

/* --- what the server says --------------------------------------------------------------------------- */

/* {"message": "..."} or {"error": "..."}, which may be an object with a message itself. */
static int on_string(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	const char *key = n ? steps[n - 1].key : NULL;

	if (!key || (strcmp(key, "message") != 0 && strcmp(key, "error") != 0) || !*text)
		return 0;
	buf_str(ctx, text);
	return 1;
}

static bool is_html(const struct net_answer *a)
{
	return rpc_is_type(a, "text/html") || rpc_is_type(a, "application/xhtml+xml");
}

/* A sentence of the server's, without line breaks and of bounded length; empty: it says nothing. */
static void quote(const struct net_answer *a, struct buf *out)
{
	const char *text = a->body.data;
	struct buf message = {0};
	size_t len = a->body.len;

	if (is_html(a) || !len || *text == '<')
		return;
	if (json_read(text, len, on_string, &message) == 1) {
		text = message.data;
		len = message.len;
	} else if (*text == '{' || *text == '[') {
		len = 0;
	}
	while (len && isspace((unsigned char)*text))
		text++, len--;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\r' || text[i] == '\n')
			len = i;
	/* What is no UTF-8 grows. */
	text_add_clean(out, text ? text : "", len < MAX_QUOTED ? len : MAX_QUOTED);
	if (!out->err && out->len > MAX_QUOTED)
		out->len = text_utf8_run(out->data, MAX_QUOTED);
	buf_release(&message);
}

/* --- the status -------------------------------------------------------------------------------------- */

struct meaning {
	int status;
	enum upload_verdict verdict;
	const char *name, *advice; /* advice: NULL: none */
};

static const struct meaning meanings[] = {
	{400, UPLOAD_REFUSED, "Bad Request", NULL},
	{401, UPLOAD_WRONG, "Unauthorized", NULL},
	{402, UPLOAD_WRONG, "Payment Required", NULL},
	{403, UPLOAD_WRONG, "Forbidden", "check token_file, username and password_file, tenant"},
	{404, UPLOAD_WRONG, "Not Found", "check the path of the URL"},
	{405, UPLOAD_WRONG, "Method Not Allowed", "check the URL and its scheme"},
	{407, UPLOAD_WRONG, "Proxy Authentication Required", "check proxy"},
	{408, UPLOAD_AGAIN, "Request Timeout", NULL},
	{410, UPLOAD_WRONG, "Gone", "check the path of the URL"},
	{411, UPLOAD_WRONG, "Length Required", "check proxy"},
	{413, UPLOAD_REFUSED, "Content Too Large", "raise the server's limit of a request"},
	{415, UPLOAD_WRONG, "Unsupported Media Type", "check the scheme of the URL"},
	{421, UPLOAD_WRONG, "Misdirected Request", "check the host of the URL"},
	{422, UPLOAD_REFUSED, "Unprocessable Content", NULL},
	{425, UPLOAD_AGAIN, "Too Early", NULL},
	{426, UPLOAD_WRONG, "Upgrade Required", "check the scheme of the URL"},
	{429, UPLOAD_AGAIN, "Too Many Requests", NULL},
	{431, UPLOAD_WRONG, "Request Header Fields Too Large", "check headers"},
	{500, UPLOAD_AGAIN_FEW, "Internal Server Error", NULL},
	{501, UPLOAD_WRONG, "Not Implemented", "check the URL and its scheme"},
	{502, UPLOAD_AGAIN, "Bad Gateway", NULL},
	{503, UPLOAD_AGAIN, "Service Unavailable", NULL},
	{504, UPLOAD_AGAIN, "Gateway Timeout", NULL},
	{505, UPLOAD_WRONG, "HTTP Version Not Supported", "check the scheme of the URL"},
	{507, UPLOAD_AGAIN, "Insufficient Storage", NULL},
};

static struct meaning meaning_of(long status)
{
	struct meaning m = {.status = (int)status, .verdict = UPLOAD_WRONG, .name = "unknown"};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].status == status)
			return meanings[i];
	if (status >= 500)
		m.verdict = UPLOAD_AGAIN_FEW;
	else if (status >= 400)
		m.verdict = UPLOAD_REFUSED;
	return m;
}

void upload_judge_said(const struct net_answer *a, const char *said, const char *advice,
		       struct upload_judgement *out)
{
	struct meaning m = meaning_of(a->status);
	size_t len;

	*out = (struct upload_judgement){.verdict = m.verdict, .retry_after_s = a->retry_after_s};
	out->is_unauthenticated = a->status == 401 && !advice;
	if (a->status >= 200 && a->status < 300) {
		out->verdict = is_html(a) ? UPLOAD_WRONG : UPLOAD_DELIVERED;
		why_say(&out->why, 0, is_html(a) ? "%ld, and a page of HTML: check the URL" : "%ld",
			a->status);
		return;
	}
	advice = advice ?: m.advice;
	len = strlen(said);
	/* No full stop in front of a colon. */
	len -= len && said[len - 1] == '.' && (advice || out->is_unauthenticated);
	why_say(&out->why, 0, "%ld %s%s%.*s%s%s", a->status, m.name, *said ? ": " : "", (int)len,
		said, advice ? ": " : "", advice ?: "");
}

void upload_judge_status(const struct net_answer *a, struct upload_judgement *out)
{
	struct buf said = {0};

	quote(a, &said);
	upload_judge_said(a, buf_cstr(&said), NULL, out);
	buf_release(&said);
}

/* --- no answer ---------------------------------------------------------------------------------------- */

static void judge_tls(const struct upload_target *t, const struct net_answer *a,
		      struct upload_judgement *out)
{
	out->verdict = UPLOAD_WRONG;
	if (strstr(a->why, "HTTP/2"))
		why_say(&out->why, 0, "%s: check the scheme and the port of the URL", a->why);
	else
		why_say(&out->why, 0, "TLS: %s: %s", a->why,
			t->ca_file     ? "check ca_file, cert_file and the name in the URL"
			: t->cert_file ? "set ca_file, or check cert_file and the name in the URL"
				       : "set ca_file, or cert_file if the server wants one, or "
					 "check the name in the URL");
}

/* What was set is wrong, or nothing was. */
static void add_credentials(const struct upload_target *t, struct why *why)
{
	const char *advice = t->aws_key	   ? "check the access key and its secret"
			     : t->bearer   ? "check token_file"
			     : t->username ? "check username and password_file"
					   : "set token_file, or username and password_file";
	struct why before = *why;

	why_say(why, 0, "%.500s: %s", before.text, advice);
}

/* Who listens there speaks something else. It may also be a server that ends: it is tried again. */
static const char *port_advice(const struct upload_target *t, const struct net_answer *a)
{
	bool is_grpc = t->kind == &upload_otlp_grpc;

	if (a->err != -EIO || (!is_grpc && t->kind != &upload_otlp_http))
		return "";
	if (is_grpc)
		return ": is it the port of gRPC, mostly 4317? The one of HTTP takes otlp+http";
	return strstr(a->why, "not of HTTP/1")
		       ? ": is it the port of HTTP, mostly 4318? The one of gRPC takes otlp+grpc"
		       : "";
}

static void judge_error(const struct upload_target *t, const struct net_answer *a,
			struct upload_judgement *out)
{
	/* With TLS 1.3 a refused certificate may look like a connection that breaks. */
	bool broke = a->err == -EIO && !a->received && text_has_prefix(t->base, "https:");
	const char *what = "";
	const char *advice =
		broke ? ": perhaps it refuses cert_file, or wants one" : port_advice(t, a);

	switch (a->err) {
	case -EPROTO:
		judge_tls(t, a, out);
		return;
	case -EACCES:
		what = "ca_file, cert_file or key_file: ";
		break;
	case -ECONNREFUSED:
		advice = t->proxy ? ": check proxy, and the host and port of the URL"
				  : ": check the host and port of the URL";
		break;
	case -EFBIG: /* It may have taken the data. */
		out->verdict = UPLOAD_AGAIN_FEW;
		break;
	default:
		break;
	}
	if (a->is_bad_request)
		out->verdict = UPLOAD_WRONG;
	why_say(&out->why, 0, "%s%s%s", what, a->why, advice);
}

void upload_target_judge(const struct upload_target *t, const struct net_answer *a,
			 struct upload_judgement *out)
{
	*out = (struct upload_judgement){.verdict = UPLOAD_AGAIN, .retry_after_s = -1};
	if (a->err) {
		judge_error(t, a, out);
	} else if (a->status < 200 || (a->status >= 300 && a->status < 400)) {
		out->verdict = UPLOAD_WRONG;
		why_say(&out->why, 0,
			"%ld: the server sends elsewhere, and kiln follows no redirects: put the "
			"new URL",
			a->status);
	} else {
		upload_judge_status(a, out);
		if (t->kind->judge)
			t->kind->judge(t, a, out);
	}
	if (out->is_unauthenticated)
		add_credentials(t, &out->why);
	upload_target_hide_secrets(t, &out->why);
}

void upload_target_settle(const struct upload_target *t, const struct upload_request *r,
			  const struct net_answer *a, struct upload_judgement *out)
{
	upload_target_judge(t, a, out);
	if (!t->kind->settle)
		return;
	t->kind->settle(t, r, a, out);
	upload_target_hide_secrets(t, &out->why);
}
