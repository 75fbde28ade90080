// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON that container runtimes leave, and paths of cgroups. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/json_read.h"
#include "profiler/cgroups/cgroup_pod.h"

static int on_string(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	size_t *sum = ctx;

	if (n > JSON_MAX_DEPTH)
		abort();
	for (size_t i = 0; i < n; i++)
		*sum += steps[i].key ? strlen(steps[i].key) : steps[i].index;
	*sum += strlen(text);
	return *sum > 1000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct cgroup_place place;
	size_t sum = 0;
	int err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	err = json_read((const char *)data, size, on_string, &sum);
	if (err && err != 1 && err != -74)
		abort();
	cgroup_place_of_process(&place, text);
	if (strlen(place.container) % CONTAINER_ID_LEN)
		abort();
	free(text);
	return 0;
}
