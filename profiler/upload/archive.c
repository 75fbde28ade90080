// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"

void archive_time(int64_t time_ns, const char *format, char out[ARCHIVE_SIZE])
{
	int64_t ns = time_ns < 0 ? 0 : time_ns;
	time_t seconds = (time_t)(ns / (int64_t)NS_PER_S);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, ARCHIVE_SIZE, format, &tm);
	snprintf(out + n, ARCHIVE_SIZE - n, ".%03dZ", (int)(ns / 1000000 % 1000));
}

void archive_id(const struct upload_item *item, char out[ARCHIVE_SIZE])
{
	snprintf(out, ARCHIVE_SIZE, "%016" PRIx64 "%016" PRIx64, item->id[0], item->id[1]);
}

int archive_request(struct upload_requests *out, const struct upload_item *item, const char *method,
		    char *url, struct why *why)
{
	static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
	int64_t samples = profile_weight(item->profile);
	struct upload_request *r;
	int err;

	if (!url || vec_push(&out->v, (struct upload_request){.method = method, .url = url})) {
		free(url);
		return why_say(why, -ENOMEM, "out of memory");
	}
	r = &vec_last(&out->v);
	r->samples = samples > 0 ? (uint64_t)samples : 0;
	err = upload_request_headers(r, headers);
	err = err ?: export_profile(&r->body, item->profile, EXPORT_PPROF_GZ, NULL);
	return err ? why_say(why, err, "the profile cannot be written: %s", strerror(-err)) : 0;
}
