// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/net/net_lines.h"

#include <stdarg.h>
#include <string.h>

#include "profiler/base/buf.h"

int net_lines_add(struct net_lines *l, const char *fmt, ...)
{
	struct buf line = {0};
	char *text;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	text = buf_take(&line);
	if (text && !vec_push(&l->v, text))
		return 0;
	free(text);
	return -ENOMEM;
}

const char *net_lines_find(const struct net_lines *l, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < l->v.len; i++) {
		const char *line = l->v.data[i];

		if (!strncasecmp(line, name, len) && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

void net_lines_release(struct net_lines *l)
{
	for (size_t i = 0; i < l->v.len; i++)
		free(l->v.data[i]);
	vec_release(&l->v);
}
