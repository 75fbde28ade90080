// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"

#define BLANKS " \t\r"

/* --- files ---------------------------------------------------------------------------------------- */

/* A pipe or a descriptor of the shell's has no others. */
static int read_within(const char *option, const char *path, size_t cap, bool is_secret, char **out,
		       size_t *len, struct why *why)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st))
		return why_say(why, -errno, "%s: %s: %s", option, path, strerror(errno));
	if (is_secret && S_ISREG(st.st_mode) && (st.st_mode & 07))
		return why_say(why, -EACCES, "%s: %s: everybody may open it: chmod o= %s", option,
			       path, path);
	err = io_read_fd(fd, cap, out, len);
	if (err == -EFBIG)
		return why_say(why, err, "%s: %s: more than %zu bytes", option, path, cap);
	return err ? why_say(why, err, "%s: %s: %s", option, path, strerror(-err)) : 0;
}

static void free_secret(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}

int secret_read(char **out, const char *option, const char *path, struct why *why)
{
	_cleanup_(free_secret) char *text = NULL;
	size_t len, line;
	int err = read_within(option, path, SECRET_MAX, true, &text, &len, why);

	if (err)
		return err;
	line = strcspn(text, "\n");
	if (line != len && text[line] != '\n')
		return why_say(why, -EINVAL, "%s: %s: it is no text", option, path);
	line -= line && text[line - 1] == '\r';
	text[line] = '\0';
	if (!line)
		return why_say(why, -EINVAL, "%s: %s: the first line is empty", option, path);
	if (!text_is_clean(text, line))
		return why_say(why, -EINVAL, "%s: %s: the first line has control characters",
			       option, path);
	*out = steal_ptr(text);
	return 0;
}

int pem_hold(char **out, int *fd, const char *option, const char *path, bool is_secret,
	     struct why *why)
{
	_cleanup_(free_secret) char *text = NULL;
	_cleanup_close_ int memory = -1;
	size_t len;
	int err = read_within(option, path, PEM_MAX, is_secret, &text, &len, why);

	if (err)
		return err;
	if (!memmem(text, len, "-----BEGIN ", 11))
		return why_say(why, -EINVAL, "%s: %s: it is no PEM", option, path);
	memory = memfd_create("kiln-pem", MFD_CLOEXEC);
	err = memory < 0 ? -errno : io_write(memory, text, len);
	if (!err && asprintf(out, "/proc/self/fd/%d", memory) < 0)
		err = -ENOMEM;
	if (err)
		return why_say(why, err, "%s: %s: %s", option, path, strerror(-err));
	*fd = steal_fd(&memory);
	return 0;
}

/* --- AWS's file of credentials -------------------------------------------------------------------- */

void aws_keys_release(struct aws_keys *k)
{
	free_secret(&k->key);
	free_secret(&k->secret);
	free_secret(&k->session_token);
	free_secret(&k->region);
	*k = (struct aws_keys){0};
}

/* Without the blanks around it. */
static void trim(const char **text, size_t *len)
{
	while (*len && strchr(BLANKS, **text))
		(*text)++, (*len)--;
	while (*len && strchr(BLANKS, (*text)[*len - 1]))
		(*len)--;
}

static bool is_text(const char *text, size_t len, const char *wanted)
{
	return len == strlen(wanted) && !memcmp(text, wanted, len);
}

/* "[default]", "[profile x]". */
static bool is_section(const char *line, size_t len, const char *profile)
{
	if (len < 2 || line[len - 1] != ']')
		return false;
	line++, len -= 2;
	trim(&line, &len);
	if (len > 8 && !memcmp(line, "profile ", 8)) {
		line += 8, len -= 8;
		trim(&line, &len);
	}
	return is_text(line, len, profile);
}

static int take_key(struct aws_keys *k, const char *line, size_t len, size_t number,
		    struct why *why)
{
	const char *equals = memchr(line, '=', len), *name = line, *value;
	size_t name_len, value_len;
	char **at;

	if (!equals)
		return why_say(why, -EINVAL, "line %zu has no =", number);
	name_len = (size_t)(equals - line);
	value = equals + 1;
	value_len = len - name_len - 1;
	trim(&name, &name_len);
	trim(&value, &value_len);
	if (is_text(name, name_len, "aws_access_key_id"))
		at = &k->key;
	else if (is_text(name, name_len, "aws_secret_access_key"))
		at = &k->secret;
	else if (is_text(name, name_len, "aws_session_token"))
		at = &k->session_token;
	else if (is_text(name, name_len, "region"))
		at = &k->region;
	else
		return 0;
	if (!value_len || !text_is_clean(value, value_len))
		return why_say(why, -EINVAL, "line %zu has no value, or control characters",
			       number);
	free_secret(at);
	*at = strndup(value, value_len);
	return *at ? 0 : -ENOMEM;
}

int aws_keys_parse(struct aws_keys *out, const char *text, size_t len, const char *profile,
		   struct why *why)
{
	bool inside = false, found = false;
	struct aws_keys k = {0};
	size_t number = 0;
	int err = 0;

	for (size_t at = 0; at < len && !err; number++) {
		const char *line = text + at, *end = memchr(line, '\n', len - at);
		size_t n = end ? (size_t)(end - line) : len - at;

		at += n + 1;
		/* A line that begins with blanks belongs to the value before, as "s3 =" has them. */
		if (n && strchr(" \t", *line))
			continue;
		trim(&line, &n);
		if (!n || *line == '#' || *line == ';')
			continue;
		if (*line == '[')
			found |= inside = is_section(line, n, profile);
		else if (inside)
			err = take_key(&k, line, n, number + 1, why);
	}
	if (!err && !found)
		err = why_say(why, -ENOENT, "it has no profile \"%s\"", profile);
	if (err)
		aws_keys_release(&k);
	else
		*out = k;
	return err;
}

/* --- the environment ------------------------------------------------------------------------------ */

/* One that is empty is as one that is not set. */
static const char *variable(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=' && (*env)[len + 1])
			return *env + len + 1;
	return NULL;
}

static int take_variable(char **out, char *const *env, const char *name, struct why *why)
{
	const char *text = variable(env, name);

	if (!text)
		return 0;
	if (strlen(text) > SECRET_MAX || !text_is_clean(text, strlen(text)))
		return why_say(why, -EINVAL, "%s: too long, or control characters", name);
	free_secret(out);
	*out = strdup(text);
	return *out ? 0 : why_say(why, -ENOMEM, "out of memory");
}

static int read_credentials(struct aws_keys *k, char *const *env, struct why *why)
{
	const char *path = variable(env, "AWS_SHARED_CREDENTIALS_FILE");
	_cleanup_(free_secret) char *text = NULL;
	struct why what = {""};
	size_t len;
	int err;

	if (!path)
		return 0;
	err = read_within("AWS_SHARED_CREDENTIALS_FILE", path, CREDENTIALS_MAX, true, &text, &len,
			  why);
	if (err)
		return err;
	err = aws_keys_parse(k, text, len, variable(env, "AWS_PROFILE") ?: "default", &what);
	return err ? why_say(why, err, "AWS_SHARED_CREDENTIALS_FILE: %s: %s", path,
			     *what.text ? what.text : strerror(-err))
		   : 0;
}

int aws_keys_find(struct aws_keys *out, char *const *env, struct why *why)
{
	struct aws_keys k = {0};
	int err = take_variable(&k.key, env, "AWS_ACCESS_KEY_ID", why);

	err = err ?: take_variable(&k.secret, env, "AWS_SECRET_ACCESS_KEY", why);
	if (!err && !k.key != !k.secret)
		err = why_say(why, -EINVAL,
			      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together");
	if (!err && k.key)
		err = take_variable(&k.session_token, env, "AWS_SESSION_TOKEN", why);
	else if (!err)
		err = read_credentials(&k, env, why);
	if (!err && !k.key != !k.secret)
		err = why_say(why, -EINVAL,
			      "AWS_SHARED_CREDENTIALS_FILE: aws_access_key_id and "
			      "aws_secret_access_key go together");
	err = err ?: take_variable(&k.region, env, "AWS_DEFAULT_REGION", why);
	err = err ?: take_variable(&k.region, env, "AWS_REGION", why);
	if (err)
		aws_keys_release(&k);
	else
		*out = k;
	return err;
}
