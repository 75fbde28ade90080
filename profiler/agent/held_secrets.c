// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/held_secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/config_schema.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"

static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
					"AWS_SESSION_TOKEN"};
#define N_VARIABLES (sizeof(variables) / sizeof(*variables))

/* A file of texts one after the other, each with its NUL. */
struct texts {
	char *data;
	size_t len, at;
};

static void texts_release(struct texts *t)
{
	if (t->data)
		explicit_bzero(t->data, t->len);
	free(t->data);
}

static int texts_read(struct texts *t, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	t->len = (size_t)st.st_size;
	t->data = malloc(t->len);
	if (!t->data)
		return -ENOMEM;
	return io_pread(fd, t->data, t->len, 0) == (ssize_t)t->len ? 0 : -EIO;
}

/* NULL: there is none any more. */
static const char *texts_next(struct texts *t)
{
	const char *text = t->data + t->at;

	if (t->at >= t->len || !memchr(text, '\0', t->len - t->at))
		return NULL;
	t->at += strlen(text) + 1;
	return text;
}

/* --- values of headers ---------------------------------------------------------------------------- */

/* The next value of any destination after this place; NULL: that was the last one. */
static char **next_value(struct config *c, size_t *upload, size_t *header)
{
	for (; *upload < c->upload.len; ++*upload, *header = 0) {
		struct config_pairs *headers = &c->upload.data[*upload].headers;

		if (*header < headers->list.len)
			return &headers->list.data[(*header)++].value;
	}
	return NULL;
}

static int write_values(struct config *c, int fd)
{
	size_t upload = 0, header = 0;
	char **value;
	int err = 0;

	while (!err && (value = next_value(c, &upload, &header)))
		err = io_write(fd, *value, strlen(*value) + 1);
	return err;
}

static int replace(char **value, uint64_t seed)
{
	uint64_t hash = hash_bytes(*value, strlen(*value), seed);
	char *text = malloc(2 * sizeof(hash) + 1);

	if (!text)
		return -ENOMEM;
	text_hex(&hash, sizeof(hash), text);
	text_wipe(*value);
	free(*value);
	*value = text;
	return 0;
}

static int put_values(struct config *c, int fd, uint64_t seed)
{
	size_t upload = 0, header = 0;
	char **value;
	int err = write_values(c, fd);

	if (err)
		return err;
	c->held_fd = fd;
	while (!err && (value = next_value(c, &upload, &header)))
		err = replace(value, seed);
	return err;
}

int held_secrets_put(struct config *c, uint64_t seed)
{
	size_t upload = 0, header = 0;
	int fd, err;

	if (!next_value(c, &upload, &header))
		return 0;
	fd = memfd_create("kiln-secrets", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = put_values(c, fd, seed);
	if (c->held_fd != fd)
		close(fd);
	return err;
}

static int get_values(struct config *c, struct texts *t)
{
	size_t upload = 0, header = 0;
	char **value;

	while ((value = next_value(c, &upload, &header))) {
		const char *text = texts_next(t);
		char *copy = text ? strdup(text) : NULL;

		if (!copy)
			return text ? -ENOMEM : -EIO;
		free(*value);
		*value = copy;
	}
	return 0;
}

int held_secrets_get(struct config *c, bool (*wants)(const struct config_upload *u))
{
	_cleanup_(texts_release) struct texts t = {NULL};
	int err = 0;

	if (c->held_fd >= 0)
		err = texts_read(&t, c->held_fd) ?: get_values(c, &t);
	cleanup_close_fd(&c->held_fd);
	c->held_fd = -1;
	for (size_t i = 0; wants && i < c->upload.len; i++)
		if (!wants(&c->upload.data[i]))
			config_upload_forget_secrets(&c->upload.data[i]);
	return err;
}

/* --- the environment ------------------------------------------------------------------------------ */

static bool is_any_set(void)
{
	for (size_t i = 0; i < N_VARIABLES; i++)
		if (getenv(variables[i]))
			return true;
	return false;
}

int held_secrets_put_env(int *fd)
{
	_cleanup_close_ int file = -1;
	int err = 0;

	*fd = -1;
	if (!is_any_set())
		return 0;
	file = memfd_create("kiln-secrets", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	for (size_t i = 0; i < N_VARIABLES && !err; i++) {
		const char *value = getenv(variables[i]) ?: "";

		err = io_write(file, value, strlen(value) + 1);
	}
	if (err)
		return err;
	for (size_t i = 0; i < N_VARIABLES; i++)
		text_wipe(getenv(variables[i]));
	*fd = steal_fd(&file);
	return 0;
}

int held_secrets_get_env(int fd)
{
	_cleanup_(texts_release) struct texts t = {NULL};
	int err = fd < 0 ? 0 : texts_read(&t, fd);

	for (size_t i = 0; i < N_VARIABLES && fd >= 0 && !err; i++) {
		const char *value = texts_next(&t);

		if (!value || (*value && setenv(variables[i], value, 1)))
			err = value ? -ENOMEM : -EIO;
	}
	return err;
}
