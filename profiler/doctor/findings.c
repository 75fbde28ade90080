// SPDX-License-Identifier: GPL-2.0-or-later
/* Collects the findings of checks, with their texts. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/doctor/doctor.h"

const char *finding_status_name(enum finding_status s)
{
	static const char *const names[] = {
#define X(name) #name,
		FINDING_STATUSES(X)
#undef X
	};

	return names[s];
}

/* Its lines stay apart: those after the first are commands. */
static char *clean_lines(struct buf *b)
{
	_cleanup_(buf_release) struct buf out = {0};
	const char *s = buf_cstr(b);

	while (*s) {
		size_t len = strcspn(s, "\n");

		text_add_clean(&out, s, len);
		s += len;
		if (*s)
			buf_char(&out, *s++);
	}
	return out.err ? NULL : strdup(buf_cstr(&out));
}

void doctor_add(struct doctor *d, enum finding_status status, const char *check, struct buf *cure,
		const char *fmt, ...)
{
	struct finding f = {.status = status, .check = check};
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	f.detail = text_clean_dup(buf_cstr(&b), b.len);
	f.cure = cure ? clean_lines(cure) : NULL;
	buf_release(&b);
	if (cure)
		buf_release(cure);
	if (!f.detail || (cure && !f.cure) || vec_push(&d->findings, f)) {
		free(f.detail);
		free(f.cure);
		d->err = -ENOMEM;
	}
}

struct buf doctor_caps_cure(const struct doctor *d, uint64_t wanted)
{
	struct buf b = {0};

	caps_cure(&d->caps, wanted, d->program, &b);
	return b;
}

struct buf doctor_cure(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	return b;
}

void doctor_release(struct doctor *d)
{
	for (size_t i = 0; i < d->findings.len; i++) {
		free(d->findings.data[i].detail);
		free(d->findings.data[i].cure);
	}
	vec_release(&d->findings);
}

size_t doctor_count(const struct doctor *d, enum finding_status status)
{
	size_t n = 0;

	for (size_t i = 0; i < d->findings.len; i++)
		n += d->findings.data[i].status == status;
	return n;
}
