// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config_errors.h"

#include "profiler/base/text.h"

void config_error(struct config_errors *e, const struct config_place *at, const char *fmt, ...)
{
	struct buf raw = {0};
	va_list ap;

	if (config_errors_full(e))
		return;
	e->n++;
	buf_str(&raw, at->source ?: "default");
	if (at->line)
		buf_printf(&raw, ":%u:%u", at->line, at->column);
	buf_str(&raw, ": ");
	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_add_clean(&e->text, raw.data, raw.len);
	buf_char(&e->text, '\n');
	if (config_errors_full(e))
		buf_str(&e->text, "more mistakes are not shown\n");
	buf_release(&raw);
}
