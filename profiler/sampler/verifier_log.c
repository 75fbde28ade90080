// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/sampler/verifier_log.h"

#include <string.h>

#include "profiler/base/text.h"

/* The reason is the last line before the statistics. */
const char *verifier_log_reason(const char *log, size_t *len)
{
	const char *reason = NULL;

	for (const char *line = log, *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (end == line || text_has_prefix(line, "processed "))
			continue;
		reason = line;
		*len = (size_t)(end - line);
	}
	return reason;
}
