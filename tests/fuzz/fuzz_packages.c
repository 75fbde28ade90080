// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who has a file, as a system says: parts with a NUL behind each are os-release, a list's name, the list, and the file's
 * path. Whatever they have, the command that comes out is one of a few words, for a person to copy.
 */
#include <ctype.h>
#include <stdint.h>

#include "profiler/naming/packages.c" /* NOLINT(bugprone-suspicious-include) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static const char *take_part(const uint8_t **data, size_t *size, size_t *len)
{
	const char *part = (const char *)*data;
	size_t n = strnlen(part, *size);

	*len = n;
	if (n == *size)
		return NULL;
	*data += n + 1;
	*size -= n + 1;
	return part;
}

/* Nothing in it has a meaning to a shell but what kiln has put there. */
static void check_command(const char *text)
{
	static const char known[] = "$(rpm -qf ";
	const char *rpm = strstr(text, known);

	for (const char *c = text; *c; c++) {
		bool is_known = (rpm && c >= rpm && c < rpm + strlen(known)) || !c[1];

		must(isalnum((unsigned char)*c) || strchr(" ./:_+-,", *c) ||
		     (strchr("()$", *c) && (is_known || text_has_prefix(c, "(deb "))));
	}
}

static void check_release(struct release *r, const char *text)
{
	char word[NAME_CAP];

	release_word(text, "VERSION_CODENAME", r->codename);
	release_word(text, "ID", word);
	r->family = has_word(word, "ubuntu") ? UBUNTU : has_word(word, "debian") ? DEBIAN : FEDORA;
	for (const char *c = r->codename; *c; c++)
		must(isalnum((unsigned char)*c) || strchr("-_. ", *c));
}

static bool has_line(const char *list, size_t len, const char *path)
{
	size_t n = strlen(path);

	for (const char *at = list, *end; at < list + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(list + len - at));
		if (!end)
			return false;
		if ((size_t)(end - at) == n && !memcmp(at, path, n))
			return true;
	}
	return false;
}

/* With /usr before it or without. */
static bool has_either(const char *list, size_t len, const char *path)
{
	char merged[PATH_MAX + 8];

	snprintf(merged, sizeof(merged), "/usr%s", path);
	return has_line(list, len, path) || has_line(list, len, merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t release_len, name_len, list_len, path_len;
	const char *release = take_part(&data, &size, &release_len),
		   *name = release ? take_part(&data, &size, &name_len) : NULL,
		   *list = name ? take_part(&data, &size, &list_len) : NULL,
		   *path = list ? take_part(&data, &size, &path_len) : NULL;
	char package[NAME_CAP], line[PATH_MAX + 1];
	struct question q = {.root = ""};
	struct release r = {OTHER, ""};

	if (!path || !path_len || path_len >= PATH_MAX || strchr(path, '\n'))
		return 0;
	check_release(&r, release);
	package_of_list(name, package);
	snprintf(line, sizeof(line), "%s\n", without_usr(path));
	must(has_path(list, list_len, line) == has_either(list, list_len, without_usr(path)));
	if (*package)
		add_debug_package(&q.command, package, &r);
	check_command(buf_cstr(&q.command));
	buf_clear(&q.command);
	memcpy(q.path, path, path_len + 1);
	answer_by_rpm(&q);
	check_command(buf_cstr(&q.command));
	buf_release(&q.command);
	return 0;
}
