// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/cgroups/cgroup_names.h"

#define CONTAINER_LABEL_LEN 12 /* as docker ps prints ids */

static bool is_id(const char *s, size_t len)
{
	if (len != CONTAINER_ID_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)s[i]) && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
	return true;
}

const char *cgroup_container_id(const char *name, size_t len)
{
	/* "x.slice:cri-containerd:ID" is the cgroupfs driver's form of a systemd name. */
	static const char *const prefixes[] = {"docker-", "cri-containerd-", "crio-", "libpod-",
					       ""};
	static const char scope[] = ".scope";
	const char *colon = memrchr(name, ':', len);

	if (colon && is_id(colon + 1, len - (size_t)(colon + 1 - name)))
		return colon + 1;
	if (len > strlen(scope) && !memcmp(name + len - strlen(scope), scope, strlen(scope)))
		len -= strlen(scope);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i]);

		if (len > n && !memcmp(name, prefixes[i], n) && is_id(name + n, len - n))
			return name + n;
	}
	return NULL;
}

/* systemd puts a '_' before names that look like the kernel's own files. */
static const char *unescaped(const char *name)
{
	return name + (name[0] == '_');
}

bool cgroup_is_unit(const char *name, const char *unit)
{
	return !strcmp(unescaped(name), unit) || !strcmp(name, unit);
}

bool cgroup_has_unit_suffix(const char *name)
{
	static const char *const suffixes[] = {".service", ".scope",	 ".slice", ".socket",
					       ".mount",   ".automount", ".swap",  ".target",
					       ".timer",   ".path",	 ".device"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (text_has_suffix(name, suffixes[i]))
			return true;
	return false;
}

/* Units that have processes. Slices only group them. */
static bool runs_processes(const char *name, size_t len)
{
	static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && !memcmp(name + len - n, suffixes[i], n))
			return true;
	}
	return false;
}

void cgroup_parse_path(const char *path, char *unit, int unit_size, char *container,
		       int container_size)
{
	if (unit_size > 0)
		unit[0] = '\0';
	if (container_size > 0)
		container[0] = '\0';
	for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		size_t len = strcspn(p, "/");
		const char *id = cgroup_container_id(p, len), *name = unescaped(p);

		/* The innermost one counts: a service may run in a container. */
		if (id)
			snprintf(container, (size_t)container_size, "%.*s", CONTAINER_LABEL_LEN,
				 id);
		else if (runs_processes(p, len))
			snprintf(unit, (size_t)unit_size, "%.*s", (int)(p + len - name), name);
		p += len;
	}
}
