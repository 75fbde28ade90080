// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cgroups/cgroup_pod.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "profiler/cgroups/cgroup_names.h"

static bool is_hex(char c)
{
	return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f');
}

/* Length of a pod's uid at s: a UUID with - or, as in names of slices, with _; or 32 digits. */
static size_t uid_length(const char *s, size_t len)
{
	size_t hex = 0;

	while (hex < len && is_hex(s[hex]))
		hex++;
	if (hex == 32)
		return 32;
	if (hex != 8 || len < POD_UID_LEN)
		return 0;
	for (size_t i = 8; i < POD_UID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != s[8] : !is_hex(s[i]))
			return 0;
	}
	return s[8] == '-' || s[8] == '_' ? POD_UID_LEN : 0;
}

/* "pod<uid>", "kubepods-burstable-pod<uid>.slice", also with ":cri-containerd:<id>" behind. */
static bool take_uid(struct cgroup_place *out, const char *name, size_t len)
{
	const char *end = name + len;

	for (const char *s = name; s + 3 < end; s++) {
		size_t n;

		if (memcmp(s, "pod", 3) != 0 || (s > name && s[-1] != '-'))
			continue;
		n = uid_length(s + 3, (size_t)(end - s - 3));
		if (!n || (s + 3 + n < end && s[3 + n] != '.' && s[3 + n] != ':'))
			continue;
		snprintf(out->pod_uid, sizeof(out->pod_uid), "%.*s", (int)n, s + 3);
		for (char *c = out->pod_uid; *c; c++)
			*c = *c == '_' ? '-' : *c;
		return true;
	}
	return false;
}

static bool contains(const char *name, size_t len, const char *word)
{
	return memmem(name, len, word, strlen(word)) != NULL;
}

void cgroup_place_parse(struct cgroup_place *out, const char *path)
{
	char short_id[16];
	bool kube = false;

	*out = (struct cgroup_place){0};
	cgroup_parse_path(path, out->unit, sizeof(out->unit), short_id, sizeof(short_id));
	for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		size_t len = strcspn(p, "/");
		const char *id = cgroup_container_id(p, len);

		/* Somebody's own directory may be called pod, too. */
		kube |= contains(p, len, "kubepods");
		if (kube)
			take_uid(out, p, len);
		if (id)
			snprintf(out->container, sizeof(out->container), "%.*s", CONTAINER_ID_LEN,
				 id);
		p += len;
	}
}

/* "0::/path", "4:cpu,cpuacct:/path", "1:name=systemd:/path". */
static const char *line_path(const char *line, const char *end, bool *unified)
{
	const char *first = memchr(line, ':', (size_t)(end - line));
	const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;

	if (!second)
		return NULL;
	*unified = line[0] == '0' && first == line + 1 && second == first + 1;
	return second + 1;
}

/* What one line knows may be better than what is known so far. */
static void consider(struct cgroup_place *best, const struct cgroup_place *p, bool unified)
{
	bool better = p->container[0] && !best->container[0];

	if (unified && p->unit[0] && !best->container[0] && !better) {
		snprintf(best->unit, sizeof(best->unit), "%s", p->unit);
		return;
	}
	if (better)
		*best = *p;
	else if (!best->container[0] && !best->unit[0])
		snprintf(best->unit, sizeof(best->unit), "%s", p->unit);
}

void cgroup_place_of_process(struct cgroup_place *out, const char *text)
{
	*out = (struct cgroup_place){0};
	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n'), *path;
		char copy[CGROUP_LINE_MAX];
		struct cgroup_place place;
		bool unified = false;

		path = line_path(line, end, &unified);
		if (path && (size_t)(end - path) < sizeof(copy)) {
			snprintf(copy, sizeof(copy), "%.*s", (int)(end - path), path);
			cgroup_place_parse(&place, copy);
			consider(out, &place, unified);
		}
		line = end + (*end == '\n');
	}
}
