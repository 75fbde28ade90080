/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which service samples should be said to belong to, written out anew: by a table of what is looked at. */
#ifndef KILN_TESTS_SERVICES_H
#define KILN_TESTS_SERVICES_H

#include <string.h>

#include "profiler/profile/profile.h"

static inline const char *expected_service(const struct profile *p, uint32_t labelset)
{
	static const char *const order[] = {"service_name", "container_name", "pod",
					    "unit",	    "executable",     "comm"};
	const struct profile_labelset *set = &p->labelsets.data[labelset];

	for (size_t k = 0; k < sizeof(order) / sizeof(*order); k++) {
		for (uint32_t i = 0; i < set->len; i++) {
			const struct profile_label *l = &p->labels.data[set->first + i];
			const char *text = profile_text(p, l->str);

			if (l->str == PROFILE_NONE || strcmp(profile_text(p, l->key), order[k]) ||
			    !*text)
				continue;
			if (k == 3 && (!strncmp(text, "session-", 8) || !strncmp(text, "user@", 5)))
				continue;
			return k == 4 && strchr(text, '/') ? strrchr(text, '/') + 1 : text;
		}
	}
	return "unknown_service";
}

#endif
