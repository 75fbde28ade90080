// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

#define PREFIX		"kiln."
#define BLAME_PREFIX	PREFIX "blame="
#define WHERE_PREFIX	PREFIX "where="
#define ROOTLESS_PREFIX PREFIX "rootless="

static const struct {
	const char *key, *text, *cure;
} losses[LOSS_COUNT] = {
#define X(key, text, cure) {#key, text, cure},
	LOSS_REASONS(X)
#undef X
};

const char *loss_key(enum loss_reason r)
{
	return losses[r].key;
}

const char *loss_text(enum loss_reason r)
{
	return losses[r].text;
}

const char *loss_cure(enum loss_reason r)
{
	return losses[r].cure;
}

/* Every number of a struct quality with its comment key: the only table for writing, reading and
 * adding. */
static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
#define X(key) {PREFIX #key "=", offsetof(struct quality, key)},
	QUALITY_COUNTERS(X)
#undef X
#define X(key, text, cure) {PREFIX "lost." #key "=", offsetof(struct quality, lost[LOSS_##key])},
		LOSS_REASONS(X)
#undef X
};

#define N_NUMBERS (sizeof(numbers) / sizeof(*numbers))

static uint64_t *number_of(struct quality *q, size_t i)
{
	return (uint64_t *)((char *)q + numbers[i].offset);
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t quality_lost(const struct quality *q)
{
	uint64_t total = 0;

	for (size_t i = 0; i < LOSS_COUNT; i++)
		total = sum(total, q->lost[i]);
	return total;
}

int64_t quality_unaccounted(const struct quality *q)
{
	return (int64_t)(q->expected - q->idle - q->stolen - q->filtered - q->recorded -
			 quality_lost(q));
}

void quality_release(struct quality *q)
{
	for (size_t i = 0; i < q->blame.len; i++) {
		free(q->blame.data[i].module);
		free(q->blame.data[i].hint);
	}
	vec_release(&q->blame);
	*q = (struct quality){0};
}

/* --- comments out ------------------------------------------------------------------------------- */

/* Index of the number that a comment is about, and its value; or -1. */
static int parse_number(const char *comment, uint64_t *value)
{
	for (size_t i = 0; i < N_NUMBERS; i++)
		if (text_has_prefix(comment, numbers[i].key))
			return text_parse_u64(comment + strlen(numbers[i].key), UINT64_MAX, value)
				       ? -1
				       : (int)i;
	return -1;
}

static bool is_quality_comment(const char *comment)
{
	uint64_t value;

	return text_has_prefix(comment, BLAME_PREFIX) || parse_number(comment, &value) >= 0;
}

static void drop_quality_comments(struct profile *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->comments.len; i++)
		if (!is_quality_comment(profile_text(p, p->comments.data[i])))
			p->comments.data[kept++] = p->comments.data[i];
	p->comments.len = kept;
}

static void put_blame(struct buf *b, const struct quality_blame *blame)
{
	buf_printf(b, BLAME_PREFIX "%" PRIu64 " %" PRIu64 " %" PRIu64 " \"", blame->frames,
		   blame->unnamed, blame->broken);
	for (const char *s = blame->module; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(b, '\\');
		buf_char(b, *s);
	}
	buf_str(b, "\"");
	if (blame->hint && *blame->hint)
		buf_printf(b, " %s", blame->hint);
}

static int add_comment(struct profile *p, struct buf *b)
{
	const char *text = buf_cstr(b);

	return b->err ?: profile_comment(p, text);
}

int quality_store(struct profile *p, const struct quality *q)
{
	struct buf b = {0};
	int err = 0;

	drop_quality_comments(p);
	for (size_t i = 0; !err && i < N_NUMBERS; i++) {
		uint64_t value = *number_of((struct quality *)q, i);

		if (!value && i) /* the first number, expected, marks that there are counters */
			continue;
		buf_clear(&b);
		buf_printf(&b, "%s%" PRIu64, numbers[i].key, value);
		err = add_comment(p, &b);
	}
	for (size_t i = 0; !err && i < q->blame.len && i < QUALITY_MAX_BLAME; i++) {
		buf_clear(&b);
		put_blame(&b, &q->blame.data[i]);
		err = add_comment(p, &b);
	}
	buf_release(&b);
	return err;
}

/* --- comments in -------------------------------------------------------------------------------- */

/* Parses "12 rest": the number. Moves *s behind it and the space. */
static int take_number(const char **s, uint64_t *value)
{
	size_t n = strcspn(*s, " ");
	char digits[24];

	if (n >= sizeof(digits) || (*s)[n] != ' ')
		return -EINVAL;
	memcpy(digits, *s, n);
	digits[n] = '\0';
	*s += n + 1;
	return text_parse_u64(digits, UINT64_MAX, value);
}

/* Parses "\"module\" rest", with quotes and backslashes escaped. */
static int take_quoted(const char **s, struct buf *out)
{
	const char *c = *s;

	if (*c++ != '"')
		return -EINVAL;
	for (; *c && *c != '"'; c++) {
		if (*c == '\\' && c[1])
			c++;
		buf_char(out, *c);
	}
	if (*c++ != '"' || (*c && *c != ' '))
		return -EINVAL;
	*s = *c ? c + 1 : c;
	return 0;
}

static int add_blame(struct quality *q, const struct quality_blame *numbers_of, const char *module,
		     const char *hint)
{
	struct quality_blame b = *numbers_of;

	b.module = strdup(module);
	b.hint = hint && *hint ? strdup(hint) : NULL;
	if (!b.module || (hint && *hint && !b.hint) || vec_push(&q->blame, b)) {
		free(b.module);
		free(b.hint);
		return -ENOMEM;
	}
	return 0;
}

/* Skips a malformed comment: another program wrote it. */
static int load_blame(struct quality *q, const char *s)
{
	struct quality_blame b = {0};
	struct buf module = {0};
	int err;

	if (take_number(&s, &b.frames) || take_number(&s, &b.unnamed) || take_number(&s, &b.broken))
		return 0;
	if (take_quoted(&s, &module)) {
		buf_release(&module);
		return 0;
	}
	buf_cstr(&module);
	err = module.err ?: add_blame(q, &b, module.data, s);
	buf_release(&module);
	return err;
}

int quality_load(struct quality *q, const struct profile *p)
{
	struct quality got = {0};
	bool any = false;
	int err = 0;

	for (size_t i = 0; !err && i < p->comments.len; i++) {
		const char *comment = profile_text(p, p->comments.data[i]);
		uint64_t value;
		int n;

		if (!text_has_prefix(comment, PREFIX))
			continue;
		n = parse_number(comment, &value);
		if (n >= 0) {
			*number_of(&got, (size_t)n) = value;
			any = true;
		} else if (text_has_prefix(comment, BLAME_PREFIX) &&
			   got.blame.len < QUALITY_MAX_BLAME) {
			err = load_blame(&got, comment + strlen(BLAME_PREFIX));
		}
	}
	if (err || !any) {
		quality_release(&got);
		return err ?: -ENODATA;
	}
	*q = got;
	return 0;
}

/* --- a part of a profile ------------------------------------------------------------------------ */

int quality_set_where(struct profile *p, const char *where)
{
	return profile_commentf(p, WHERE_PREFIX "%s", where);
}

/* What stands behind a prefix in the first comment that has it, or NULL. */
static const char *find_comment(const struct profile *p, const char *prefix)
{
	for (size_t i = 0; i < p->comments.len; i++) {
		const char *comment = profile_text(p, p->comments.data[i]);

		if (text_has_prefix(comment, prefix))
			return comment + strlen(prefix);
	}
	return NULL;
}

const char *quality_where(const struct profile *p)
{
	return find_comment(p, WHERE_PREFIX);
}

const char *quality_rootless(const struct profile *p)
{
	return find_comment(p, ROOTLESS_PREFIX);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* By events, periods without a sample were spent in the kernel. By stops, they count for who called it. */
void quality_rootless_text(struct buf *out, const struct profile *p, const struct quality *q)
{
	const char *how = quality_rootless(p);

	if (how && !strcmp(how, "events")) {
		buf_str(out, "user code of own processes, by perf events");
		if (q->filtered)
			buf_printf(out,
				   "; %.1f %% of their CPU time, in the kernel or of short-lived "
				   "threads, is "
				   "not shown",
				   percent(q->filtered, q->expected));
	} else if (how) {
		buf_printf(out,
			   "own processes, by stops of %.1f ms in all; the kernel's frames are not "
			   "shown",
			   (double)q->stopped_us / 1e3);
		if (q->calls_ended)
			buf_printf(out, "; %" PRIu64 " system calls ended with EINTR",
				   q->calls_ended);
	}
}

static bool has_module(const struct profile *p, const char *module)
{
	for (size_t i = 0; i < p->mappings.len; i++)
		if (!strcmp(profile_module(p, (uint32_t)i), module))
			return true;
	return false;
}

void quality_keep_blame(struct quality *q, const struct profile *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->blame.len; i++) {
		struct quality_blame *b = &q->blame.data[i];

		if (has_module(p, b->module)) {
			q->blame.data[kept++] = *b;
			continue;
		}
		free(b->module);
		free(b->hint);
	}
	q->blame.len = kept;
}

/* --- sums --------------------------------------------------------------------------------------- */

void quality_add(struct quality *dst, const struct quality *src)
{
	for (size_t i = 0; i < N_NUMBERS; i++)
		*number_of(dst, i) = sum(*number_of(dst, i), *number_of((struct quality *)src, i));
}

static uint64_t badness(const struct quality_blame *b)
{
	return sum(b->unnamed, b->broken);
}

static int compare_blame(const void *va, const void *vb)
{
	const struct quality_blame *a = va, *b = vb;

	if (badness(a) != badness(b))
		return badness(a) > badness(b) ? -1 : 1;
	return strcmp(a->module, b->module);
}

static struct quality_blame *find_blame(struct quality *q, const char *module)
{
	for (size_t i = 0; i < q->blame.len; i++)
		if (!strcmp(q->blame.data[i].module, module))
			return &q->blame.data[i];
	return NULL;
}

int quality_merge(struct quality *dst, const struct quality *src)
{
	quality_add(dst, src);
	for (size_t i = 0; i < src->blame.len; i++) {
		const struct quality_blame *b = &src->blame.data[i];
		struct quality_blame *have = find_blame(dst, b->module);
		int err;

		if (have) {
			have->frames = sum(have->frames, b->frames);
			have->unnamed = sum(have->unnamed, b->unnamed);
			have->broken = sum(have->broken, b->broken);
			if (!have->hint && b->hint) {
				have->hint = strdup(b->hint);
				if (!have->hint)
					return -ENOMEM;
			}
			continue;
		}
		err = add_blame(dst, b, b->module, b->hint);
		if (err)
			return err;
	}
	if (dst->blame.len)
		qsort(dst->blame.data, dst->blame.len, sizeof(*dst->blame.data), compare_blame);
	while (dst->blame.len > QUALITY_MAX_BLAME) {
		struct quality_blame *last = &dst->blame.data[--dst->blame.len];

		free(last->module);
		free(last->hint);
	}
	return 0;
}
