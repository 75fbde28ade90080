// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/remote/curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"

/* The used part of <curl/curl.h>: its numbers are fixed for all versions of libcurl.so.4. */
enum {
	OPT_NOSIGNAL = 99,
	OPT_LOW_SPEED_LIMIT = 19,
	OPT_LOW_SPEED_TIME = 20,
	OPT_TIMEOUT_MS = 155,
	OPT_CONNECTTIMEOUT_MS = 156,
	OPT_PROTOCOLS = 181,
	OPT_WRITEDATA = 10001,
	OPT_URL = 10002,
	OPT_ERRORBUFFER = 10010,
	OPT_USERAGENT = 10018,
	OPT_HTTPHEADER = 10023,
	OPT_UNIX_SOCKET_PATH = 10231,
	OPT_WRITEFUNCTION = 20011,
	INFO_RESPONSE_CODE = 0x200002,
	PROTOCOL_HTTP = 1,
	PROTOCOL_HTTPS = 2,
	GLOBAL_ALL = 3,
	E_COULDNT_RESOLVE_HOST = 6,
	E_COULDNT_CONNECT = 7,
	E_OUT_OF_MEMORY = 27,
	E_OPERATION_TIMEDOUT = 28,
	ERROR_SIZE = 256,
};

struct library {
	int (*global_init)(long);
	void *(*easy_init)(void);
	int (*easy_setopt)(void *, int, ...);
	int (*easy_perform)(void *);
	int (*easy_getinfo)(void *, int, ...);
	void (*easy_cleanup)(void *);
	const char *(*easy_strerror)(int);
	void *(*slist_append)(void *, const char *);
	void (*slist_free_all)(void *);
};

/* The same library against another one for TLS. */
static const char *const sonames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

static void *open_library(const char *soname)
{
	void *handle = NULL;

	if (soname)
		return dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < sizeof(sonames) / sizeof(*sonames) && !handle; i++)
		handle = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
	return handle;
}

static int load(struct library *lib, const char *soname)
{
	void *handle = open_library(soname);
	const struct {
		const char *name;
		void *at;
	} symbols[] = {
		{"curl_global_init", &lib->global_init},
		{"curl_easy_init", &lib->easy_init},
		{"curl_easy_setopt", &lib->easy_setopt},
		{"curl_easy_perform", &lib->easy_perform},
		{"curl_easy_getinfo", &lib->easy_getinfo},
		{"curl_easy_cleanup", &lib->easy_cleanup},
		{"curl_easy_strerror", &lib->easy_strerror},
		{"curl_slist_append", &lib->slist_append},
		{"curl_slist_free_all", &lib->slist_free_all},
	};

	for (size_t i = 0; handle && i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *symbol = dlsym(handle, symbols[i].name);

		if (!symbol) {
			dlclose(handle);
			return -ENOSYS;
		}
		memcpy(symbols[i].at, &symbol, sizeof(symbol));
	}
	/* It stays loaded: what it starts does not end with it. */
	return handle && !lib->global_init(GLOBAL_ALL) ? 0 : -ENOSYS;
}

struct transfer {
	struct curl_answer *out;
	size_t max_bytes;
	bool too_large;
};

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t len = size * n;

	if (len > t->max_bytes - t->out->body.len) {
		t->too_large = true;
		return 0;
	}
	buf_add(&t->out->body, data, len);
	return t->out->body.err ? 0 : len;
}

static int set_options(const struct library *lib, void *curl, const struct curl_request *r,
		       struct transfer *t, char error[ERROR_SIZE])
{
	int rc = lib->easy_setopt(curl, OPT_URL, r->url);

	rc |= lib->easy_setopt(curl, OPT_NOSIGNAL, 1l);
	rc |= lib->easy_setopt(curl, OPT_PROTOCOLS, (long)(PROTOCOL_HTTP | PROTOCOL_HTTPS));
	rc |= lib->easy_setopt(curl, OPT_USERAGENT, "kiln");
	rc |= lib->easy_setopt(curl, OPT_ERRORBUFFER, error);
	rc |= lib->easy_setopt(curl, OPT_WRITEFUNCTION, on_data);
	rc |= lib->easy_setopt(curl, OPT_WRITEDATA, t);
	rc |= lib->easy_setopt(curl, OPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
	rc |= lib->easy_setopt(curl, OPT_TIMEOUT_MS, (long)r->total_ms);
	rc |= lib->easy_setopt(curl, OPT_LOW_SPEED_LIMIT, 1l);
	rc |= lib->easy_setopt(curl, OPT_LOW_SPEED_TIME, (long)(r->stall_ms / 1000));
	if (r->socket)
		rc |= lib->easy_setopt(curl, OPT_UNIX_SOCKET_PATH, r->socket);
	return rc ? -ENOSYS : 0; /* one so old that it does not know them */
}

/* The list is the caller's. */
static int set_token(const struct library *lib, void *curl, const char *token, void **headers)
{
	struct buf line = {0};

	buf_printf(&line, "Authorization: Bearer %s", token);
	*headers = line.err ? NULL : lib->slist_append(NULL, buf_cstr(&line));
	buf_release(&line);
	return *headers && !lib->easy_setopt(curl, OPT_HTTPHEADER, *headers) ? 0 : -ENOMEM;
}

static int failed(const struct library *lib, int rc, const struct transfer *t, const char *error)
{
	struct curl_answer *out = t->out;

	if (t->too_large) {
		snprintf(out->why, sizeof(out->why), "the answer is larger than %zu MiB",
			 t->max_bytes >> 20);
		return -EFBIG;
	}
	snprintf(out->why, sizeof(out->why), "%s", *error ? error : lib->easy_strerror(rc));
	out->why[strcspn(out->why, "\r\n")] = '\0';
	switch (rc) {
	case E_COULDNT_RESOLVE_HOST:
	case E_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case E_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case E_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return out->body.err ?: -EIO;
	}
}

static int transfer(const struct library *lib, void *curl, const struct curl_request *r,
		    struct curl_answer *out)
{
	struct transfer t = {out, r->max_bytes, false};
	char error[ERROR_SIZE] = "";
	void *headers = NULL;
	int err = set_options(lib, curl, r, &t, error), rc = 0;

	if (!err && r->token)
		err = set_token(lib, curl, r->token, &headers);
	if (!err) {
		rc = lib->easy_perform(curl);
		err = rc ? failed(lib, rc, &t, error) : 0;
	}
	if (!err && lib->easy_getinfo(curl, INFO_RESPONSE_CODE, &out->status))
		err = -EIO;
	lib->slist_free_all(headers);
	return err;
}

int curl_get(const struct curl_request *r, struct curl_answer *out)
{
	struct library lib = {0};
	void *curl;
	int err;

	*out = (struct curl_answer){0};
	if (load(&lib, r->soname)) {
		snprintf(
			out->why, sizeof(out->why),
			"that needs libcurl, which is not here: install libcurl4 (Debian), libcurl "
			"(Fedora)");
		return -ENOSYS;
	}
	curl = lib.easy_init();
	if (!curl)
		return -ENOMEM;
	err = transfer(&lib, curl, r, out);
	if (err && !*out->why)
		snprintf(out->why, sizeof(out->why), "%s", strerror(-err));
	lib.easy_cleanup(curl);
	return err;
}

void curl_answer_release(struct curl_answer *a)
{
	buf_release(&a->body);
}
