// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/procs/maps.h"

struct cursor {
	const char *p, *end;
	bool bad;
};

static void expect(struct cursor *c, char want)
{
	if (c->p < c->end && *c->p == want)
		c->p++;
	else
		c->bad = true;
}

static int digit_of(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : 16;
}

static uint64_t number(struct cursor *c, unsigned base)
{
	const char *first = c->p;
	uint64_t v = 0;

	for (; c->p < c->end && digit_of(*c->p) < (int)base; c->p++) {
		if (v > (UINT64_MAX - 15) / base) {
			c->bad = true;
			return 0;
		}
		v = v * base + (unsigned)digit_of(*c->p);
	}
	c->bad |= c->p == first;
	return v;
}

static uint32_t number32(struct cursor *c, unsigned base)
{
	uint64_t v = number(c, base);

	c->bad |= v > UINT32_MAX;
	return (uint32_t)v;
}

/* seq_file writes a newline in a name as \012 and escapes nothing else (fs/proc/task_mmu.c). */
static bool copy_path(char *out, size_t size, const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		bool newline = len - i >= 4 && !memcmp(p + i, "\\012", 4);

		if (n + 1 >= size || !p[i])
			return false;
		out[n] = newline ? '\n' : p[i];
		i += newline ? 4 : 1;
	}
	out[n] = '\0';
	return true;
}

/* START-END rwxp OFFSET MAJOR:MINOR INODE   PATH */
static bool parse_line(const char *line, size_t len, struct maps_entry *e)
{
	struct cursor c = {line, line + len, false};

	e->start = number(&c, 16);
	expect(&c, '-');
	e->end = number(&c, 16);
	expect(&c, ' ');
	if (c.bad || e->end <= e->start || c.end - c.p < 5)
		return false;
	e->exec = c.p[2] == 'x';
	c.p += 4;
	expect(&c, ' ');
	e->file_off = number(&c, 16);
	expect(&c, ' ');
	e->major = number32(&c, 16);
	expect(&c, ':');
	e->minor = number32(&c, 16);
	expect(&c, ' ');
	e->inode = number(&c, 10);
	while (c.p < c.end && *c.p == ' ')
		c.p++;
	return !c.bad && copy_path(e->path, sizeof(e->path), c.p, (size_t)(c.end - c.p));
}

size_t maps_parse(const char *text, size_t len, maps_fn fn, void *ctx)
{
	const char *end = text + len;
	struct maps_entry e;
	size_t skipped = 0;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = nl ? nl : end;

		if (!parse_line(text, (size_t)(line_end - text), &e))
			skipped++;
		else if (e.exec && fn(ctx, &e))
			break;
		text = line_end + 1;
	}
	return skipped;
}

static bool is_name(const char *name, const char *plain)
{
	size_t n = strlen(plain);

	return !strncmp(name, plain, n) && (!name[n] || !strcmp(name + n, " (deleted)"));
}

static bool is_deleted_temporary(const char *name)
{
	static const char *const places[] = {"/tmp/", "/var/tmp/", "/run/"};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (text_has_prefix(name, places[i]))
			return text_has_suffix(name, " (deleted)");
	return false;
}

/* Whether a name that begins like a file's may be that of a JIT compiler's memory. */
static bool is_like_memory(const char *name, enum map_content content)
{
	if (map_is_jitdump(name))
		return false;
	return text_has_prefix(name, "/memfd:") || !strcmp(name, "//toolong") ||
	       !strcmp(name, "//enomem") || text_has_prefix(name, "/dev/shm/") ||
	       (content == MAP_CONTENT_OTHER && is_deleted_temporary(name));
}

enum map_kind map_kind_of(const char *name, enum map_content content)
{
	if (!strcmp(name, "[vdso]"))
		return MAP_KIND_VDSO;
	if (!strcmp(name, "[vsyscall]") || !strcmp(name, "[uprobes]"))
		return MAP_KIND_IGNORE;
	if (name[0] != '/')
		return MAP_KIND_ANON; /* "", [heap], [stack], [anon:NAME], anon_inode: */
	if (!strcmp(name, "//anon") || is_name(name, "/dev/zero") ||
	    is_name(name, "/anon_hugepage") || text_has_prefix(name, "/SYSV"))
		return MAP_KIND_ANON;
	return content != MAP_CONTENT_PROGRAM && is_like_memory(name, content) ? MAP_KIND_ANON
									       : MAP_KIND_FILE;
}

bool map_is_jitdump(const char *name)
{
	const char *slash = strrchr(name, '/'), *p;

	if (!slash || !text_has_prefix(slash, "/jit-"))
		return false;
	for (p = slash + 5; *p >= '0' && *p <= '9'; p++)
		;
	return p > slash + 5 && is_name(p, ".dump");
}
