// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/packages.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/files/stall_guard.h"

#define ANSWERS_MAX 32
#define ASKED_MAX   64	       /* a minute: who runs programs in turns has lists read for each */
#define LISTS_MAX   65536      /* entries of dpkg's directory */
#define LIST_CAP    (8u << 20) /* bytes of one list, and of all that are looked through */
#define ALL_CAP	    (256u << 20)
#define RELEASE_CAP (64u << 10)
#define NAME_CAP    128 /* of a package, and of a word of os-release */

#define DEBIAN_ARCHIVE "deb http://deb.debian.org/debian-debug %s-debug main"
#define UBUNTU_ARCHIVE "deb http://ddebs.ubuntu.com %s main restricted universe multiverse"

struct answer {
	char path[PATH_MAX];
	struct sym_file_key key;
	enum package_answer answer;
	char *command; /* NULL: none */
};

struct packages {
	char *root;
	struct stall_guard guard; /* root's directories may be on any file system */
	struct answer *answers[ANSWERS_MAX];
	size_t next;
	uint64_t minute_ns; /* begins then */
	unsigned asked;	    /* in it */
};

DEFINE_CLEANUP(packages, packages_free)

int packages_new(struct packages **out, const char *root)
{
	_cleanup_(packages_freep) struct packages *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->root = strdup(root);
	if (!p->root)
		return -ENOMEM;
	*out = steal_ptr(p);
	return 0;
}

static void free_answer(struct answer *a)
{
	if (a)
		free(a->command);
	free(a);
}

void packages_free(struct packages *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < ANSWERS_MAX; i++)
		free_answer(p->answers[i]);
	stall_guard_release(&p->guard);
	free(p->root);
	free(p);
}

/* --- one question ------------------------------------------------------------------------------- */

/* In the guard's thread, which owns all of it. */
struct question {
	struct guarded_job job;
	char *root;
	struct package_file file;
	char path[PATH_MAX];
	struct buf command;
	enum package_answer answer;
};

static char *read_below(const struct question *q, const char *path, size_t cap, size_t *len)
{
	char full[PATH_MAX], *text = NULL;
	int n = snprintf(full, sizeof(full), "%s%s", q->root, path);

	if (n < 0 || (size_t)n >= sizeof(full) || io_read_file(full, cap, &text, len))
		return NULL;
	return text;
}

/* Whether the path leads to the mapped file here, too: a container's file lies elsewhere, and may be of
 * another system. */
static bool is_of_host(const struct question *q, uid_t *owner)
{
	char full[PATH_MAX];
	struct sym_file_key key;
	struct stat st;
	_cleanup_close_ int fd = -1;
	int n = snprintf(full, sizeof(full), "%s%s", q->root, q->path);

	if (n < 0 || (size_t)n >= sizeof(full))
		return false;
	fd = open(full, O_PATH | O_CLOEXEC);
	if (!sym_file_key(fd, &key) || key.dev != q->file.key.dev || key.ino != q->file.key.ino ||
	    fstat(fd, &st))
		return false;
	*owner = st.st_uid;
	return true;
}

static bool is_installed(const struct question *q)
{
	char hex[2 * BUILD_ID_MAX + 1], full[PATH_MAX];
	int n;

	if (q->file.build_id.len < 2)
		return false;
	text_hex(q->file.build_id.data, q->file.build_id.len, hex);
	n = snprintf(full, sizeof(full), "%s/usr/lib/debug/.build-id/%.2s/%s.debug", q->root, hex,
		     hex + 2);
	return n > 0 && (size_t)n < sizeof(full) && !access(full, R_OK);
}

/* --- os-release --------------------------------------------------------------------------------- */

/* The value of KEY=value or KEY="value", or "" where it is anything but a plain word. */
static void release_word(const char *text, const char *key, char out[NAME_CAP])
{
	size_t len = strlen(key), n = 0;
	const char *line = text;

	out[0] = '\0';
	while (line && (strncmp(line, key, len) != 0 || line[len] != '=')) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return;
	line += len + 1;
	line += *line == '"' || *line == '\'';
	while (isalnum((unsigned char)line[n]) || strchr("-_. ", line[n] ?: '\n'))
		n++;
	if (n < NAME_CAP && strchr("\"'\n", line[n]))
		snprintf(out, NAME_CAP, "%.*s", (int)n, line);
}

/* True if one of the words is this one. */
static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *s = words; (s = strstr(s, word)); s += len)
		if ((s == words || s[-1] == ' ') && (!s[len] || s[len] == ' '))
			return true;
	return false;
}

enum family { OTHER, DEBIAN, UBUNTU, FEDORA };

struct release {
	enum family family;
	char codename[NAME_CAP];
};

static struct release read_release(const struct question *q)
{
	struct release r = {OTHER, ""};
	char id[NAME_CAP], like[NAME_CAP];
	size_t len;
	_cleanup_free_ char *text =
		read_below(q, "/etc/os-release", RELEASE_CAP, &len)
			?: read_below(q, "/usr/lib/os-release", RELEASE_CAP, &len);

	if (!text)
		return r;
	release_word(text, "ID", id);
	release_word(text, "ID_LIKE", like);
	release_word(text, "VERSION_CODENAME", r.codename);
	if (has_word(id, "ubuntu"))
		r.family = UBUNTU;
	else if (has_word(id, "debian") || has_word(like, "debian"))
		r.family = DEBIAN;
	else if (has_word(id, "fedora") || has_word(like, "fedora") || has_word(like, "rhel"))
		r.family = FEDORA;
	/* Of a system that is made of another one, neither archive is sure. */
	if (r.family == DEBIAN && !has_word(id, "debian"))
		r.codename[0] = '\0';
	return r;
}

/* --- dpkg's lists ------------------------------------------------------------------------------- */

/* /bin, /lib and so on are links into /usr, and lists have either path. */
static const char *without_usr(const char *path)
{
	static const char *const merged[] = {"/usr/bin/", "/usr/sbin/", "/usr/lib"};

	for (size_t i = 0; i < sizeof(merged) / sizeof(*merged); i++)
		if (text_has_prefix(path, merged[i]))
			return path + strlen("/usr");
	return path;
}

/* Whether a list has the path as a line. `line` is the path without /usr, with a newline behind. */
static bool has_path(const char *list, size_t len, const char *line)
{
	size_t n = strlen(line);
	const char *end = list + len, *at = list;

	while ((at = memmem(at, (size_t)(end - at), line, n))) {
		size_t before = (size_t)(at - list);

		if (!before || at[-1] == '\n')
			return true;
		if (before >= 4 && !memcmp(at - 4, "/usr", 4) && (before == 4 || at[-5] == '\n'))
			return true;
		at += n;
	}
	return false;
}

/* The package of "libc6:amd64.list"; "" for what is no list. */
static void package_of_list(const char *name, char out[NAME_CAP])
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
	bool ends = name[n] == ':' && text_has_suffix(name, ".list");

	if (!name[n] && text_has_suffix(name, ".list")) {
		n -= strlen(".list");
		ends = true;
	}
	snprintf(out, NAME_CAP, "%.*s", ends && n < NAME_CAP ? (int)n : 0, name);
}

/* The package that a path belongs to: 1, 0 (none has it), or -errno if there are no lists. */
static int find_package(const struct question *q, char out[NAME_CAP])
{
	char dir_path[PATH_MAX], line[PATH_MAX + 1], list_path[PATH_MAX];
	size_t read = 0, n_lists = 0;
	const struct dirent *e;
	bool found = false;
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "%s/var/lib/dpkg/info", q->root);
	dir = opendir(dir_path);
	if (!dir)
		return -errno;
	snprintf(line, sizeof(line), "%s\n", without_usr(q->path));
	while (!found && n_lists < LISTS_MAX && read < ALL_CAP && (e = readdir(dir))) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;

		package_of_list(e->d_name, out);
		if (!*out)
			continue;
		n_lists++;
		snprintf(list_path, sizeof(list_path), "/var/lib/dpkg/info/%s", e->d_name);
		text = read_below(q, list_path, LIST_CAP, &len);
		read += len;
		found = text && has_path(text, len, line);
	}
	closedir(dir);
	return found;
}

/* Debian has packages of debug symbols that are not made by rule, and are in its main archive. Those of all
 * packages that begin with a word, a version, and an end or a dash are of one. */
static bool add_dbg_package(struct buf *out, const char *package)
{
	static const char *const versioned[][2] = {
		{"openjdk-", "openjdk-"}, {"python3.", "python3."}, {"libpython3.", "python3."}};

	if (!strcmp(package, "libc6") || !strcmp(package, "libc-bin")) {
		buf_str(out, "apt install libc6-dbg");
		return true;
	}
	for (size_t i = 0; i < sizeof(versioned) / sizeof(*versioned); i++) {
		const char *version = package + strlen(versioned[i][0]);
		size_t digits;

		if (!text_has_prefix(package, versioned[i][0]))
			continue;
		digits = strspn(version, "0123456789");
		if (!digits || (version[digits] && version[digits] != '-'))
			return false;
		buf_printf(out, "apt install %s%.*s-dbg", versioned[i][1], (int)digits, version);
		return true;
	}
	return false;
}

static void add_debug_package(struct buf *out, const char *package, const struct release *r)
{
	if (add_dbg_package(out, package))
		return;
	buf_printf(out, "apt install %s-dbgsym, if there is one", package);
	if (!*r->codename)
		return;
	buf_str(out, " (");
	buf_printf(out, r->family == UBUNTU ? UBUNTU_ARCHIVE : DEBIAN_ARCHIVE, r->codename);
	buf_char(out, ')');
}

/* --- the answer --------------------------------------------------------------------------------- */

static bool is_plain_path(const char *path)
{
	for (const char *c = path; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("/._+-", *c))
			return false;
	return true;
}

static enum package_answer answer_by_rpm(struct question *q)
{
	if (!is_plain_path(q->path) || !text_has_prefix(q->path, "/usr/") ||
	    text_has_prefix(q->path, "/usr/local/"))
		return PACKAGE_NONE;
	buf_printf(&q->command, "dnf debuginfo-install $(rpm -qf %s)", q->path);
	return PACKAGE_FOUND;
}

/* No user can have lists searched by making files. */
static enum package_answer find_out(struct question *q)
{
	struct release r;
	char package[NAME_CAP];
	uid_t owner;
	int found;

	if (is_installed(q))
		return PACKAGE_INSTALLED;
	if (!is_of_host(q, &owner))
		return PACKAGE_ELSEWHERE;
	if (owner && owner != geteuid())
		return PACKAGE_NONE;
	r = read_release(q);
	if (r.family == FEDORA)
		return answer_by_rpm(q);
	found = r.family == OTHER ? -ENOENT : find_package(q, package);
	if (found <= 0)
		return found ? PACKAGE_UNKNOWN : PACKAGE_NONE;
	add_debug_package(&q->command, package, &r);
	return PACKAGE_FOUND;
}

static int run_question(struct guarded_job *job)
{
	struct question *q = (struct question *)job;

	q->answer = find_out(q);
	return 0;
}

static void free_question(struct guarded_job *job)
{
	struct question *q = (struct question *)job;

	buf_release(&q->command);
	free(q->root);
	free(q);
}

static struct question *new_question(const struct packages *p, const struct package_file *file)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->job = (struct guarded_job){run_question, free_question};
	q->root = strdup(p->root);
	q->file = *file;
	snprintf(q->path, sizeof(q->path), "%s", file->path);
	if (q->root)
		return q;
	free_question(&q->job);
	return NULL;
}

static struct answer *find_answer(struct packages *p, const struct package_file *file)
{
	for (size_t i = 0; i < ANSWERS_MAX; i++) {
		struct answer *a = p->answers[i];

		if (a && !memcmp(&a->key, &file->key, sizeof(a->key)) &&
		    !strcmp(a->path, file->path))
			return a;
	}
	return NULL;
}

/* Asks, and remembers what was said in the place of the oldest answer. NULL: out of memory. */
static struct answer *ask(struct packages *p, const struct package_file *file)
{
	struct question *q = new_question(p, file);
	struct answer *a = calloc(1, sizeof(*a));
	int err;

	if (!q || !a) {
		if (q)
			free_question(&q->job);
		free(a);
		return NULL;
	}
	snprintf(a->path, sizeof(a->path), "%s", file->path);
	a->key = file->key;
	a->answer = PACKAGE_UNKNOWN;
	if (stall_guard_run(&p->guard, &q->job, &err)) {
		if (!err)
			a->answer = q->answer;
		if (q->command.len)
			a->command = buf_take(&q->command);
		free_question(&q->job);
	}
	free_answer(p->answers[p->next]);
	p->answers[p->next] = a;
	p->next = (p->next + 1) % ANSWERS_MAX;
	return a;
}

static bool may_ask(struct packages *p)
{
	uint64_t now_ns = boottime_ns();

	if (!p->asked || now_ns - p->minute_ns >= 60 * NS_PER_S) {
		p->minute_ns = now_ns;
		p->asked = 0;
	}
	return p->asked++ < ASKED_MAX;
}

enum package_answer packages_ask(struct packages *p, const struct package_file *file,
				 struct buf *command)
{
	struct answer *a;

	if (file->path[0] != '/' || strlen(file->path) >= PATH_MAX)
		return PACKAGE_ELSEWHERE;
	a = find_answer(p, file);
	if (!a && may_ask(p))
		a = ask(p, file);
	if (!a)
		return PACKAGE_UNKNOWN;
	if (a->answer == PACKAGE_FOUND && !a->command)
		return PACKAGE_UNKNOWN;
	if (a->command)
		buf_str(command, a->command);
	return a->answer;
}
