// SPDX-License-Identifier: GPL-2.0-or-later
/* URLs of destinations, AWS's file of credentials, and headers of answers. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/net/net_answer.h"
#include "profiler/upload/secrets.h"
#include "profiler/upload/target.h"

/* What is taken can be sent, and no sentence has what is before an @. */
static void url(const char *text)
{
	char *env[] = {"AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=SK", NULL};
	const struct upload_target_opts o = {.url = text, .env = env};
	struct upload_target *t = NULL;
	struct why why = {""};
	int err = upload_target_new(&t, &o, &why);

	if (err ? (err != -22 && err != -12) || !*why.text : strchr(t->base, '@') != NULL)
		abort();
	if (!err && (!text_has_prefix(t->base, "http") || strpbrk(t->path, " \n?#") ||
		     (*t->path && *t->path != '/')))
		abort();
	if (!upload_url_check(text, NULL) != !err && !err)
		abort();
	upload_target_free(t);
}

static void credentials(const char *text, size_t len)
{
	struct aws_keys k = {0};
	struct why why = {""};

	if (aws_keys_parse(&k, text, len, "default", &why)
		    ? !*why.text
		    : k.secret && !text_is_clean(k.secret, strlen(k.secret)))
		abort();
	aws_keys_release(&k);
}

static void headers(const char *text, size_t len)
{
	struct net_answer a;

	net_answer_init(&a);
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) + 1 : len;
		char *line = malloc(n);

		memcpy(line, text, n);
		net_answer_header(&a, line, n, 1795824000);
		free(line);
		text += n;
		len -= n;
	}
	if (a.retry_after_s < -1 || a.retry_after_s > 365 * 86400 || a.grpc_status < -1 ||
	    a.grpc_status > 999 || !text_is_clean(a.content_type, strlen(a.content_type)) ||
	    !text_is_clean(a.grpc_message, strlen(a.grpc_message)))
		abort();
	net_answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (*data % 3 == 0)
		url(text);
	else if (*data % 3 == 1)
		credentials(text, size - 1);
	else
		headers(text, size - 1);
	free(text);
	return 0;
}
