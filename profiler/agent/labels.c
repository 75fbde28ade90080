// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/labels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/config_schema.h"
#include "profiler/agent/label_rules.h"
#include "profiler/agent/started_as.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/cgroups/cgroup_pod.h"
#include "profiler/cgroups/containers.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

#define CGROUP_CAP	65536 /* bytes of /proc/PID/cgroup */
#define MAX_NUMBERS	8     /* labels of a sample that are numbers */
#define COMM_CAP	32    /* bytes of /proc/PID/comm: 15 and a newline */
#define CONTAINER_SHOWN 12    /* digits of an id that the label container has */

struct labels {
	struct label_rules *rules;
	struct containers *containers;
	struct label_set set;	   /* of the label set that is looked at */
	struct cgroup_place place; /* likewise */
	char short_id[CONTAINER_SHOWN + 1];
	int64_t comm_pid;    /* whose comm that is; 0: nobody's */
	char comm[COMM_CAP]; /* of the main thread of a process */
	struct started_as started_as;
	bool v1; /* this host has hierarchies of cgroup v1 */
};

DEFINE_CLEANUP(labels, labels_free)

/* Whether a line of /proc/self/cgroup is of another hierarchy than the unified one. */
static bool has_v1(void)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	size_t len;

	if (io_read_file("/proc/self/cgroup", CGROUP_CAP, &text, &len))
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (*line && !text_has_prefix(line, "0::"))
			return true;
	return false;
}

int labels_new(struct labels **out, const struct config *c, const char *root)
{
	_cleanup_(labels_freep) struct labels *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	err = label_rules_new(&l->rules, c) ?: containers_new(&l->containers, root);
	if (err)
		return err;
	l->v1 = has_v1();
	l->started_as.root = root;
	*out = steal_ptr(l);
	return 0;
}

void labels_free(struct labels *l)
{
	if (!l)
		return;
	label_rules_free(l->rules);
	containers_free(l->containers);
	label_set_release(&l->set);
	started_as_release(&l->started_as);
	free(l);
}

int labels_set_rules(struct labels *l, const struct config *c)
{
	struct label_rules *fresh;
	int err = label_rules_new(&fresh, c);

	if (err)
		return err;
	label_rules_free(l->rules);
	l->rules = fresh;
	return 0;
}

/* --- one set of labels -------------------------------------------------------------------------- */

struct ids { /* 0: unknown; without a pid samples are losses */
	int64_t pid, tid;
};

/* The texts of a set, and its numbers. */
static void read_set(struct labels *l, const struct profile *p, uint32_t labelset, struct ids *ids)
{
	const struct profile_labelset *set = &p->labelsets.data[labelset];

	*ids = (struct ids){0};
	label_set_clear(&l->set);
	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *label = &p->labels.data[set->first + i];
		const char *key = profile_text(p, label->key);

		if (label->str != PROFILE_NONE)
			label_set_put(&l->set, key, profile_text(p, label->str));
		else if (!strcmp(key, LABEL_PID))
			ids->pid = label->num;
		else if (!strcmp(key, LABEL_TID))
			ids->tid = label->num;
	}
}

/* Where the kernel's own cgroup id says nothing of a container, as on hosts with cgroup v1, the process's file
 * does, while it lives. */
static void find_place(struct labels *l, int64_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t len;

	cgroup_place_parse(&l->place, label_set_get(&l->set, LABEL_CGROUP));
	if (l->place.container[0] || !l->v1)
		return;
	snprintf(path, sizeof(path), "/proc/%lld/cgroup", (long long)pid);
	if (!io_read_file(path, CGROUP_CAP, &text, &len))
		cgroup_place_of_process(&l->place, text);
}

/* Logins are not services. */
static bool is_login(const char *unit)
{
	return text_has_prefix(unit, "session-") || text_has_prefix(unit, "user@");
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* What a process is called: as its main thread, which its own samples tell, or the kernel while it lives. */
static const char *comm_of_process(struct labels *l, const struct ids *ids)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t len;

	if (ids->tid == ids->pid)
		return label_set_get(&l->set, LABEL_COMM);
	if (ids->pid == l->comm_pid) /* the sets of its threads follow each other */
		return l->comm;
	l->comm_pid = ids->pid;
	l->comm[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)ids->pid);
	if (!io_read_file(path, COMM_CAP, &text, &len))
		snprintf(l->comm, sizeof(l->comm), "%.*s", (int)strcspn(text, "\n"), text);
	return l->comm;
}

static const char *program_name(struct labels *l, const struct ids *ids)
{
	const char *exe = label_set_get(&l->set, LABEL_EXECUTABLE), *comm;

	if (!*exe)
		return "";
	comm = comm_of_process(l, ids);
	return started_as_is(&l->started_as, exe, comm) ? comm : last_part(exe);
}

static const char *service_name(struct labels *l, const struct ids *ids)
{
	const char *name = label_set_get(&l->set, LABEL_CONTAINER_NAME);

	if (!*name)
		name = label_set_get(&l->set, LABEL_POD);
	if (!*name && !is_login(label_set_get(&l->set, LABEL_UNIT)))
		name = label_set_get(&l->set, LABEL_UNIT);
	if (!*name)
		name = program_name(l, ids);
	return *name ? name : "kernel";
}

/* What is known of where the process runs. */
static void add_names(struct labels *l, const struct ids *ids)
{
	struct container_names names;

	find_place(l, ids->pid);
	containers_find(l->containers, l->place.container, l->place.pod_uid, &names);
	snprintf(l->short_id, sizeof(l->short_id), "%.*s", CONTAINER_SHOWN, l->place.container);
	if (l->short_id[0])
		label_set_put(&l->set, LABEL_CONTAINER, l->short_id);
	if (l->place.unit[0])
		label_set_put(&l->set, LABEL_UNIT, l->place.unit);
	if (l->place.pod_uid[0])
		label_set_put(&l->set, LABEL_POD_UID, l->place.pod_uid);
	label_set_put(&l->set, LABEL_POD, names.pod);
	label_set_put(&l->set, LABEL_NAMESPACE, names.namespace);
	label_set_put(&l->set, LABEL_CONTAINER_NAME, names.name);
	label_set_put(&l->set, LABEL_IMAGE, names.image);
	label_set_put(&l->set, LABEL_SERVICE, service_name(l, ids));
}

/* The set as the profile's own: numbers as they were, texts as they are now. */
static int write_set(const struct labels *l, struct profile *p, uint32_t old, uint32_t *id)
{
	struct profile_label labels[LABEL_SET_MAX + MAX_NUMBERS];
	uint32_t first = p->labelsets.data[old].first, len = p->labelsets.data[old].len, empty;
	int err = profile_string(p, "", &empty);
	size_t n = 0;

	for (uint32_t i = 0; i < len && n < MAX_NUMBERS; i++)
		if (p->labels.data[first + i].str == PROFILE_NONE)
			labels[n++] = p->labels.data[first + i];
	for (size_t i = 0; i < l->set.n && !err; i++) {
		struct profile_label label = {.num_unit = empty};

		err = profile_string(p, l->set.labels[i].key, &label.key)
			      ?: profile_string(p, l->set.labels[i].value, &label.str);
		labels[n++] = label;
	}
	return err ?: profile_labelset(p, labels, n, id);
}

/* --- a window ----------------------------------------------------------------------------------- */

struct own {
	const pid_t *pids;
	size_t n;
};

static bool is_own(const struct own *own, int64_t pid)
{
	for (size_t i = 0; i < own->n; i++)
		if (own->pids[i] == pid)
			return true;
	return false;
}

/* What becomes of a label set; PROFILE_NONE: its samples go. */
static int map_set(struct labels *l, struct profile *p, uint32_t old, const struct own *own,
		   uint32_t *id)
{
	struct ids ids;

	*id = old;
	read_set(l, p, old, &ids);
	if (!p->labelsets.data[old].len)
		return 0;
	if (is_own(own, ids.pid)) {
		*id = PROFILE_NONE;
		return 0;
	}
	add_names(l, &ids);
	if (!label_rules_run(l->rules, &l->set)) {
		*id = PROFILE_NONE;
		return 0;
	}
	return write_set(l, p, old, id);
}

/* Adds all samples anew, under their sets' new ids. *dropped: values of the first type that went. */
static int put_samples(struct profile *p, const uint32_t *map, int64_t *dropped)
{
	size_t n = p->samples.len, width = p->sample_types.len;
	_cleanup_free_ struct profile_sample *samples = calloc(n + 1, sizeof(*samples));
	_cleanup_free_ int64_t *values = calloc(n + 1, width * sizeof(*values));
	int err = 0;

	if (!samples || !values)
		return -ENOMEM;
	memcpy(samples, p->samples.data, n * sizeof(*samples));
	for (size_t i = 0; i < n; i++)
		memcpy(values + i * width, p->values.data + samples[i].first_value,
		       width * sizeof(*values));
	profile_clear_samples(p);
	for (size_t i = 0; i < n && !err; i++) {
		uint32_t id = map[samples[i].labelset];

		if (id == PROFILE_NONE)
			*dropped += values[i * width];
		else
			err = profile_add(p, samples[i].stack, id, values + i * width);
	}
	return err;
}

int labels_apply(struct labels *l, struct profile *p, struct quality *q, const pid_t *own_pids,
		 size_t n_own)
{
	struct own own = {own_pids, n_own};
	size_t n = p->labelsets.len;
	_cleanup_free_ uint32_t *map = calloc(n + 1, sizeof(*map));
	int64_t dropped = 0;
	int err = map ? 0 : -ENOMEM;

	started_as_forget(&l->started_as);
	l->comm_pid = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = map_set(l, p, (uint32_t)i, &own, &map[i]);
	err = err ?: put_samples(p, map, &dropped);
	if (!err) {
		q->recorded -= (uint64_t)dropped;
		q->filtered += (uint64_t)dropped;
	}
	return err;
}
