// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/why.h"

#include <stdarg.h>
#include <stdio.h>

int why_say(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return err;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}
