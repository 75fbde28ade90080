// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/http/server.h"

/* What openapi.json documents. A path with "/" at its end takes what follows, without another "/". */
#define RANGE  "since|until|where"
#define CHANGE RANGE "|base"

static const struct {
	const char *method, *path;
	handler handle;
	const char *params; /* NULL: anything; probes and scrapers add what they like */
} routes[] = {
	{"GET", "/", answer_page, CHANGE},
	{"GET", "/-/healthy", answer_healthy, NULL},
	{"GET", "/-/ready", answer_ready, NULL},
	{"GET", "/metrics", answer_metrics, NULL},
	{"GET", "/api/v1/openapi.json", answer_openapi, ""},
	{"GET", "/api/v1/profile", answer_profile, CHANGE},
	{"GET", "/api/v1/report", answer_report, CHANGE "|by|sort|value|n"},
	{"GET", "/api/v1/list", answer_list, RANGE "|by|step|utc_offset"},
	{"GET", "/api/v1/labels", answer_labels, RANGE},
	{"GET", "/api/v1/labels/", answer_label_values, RANGE},
	{"GET", "/debug/pprof/profile", answer_live, "seconds|pid|comm|unit"},
	{"POST", "/querier.v1.QuerierService/", answer_querier, NULL},
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

const char *http_route_params(const char *path)
{
	const char *rest;

	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (matches(path, routes[i].path, &rest))
			return routes[i].params;
	return NULL;
}
