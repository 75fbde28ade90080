// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/service.h"

#include <string.h>

#include "profiler/base/text.h"
#include "profiler/profile/profile.h"

static bool is_login(const char *unit)
{
	return text_has_prefix(unit, "session-") || text_has_prefix(unit, "user@");
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *service_name(const struct profile *p, uint32_t labelset, const char *preset)
{
	static const char *const keys[] = {LABEL_CONTAINER_NAME, LABEL_POD, LABEL_UNIT,
					   LABEL_EXECUTABLE, LABEL_COMM};
	const char *value = profile_text_label(p, labelset, LABEL_SERVICE);

	if (!*value && preset)
		value = preset;
	for (size_t i = 0; !*value && i < sizeof(keys) / sizeof(*keys); i++) {
		value = profile_text_label(p, labelset, keys[i]);
		if (!strcmp(keys[i], LABEL_UNIT) && is_login(value))
			value = "";
		else if (!strcmp(keys[i], LABEL_EXECUTABLE))
			value = last_part(value);
	}
	return *value ? value : SERVICE_UNKNOWN;
}
