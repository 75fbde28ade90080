// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cgroups/containers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/cgroups/cgroup_pod.h"

#define STATE_CAP    (1u << 20) /* bytes of one container's state */
#define STORAGE_CAP  (8u << 20) /* ... of the list of all of them */
#define NAME_MAX_LEN 256
#define DIRS_MAX     65536 /* entries of a directory that are looked at */
/* Whoever was given a part of the hierarchy can have thousands of containers: looking takes so much of the time, after
 * a second of it at once. */
#define LOOK_SHARE    100
#define LOOK_AHEAD_NS (LOOK_SHARE * NS_PER_S)

struct known {
	char container[CONTAINER_ID_LEN + 1], pod_uid[POD_UID_LEN + 1];
	char *name, *image, *pod, *namespace;
	uint64_t asked_ns, looked_ns;
};

struct containers {
	char *root;
	VEC(struct known) known;
	uint64_t paid_ns; /* when what was looked for is made up for */
};

DEFINE_CLEANUP(containers, containers_free)

int containers_new(struct containers **out, const char *root)
{
	_cleanup_(containers_freep) struct containers *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->root = strdup(root);
	if (!c->root)
		return -ENOMEM;
	*out = steal_ptr(c);
	return 0;
}

static void free_known(struct known *k)
{
	free(k->name);
	free(k->image);
	free(k->pod);
	free(k->namespace);
}

void containers_free(struct containers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->known.len; i++)
		free_known(&c->known.data[i]);
	vec_release(&c->known);
	free(c->root);
	free(c);
}

/* The first to know a name is believed. */
static void learn(char **name, const char *text, size_t len)
{
	if (!*name && len && len <= NAME_MAX_LEN)
		*name = text_clean_dup(text, len);
}

/* --- what kubelet leaves ------------------------------------------------------------------------ */

/* NAMESPACE_POD_UID: neither of the first two has a '_' (RFC 1123). */
static void learn_pod_dir(struct known *k, const char *dir)
{
	const char *first = strchr(dir, '_'), *last = strrchr(dir, '_');

	if (!first || first == last || strcmp(last + 1, k->pod_uid) != 0)
		return;
	learn(&k->namespace, dir, (size_t)(first - dir));
	learn(&k->pod, first + 1, (size_t)(last - first - 1));
}

/* Of a pod with one container the directory says its name. */
static void learn_only_container(struct known *k, int pods_fd, const char *pod_dir)
{
	int fd = openat(pods_fd, pod_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char name[NAME_MAX_LEN] = "";
	const struct dirent *de;
	int n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (n < 2 && (de = readdir(dir))) {
		if (de->d_name[0] == '.' || de->d_type != DT_DIR)
			continue;
		snprintf(name, sizeof(name), "%s", de->d_name);
		n++;
	}
	closedir(dir);
	if (n == 1)
		learn(&k->name, name, strlen(name));
}

/* /var/log/pods/NAMESPACE_POD_UID/CONTAINER */
static void ask_kubelet(const struct containers *c, struct known *k)
{
	_cleanup_free_ char *path = NULL;
	const struct dirent *de;
	DIR *dir;

	if (!k->pod_uid[0] || asprintf(&path, "%s/var/log/pods", c->root) < 0) {
		path = NULL;
		return;
	}
	dir = opendir(path);
	for (int i = 0; dir && i < DIRS_MAX && (de = readdir(dir)); i++) {
		if (!text_has_suffix(de->d_name, k->pod_uid))
			continue;
		learn_pod_dir(k, de->d_name);
		if (k->pod && k->container[0])
			learn_only_container(k, dirfd(dir), de->d_name);
		break;
	}
	if (dir)
		closedir(dir);
}

/* --- what runtimes leave ------------------------------------------------------------------------ */

/* Which annotation says what: of containerd's CRI plugin, of CRI-O, of what podman's play makes. */
static const struct annotation {
	const char *key;
	size_t name; /* in struct known */
} annotations[] = {
	{"io.kubernetes.cri.container-name", offsetof(struct known, name)},
	{"io.kubernetes.cri.sandbox-name", offsetof(struct known, pod)},
	{"io.kubernetes.cri.sandbox-namespace", offsetof(struct known, namespace)},
	{"io.kubernetes.cri.image-name", offsetof(struct known, image)},
	{"io.kubernetes.container.name", offsetof(struct known, name)},
	{"io.kubernetes.pod.name", offsetof(struct known, pod)},
	{"io.kubernetes.pod.namespace", offsetof(struct known, namespace)},
	{"io.kubernetes.cri-o.ImageName", offsetof(struct known, image)},
};

static bool is_at(const struct json_step *steps, size_t n, size_t i, const char *key)
{
	return i < n && steps[i].key && !strcmp(steps[i].key, key);
}

/* An OCI bundle's config.json: annotations.KEY. */
static int on_bundle(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct known *k = ctx;

	if (n != 2 || !is_at(steps, n, 0, "annotations") || !steps[1].key)
		return 0;
	for (size_t i = 0; i < sizeof(annotations) / sizeof(*annotations); i++)
		if (!strcmp(steps[1].key, annotations[i].key))
			learn((char **)((char *)k + annotations[i].name), text, strlen(text));
	return 0;
}

/* Docker's config.v2.json: Name is "/web". */
static int on_docker(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	static const char label[] = "io.kubernetes.container.name";
	struct known *k = ctx;

	if (n == 1 && is_at(steps, n, 0, "Name"))
		learn(&k->name, text + (text[0] == '/'), strlen(text + (text[0] == '/')));
	else if (n == 2 && is_at(steps, n, 0, "Config") && is_at(steps, n, 1, "Image"))
		learn(&k->image, text, strlen(text));
	else if (n == 3 && is_at(steps, n, 1, "Labels") && is_at(steps, n, 2, label)) {
		/* "k8s_nginx_web-0_default_UID_0" is less of a name than this. */
		free(k->name);
		k->name = NULL;
		learn(&k->name, text, strlen(text));
	}
	return 0;
}

/* containers.json of the storage of podman and CRI-O: a list, an entry for each container. */
struct storage {
	struct known *known;
	size_t entry; /* the one that is read */
	bool is_ours;
};

static int on_metadata(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct known *k = ctx;

	if (n == 1 && is_at(steps, n, 0, "image-name"))
		learn(&k->image, text, strlen(text));
	else if (n == 1 && is_at(steps, n, 0, "name"))
		learn(&k->name, text, strlen(text));
	return 0;
}

static int on_storage(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct storage *s = ctx;

	if (n < 2 || steps[0].key)
		return 0;
	if (steps[0].index != s->entry) {
		if (s->is_ours)
			return 1; /* it is over */
		s->entry = steps[0].index;
	}
	if (n == 2 && is_at(steps, n, 1, "id"))
		s->is_ours = !strcmp(text, s->known->container);
	else if (s->is_ours && n == 3 && is_at(steps, n, 1, "names"))
		learn(&s->known->name, text, strlen(text));
	else if (s->is_ours && n == 2 && is_at(steps, n, 1, "metadata"))
		json_read(text, strlen(text), on_metadata, s->known);
	return 0;
}

/* Reads ROOT/PATH, which has the container's id where it has "%s". */
static void ask_file(const struct containers *c, struct known *k, const char *fmt, size_t cap,
		     json_string_fn fn, void *ctx)
{
	_cleanup_free_ char *below = NULL, *path = NULL, *data = NULL;
	_cleanup_close_ int fd = -1;
	const char *hole = strstr(fmt, "%s");
	size_t len;

	if (asprintf(&below, "%.*s%s%s", (int)(hole ? hole - fmt : (long)strlen(fmt)), fmt,
		     hole ? k->container : "", hole ? hole + 2 : "") < 0) {
		below = NULL;
		return;
	}
	if (asprintf(&path, "%s%s", c->root, below) < 0) {
		path = NULL;
		return;
	}
	fd = io_open_regular(AT_FDCWD, path);
	if (fd < 0 || io_read_fd(fd, cap, &data, &len))
		return;
	json_read(data, len, fn, ctx);
}

static void ask_runtimes(const struct containers *c, struct known *k)
{
	static const char *const bundles[] = {
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
		"/run/containerd/io.containerd.runtime.v2.task/default/%s/config.json",
		"/run/containers/storage/overlay-containers/%s/userdata/config.json",
		"/var/lib/containers/storage/overlay-containers/%s/userdata/config.json",
	};
	struct storage s = {.known = k, .entry = SIZE_MAX};

	for (size_t i = 0; i < sizeof(bundles) / sizeof(*bundles); i++)
		ask_file(c, k, bundles[i], STATE_CAP, on_bundle, k);
	ask_file(c, k, "/var/lib/docker/containers/%s/config.v2.json", STATE_CAP, on_docker, k);
	if (!k->name)
		ask_file(c, k, "/var/lib/containers/storage/overlay-containers/containers.json",
			 STORAGE_CAP, on_storage, &s);
}

/* --- what is known ------------------------------------------------------------------------------ */

static void look(struct containers *c, struct known *k, uint64_t now_ns)
{
	if (c->paid_ns > now_ns + LOOK_AHEAD_NS)
		return; /* another time */
	k->looked_ns = now_ns;
	if (k->container[0])
		ask_runtimes(c, k);
	ask_kubelet(c, k);
	c->paid_ns = (c->paid_ns > now_ns ? c->paid_ns : now_ns) +
		     (monotonic_ns() - now_ns) * LOOK_SHARE;
}

static void forget_oldest(struct containers *c)
{
	size_t oldest = 0;

	for (size_t i = 1; i < c->known.len; i++)
		if (c->known.data[i].asked_ns < c->known.data[oldest].asked_ns)
			oldest = i;
	free_known(&c->known.data[oldest]);
	c->known.data[oldest] = c->known.data[--c->known.len];
}

static struct known *find(struct containers *c, const char *container, const char *pod_uid)
{
	struct known k = {0};

	for (size_t i = 0; i < c->known.len; i++)
		if (!strcmp(c->known.data[i].container, container) &&
		    !strcmp(c->known.data[i].pod_uid, pod_uid))
			return &c->known.data[i];
	if (c->known.len == CONTAINERS_MAX)
		forget_oldest(c);
	snprintf(k.container, sizeof(k.container), "%s", container);
	snprintf(k.pod_uid, sizeof(k.pod_uid), "%s", pod_uid);
	return vec_push(&c->known, k) ? NULL : &vec_last(&c->known);
}

void containers_find(struct containers *c, const char *container, const char *pod_uid,
		     struct container_names *out)
{
	struct known *k;

	*out = (struct container_names){"", "", "", ""};
	if (!container[0] && !pod_uid[0])
		return;
	k = find(c, container, pod_uid);
	if (!k)
		return;
	k->asked_ns = monotonic_ns();
	if (!k->looked_ns || (!k->name && k->asked_ns - k->looked_ns >= CONTAINERS_AGAIN_NS))
		look(c, k, k->asked_ns);
	*out = (struct container_names){
		.name = k->name ?: "",
		.image = k->image ?: "",
		.pod = k->pod ?: "",
		.namespace = k->namespace ?: "",
	};
}
