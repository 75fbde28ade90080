// SPDX-License-Identifier: GPL-2.0-or-later
/* What has become of a request: libcurl's results as errors of ours. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/net/net_priv.h"
#include "profiler/net/net_sockets.h"

struct meaning {
	int result, err;
	bool is_bad_request;
};

/* What is not here is -EIO. */
static const struct meaning meanings[] = {
	{E_UNSUPPORTED_PROTOCOL, -ENOSYS, true},
	{E_URL_MALFORMAT, -EINVAL, true},
	{E_NOT_BUILT_IN, -ENOSYS, true},
	{E_COULDNT_RESOLVE_PROXY, -ECONNREFUSED, false},
	{E_COULDNT_RESOLVE_HOST, -ECONNREFUSED, false},
	{E_COULDNT_CONNECT, -ECONNREFUSED, false},
	{E_OUT_OF_MEMORY, -ENOMEM, false},
	{E_OPERATION_TIMEDOUT, -ETIMEDOUT, false},
	{E_SSL_CONNECT_ERROR, -EPROTO, false},
	{E_BAD_FUNCTION_ARGUMENT, -EINVAL, true},
	{E_UNKNOWN_OPTION, -ENOSYS, true},
	{E_SSL_CERTPROBLEM, -EACCES, true},
	{E_SSL_CIPHER, -EPROTO, false},
	{E_PEER_FAILED_VERIFICATION, -EPROTO, false},
	{E_SSL_CACERT_BADFILE, -EACCES, true},
	{E_SSL_ISSUER_ERROR, -EPROTO, false},
	{E_PROXY, -ECONNREFUSED, false},
	{E_SSL_CLIENTCERT, -EPROTO, false},
};

__attribute__((format(printf, 3, 4))) static void fail(struct net_answer *a, int err,
						       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	a->err = err;
}

static void fail_too_large(struct net_transfer *t)
{
	size_t n = t->max_bytes;

	if (n >= 1u << 20)
		fail(&t->answer, -EFBIG, "the answer is larger than %zu MiB", n >> 20);
	else
		fail(&t->answer, -EFBIG, "the answer is larger than %zu bytes", n);
}

static void fail_stuck(struct net_answer *a)
{
	fail(a, -ETIMEDOUT, "the server sends without end, and no answer: empty frames or chunks");
	a->is_bad_request = true;
}

/* A connection that breaks during the handshake is no refusal, and an alert after it (TLS 1.3 refuses a client's
 * certificate that late) is one. Only the text of libcurl tells. */
static int refine(int result, int err, const char *text)
{
	static const char *const broken[] = {
		"reset by peer", "SYSCALL",	  "non-properly terminated",
		"pull function", "push function", "unexpected eof",
		"Broken pipe"};

	/* GnuTLS's word for a key that is not the certificate's, or no key. */
	if (result == E_SSL_CONNECT_ERROR && strstr(text, "X.509 key"))
		return -EACCES;
	if (result == E_SSL_CONNECT_ERROR) {
		for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
			if (strcasestr(text, broken[i]))
				return -EIO;
	} else if ((result == E_SEND_ERROR || result == E_RECV_ERROR) && strstr(text, "alert")) {
		return -EPROTO;
	}
	return err;
}

static void fail_by_result(struct net_transfer *t, int result)
{
	const char *text = *t->error ? t->error : t->lib->easy_strerror(result);
	struct meaning m = {result, -EIO, false};
	struct buf clean = {0};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].result == result)
			m = meanings[i];
	text_add_clean(&clean, text, strcspn(text, "\r\n"));
	fail(&t->answer, refine(result, m.err, text), "%s", buf_cstr(&clean));
	t->answer.is_bad_request = m.is_bad_request || t->answer.err == -EACCES;
	buf_release(&clean);
	/* What begins with no status line is HTTP/0.9 for libcurl, and that a protocol it does not have. */
	if (result == E_UNSUPPORTED_PROTOCOL && strstr(text, "HTTP/0.9")) {
		fail(&t->answer, -EIO, "the answer is not of HTTP/1");
		t->answer.is_bad_request = false;
	}
}

/* What a proxy answered to CONNECT, if it was no yes. */
static long proxy_refusal(struct net_transfer *t)
{
	long code = 0;

	t->lib->easy_getinfo(t->easy, INFO_HTTP_CONNECTCODE, &code);
	return code >= 300 ? code : 0;
}

/* ALPN may have led to HTTP/1.1, of which gRPC's answers cannot come. */
static void check_version(struct net_transfer *t)
{
	long version = 0;

	t->lib->easy_getinfo(t->easy, INFO_HTTP_VERSION, &version);
	if (t->request.version == NET_HTTP2 && version < HTTP_2 && t->answer.status < 400)
		fail(&t->answer, -EPROTO, "the server does not speak HTTP/2");
}

void net_answer_finish(struct net_transfer *t, int result)
{
	struct net_answer *a = &t->answer;
	long proxy = proxy_refusal(t);

	t->lib->easy_getinfo(t->easy, INFO_RESPONSE_CODE, &a->status);
	if (t->too_large)
		fail_too_large(t);
	else if (t->is_stuck || net_sockets_is_shut(t->sockets, t->socket))
		fail_stuck(a);
	else if (t->header_bytes > NET_MAX_HEADER_BYTES)
		fail(a, -EFBIG, "the answer's headers are larger than %u KiB",
		     NET_MAX_HEADER_BYTES >> 10);
	else if (a->body.err)
		fail(a, -ENOMEM, "out of memory");
	else if (result != E_OK && proxy) {
		fail(a, -ECONNREFUSED, "the proxy answers with status %ld", proxy);
		a->is_bad_request = proxy < 500 && proxy != 408 && proxy != 429;
	} else if (result != E_OK)
		fail_by_result(t, result);
	else
		check_version(t);
}
