// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/http/server.h"

/* What openapi.json documents. A path with "/" at its end takes what follows, without another "/". */
static const struct {
	const char *method, *path;
	handler handle;
} routes[] = {
	{"GET", "/", answer_page},
	{"GET", "/-/healthy", answer_healthy},
	{"GET", "/-/ready", answer_ready},
	{"GET", "/metrics", answer_metrics},
	{"GET", "/api/v1/openapi.json", answer_openapi},
	{"GET", "/api/v1/profile", answer_profile},
	{"GET", "/api/v1/report", answer_report},
	{"GET", "/api/v1/list", answer_list},
	{"GET", "/api/v1/labels", answer_labels},
	{"GET", "/api/v1/labels/", answer_label_values},
	{"GET", "/debug/pprof/profile", answer_live},
	{"POST", "/querier.v1.QuerierService/", answer_querier},
};

static bool matches(const char *path, const char *route, const char **rest)
{
	size_t len = strlen(route);

	if (len < 2 || route[len - 1] != '/')
		return !strcmp(path, route);
	*rest = path + len;
	return !strncmp(path, route, len) && path[len] && !strchr(path + len, '/');
}

/* HEAD is GET whose body is not sent. NULL: nothing; *allow: it is there, but is asked by these methods. */
handler http_route(const char *method, const char *path, const char **rest, const char **allow)
{
	const char *asked = !strcmp(method, "HEAD") ? "GET" : method;

	*allow = NULL;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (!matches(path, routes[i].path, rest))
			continue;
		if (!strcmp(asked, routes[i].method))
			return routes[i].handle;
		*allow = !strcmp(routes[i].method, "GET") ? "GET, HEAD" : routes[i].method;
	}
	return NULL;
}
