// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/cgroups/cgroup_mounts.h"
#include "profiler/cgroups/cgroup_names.h"
#include "profiler/cgroups/cgroups.h"

#define MOUNTINFO_CAP (16u << 20)
/* Limits of one walk. Paths, of some 100 and up to 4096 bytes, are kept until its end. */
#define MAX_DIRS       65536
#define MAX_WALK_BYTES (16u << 20)
/* Limits of kept names. A cgroup with its names has some 250 bytes. */
#define MAX_KNOWN	  32768
#define MAX_BYTES	  (8u << 20)
#define WALK_EVERY_NS	  1000000000ull
#define WALK_PPM	  10000 /* anybody may be allowed to make cgroups, and many */
#define KEEP_NS		  600000000000ull
#define MIN_CONTAINER_LEN 6
#define HANDLE_KERNFS	  0xfe /* FILEID_KERNFS of the kernel's exportfs.h, since 5.5 */

struct known {
	uint64_t id;
	char *path, *unit, *container;
	uint64_t asked_ns; /* 0: never, it was only on the way */
	bool present;	   /* seen in the last walk */
};

struct cgroups {
	struct cgroups_opts opts;
	struct cgroup_mounts mounts;
	struct htab index; /* id -> known.data[] */
	VEC(struct known) known;
	int root;	    /* where it is mounted; -1: not known */
	uint64_t walk_ns;   /* no walk before; 0: there was none yet */
	uint64_t forget_ns; /* likewise of making room */
	uint64_t wanted;    /* the id that is looked for */
	size_t bytes;	    /* of `known` */
	struct cgroups_stats stats;
};

static int find_mounts(struct cgroups *c)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (c->opts.mount) {
		c->mounts.v2 = true;
		c->mounts.main = strdup(c->opts.mount);
		return c->mounts.main ? 0 : -ENOMEM;
	}
	return io_read_file("/proc/self/mountinfo", MOUNTINFO_CAP, &text, &len)
		       ?: cgroup_mounts_parse(&c->mounts, text);
}

int cgroups_new_with(struct cgroups **out, const struct cgroups_opts *opts)
{
	struct cgroups *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->opts.max_dirs = c->opts.max_dirs ?: MAX_DIRS;
	c->opts.max_known = c->opts.max_known ?: MAX_KNOWN;
	c->opts.max_bytes = c->opts.max_bytes ?: MAX_BYTES;
	c->opts.walk_every_ns = c->opts.walk_every_ns ?: WALK_EVERY_NS;
	c->opts.walk_ppm = c->opts.walk_ppm ?: WALK_PPM;
	c->opts.keep_ns = c->opts.keep_ns ?: KEEP_NS;
	err = find_mounts(c);
	if (err) {
		free(c);
		return err;
	}
	c->root = open(c->mounts.main, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*out = c;
	return 0;
}

int cgroups_new(struct cgroups **out)
{
	struct cgroups_opts opts = {0};

	return cgroups_new_with(out, &opts);
}

static void free_known(struct known *k)
{
	free(k->path);
	free(k->unit);
	free(k->container);
}

void cgroups_free(struct cgroups *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->known.len; i++)
		free_known(&c->known.data[i]);
	vec_release(&c->known);
	htab_release(&c->index);
	cgroup_mounts_release(&c->mounts);
	if (c->root >= 0)
		close(c->root);
	free(c);
}

bool cgroups_is_v2(const struct cgroups *c)
{
	return c->mounts.v2;
}

const char *cgroups_mount(const struct cgroups *c)
{
	return c->mounts.main;
}

/* Inode number, which is the id of the kernfs node. */
static int id_of(const char *path, uint64_t *id)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	*id = st.st_ino;
	return 0;
}

/* --- walking ---------------------------------------------------------------------------------- */

/* Called for a directory, with its path and the last component of it. Non-zero ends the walk. */
typedef int (*dir_fn)(void *ctx, const char *path, const char *name);

struct dirs {
	struct cgroups *c;
	VEC(char *) paths;
	size_t bytes;
};

static void dirs_release(struct dirs *d)
{
	for (size_t i = 0; i < d->paths.len; i++)
		free(d->paths.data[i]);
	vec_release(&d->paths);
}

static bool is_full(const struct dirs *d)
{
	return d->paths.len >= d->c->opts.max_dirs || d->bytes >= MAX_WALK_BYTES;
}

static int add_dir(struct dirs *d, const char *path, const char *name)
{
	char *child;
	int len = asprintf(&child, "%s/%s", path, name);
	int err = len < 0 ? -ENOMEM : vec_push(&d->paths, child);

	if (len >= 0 && err)
		free(child);
	if (!err)
		d->bytes += (size_t)len + 1;
	return err;
}

static int list_children(struct dirs *d, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *de;
	int err = 0;

	while (!err && dir && (de = readdir(dir))) {
		if (de->d_type != DT_DIR || !strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		err = is_full(d) ? -ENOSPC : add_dir(d, path, de->d_name);
	}
	if (dir)
		closedir(dir);
	return err;
}

/* Walks from the root down, breadth first, up to a limit of directories. */
static int walk(struct cgroups *c, const char *mount, dir_fn fn, void *ctx)
{
	_cleanup_(dirs_release) struct dirs d = {.c = c};
	char *root = strdup(mount);
	bool cut = false;
	int err = root ? vec_push(&d.paths, root) : -ENOMEM;

	if (err)
		free(root);
	for (size_t i = 0; !err && i < d.paths.len; i++) {
		const char *path = d.paths.data[i];

		err = fn(ctx, path, strrchr(path, '/') + 1);
		if (!err && !cut)
			err = list_children(&d, path);
		cut |= err == -ENOSPC;
		err = err == -ENOSPC ? 0 : err;
	}
	c->stats.cut += cut;
	return err;
}

/* --- targets ---------------------------------------------------------------------------------- */

struct search {
	const char *unit, *container; /* only one is set */
	char *path;
	char id[CONTAINER_ID_LEN]; /* of the container in `path` */
	bool several;
};

static int match_unit(void *ctx, const char *path, const char *name)
{
	struct search *s = ctx;

	if (!cgroup_is_unit(name, s->unit))
		return 0;
	s->path = strdup(path);
	return s->path ? 1 : -ENOMEM;
}

static int match_container(void *ctx, const char *path, const char *name)
{
	struct search *s = ctx;
	const char *id = cgroup_container_id(name, strlen(name));

	if (!id || strncmp(id, s->container, strlen(s->container)) != 0)
		return 0;
	if (s->path) {
		s->several |= memcmp(id, s->id, sizeof(s->id)) != 0;
		return 0;
	}
	memcpy(s->id, id, sizeof(s->id));
	s->path = strdup(path);
	return s->path ? 0 : -ENOMEM;
}

/* True if a v1 hierarchy has it. The kernel does not report ids of v1. */
static bool in_v1(struct cgroups *c, struct search s, dir_fn fn)
{
	bool found = false;

	for (size_t i = 0; c->mounts.v2 && !found && i < c->mounts.others.len; i++) {
		s.path = NULL;
		walk(c, c->mounts.others.data[i], fn, &s);
		found = s.path != NULL;
		free(s.path);
	}
	return found;
}

static int find(struct cgroups *c, struct search *s, dir_fn fn, char **path, uint64_t *id)
{
	int err = walk(c, c->mounts.main, fn, s);
	_cleanup_free_ char *found = s->path;

	if (err < 0)
		return err;
	if (!found)
		return in_v1(c, *s, fn) ? -EOPNOTSUPP : -ENOENT;
	if (s->several)
		return -ENOTUNIQ;
	err = id_of(found, id);
	if (!err)
		*path = steal_ptr(found);
	return err;
}

int cgroups_by_unit(struct cgroups *c, const char *unit, char **path, uint64_t *id)
{
	_cleanup_free_ char *full = NULL;
	struct search s = {0};

	if (!unit[0] || strchr(unit, '/'))
		return -ENOENT;
	if (asprintf(&full, "%s%s", unit, cgroup_has_unit_suffix(unit) ? "" : ".service") < 0) {
		full = NULL;
		return -ENOMEM;
	}
	s.unit = full;
	return find(c, &s, match_unit, path, id);
}

int cgroups_by_container(struct cgroups *c, const char *container, char **path, uint64_t *id)
{
	char lower[CONTAINER_ID_LEN + 1];
	size_t len = strlen(container);
	struct search s = {.container = lower};

	if (len < MIN_CONTAINER_LEN || len > CONTAINER_ID_LEN)
		return -ENOENT;
	for (size_t i = 0; i <= len; i++)
		lower[i] = (char)tolower((unsigned char)container[i]);
	return find(c, &s, match_container, path, id);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/' || (n && dir[n - 1] == '/'));
}

/* Resolves dir/arg. -ENOENT also if it leads out of dir. */
static int resolve_below(const char *dir, const char *arg, char **out)
{
	_cleanup_free_ char *joined = NULL, *real = NULL, *real_dir = realpath(dir, NULL);

	if (!real_dir)
		return -errno;
	if (asprintf(&joined, "%s/%s", dir, arg) < 0) {
		joined = NULL;
		return -ENOMEM;
	}
	real = realpath(joined, NULL);
	if (!real)
		return -errno;
	if (!is_below(real, real_dir))
		return -ENOENT;
	*out = steal_ptr(real);
	return 0;
}

static bool is_v1_path(const struct cgroups *c, const char *arg)
{
	_cleanup_free_ char *real = realpath(arg, NULL);
	struct statfs fs;

	if (!c->mounts.v2)
		return false;
	if (real && arg[0] == '/' && !statfs(real, &fs) && fs.f_type == CGROUP_SUPER_MAGIC)
		return true;
	for (size_t i = 0; i < c->mounts.others.len; i++) {
		char *below = NULL;
		int err = resolve_below(c->mounts.others.data[i], arg, &below);

		free(below);
		if (!err)
			return true;
	}
	return false;
}

int cgroups_by_path(struct cgroups *c, const char *arg, char **path, uint64_t *id)
{
	_cleanup_free_ char *real = NULL;
	struct stat st;
	int err = -ENOENT;

	if (!arg[0])
		return -ENOENT;
	if (arg[0] == '/')
		real = realpath(arg, NULL);
	if (real && !is_below(real, c->mounts.main)) {
		free(real);
		real = NULL;
	}
	/* "/x" may be a path from /proc/PID/cgroup, relative to the mount. */
	if (!real)
		err = resolve_below(c->mounts.main, arg, &real);
	if (!real && (err == -ENOENT || err == -ENOTDIR))
		return is_v1_path(c, arg) ? -EOPNOTSUPP : -ENOENT;
	if (!real)
		return err;
	if (stat(real, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	err = id_of(real, id);
	if (!err)
		*path = steal_ptr(real);
	return err;
}

/* --- names ------------------------------------------------------------------------------------ */

struct id_key {
	const struct cgroups *c;
	uint64_t id;
};

static bool id_eq(const void *ctx, uint32_t i)
{
	const struct id_key *key = ctx;

	return key->c->known.data[i].id == key->id;
}

static struct known *find_known(struct cgroups *c, uint64_t id)
{
	struct id_key key = {c, id};
	uint32_t i = htab_find(&c->index, hash_u64(id), id_eq, &key);

	return i == HTAB_NONE ? NULL : &c->known.data[i];
}

static size_t bytes_of(const struct known *k)
{
	return sizeof(*k) + strlen(k->path) + strlen(k->unit) + strlen(k->container) + 3;
}

/* True if there is room for a cgroup. A quarter is reserved for those that are asked for. */
static bool has_room(const struct cgroups *c, bool asked)
{
	return c->known.len < c->opts.max_known - (asked ? 0 : c->opts.max_known / 4) &&
	       c->bytes < c->opts.max_bytes - (asked ? 0 : c->opts.max_bytes / 4);
}

static int add_known(struct cgroups *c, uint64_t id, const char *path)
{
	char unit[256], container[16];
	struct known k = {.id = id, .present = true};
	int err = -ENOMEM;

	cgroup_parse_path(path, unit, sizeof(unit), container, sizeof(container));
	k.path = text_clean_dup(path, strlen(path));
	k.unit = text_clean_dup(unit, strlen(unit));
	k.container = text_clean_dup(container, strlen(container));
	if (k.path && k.unit && k.container)
		err = vec_reserve(&c->known, c->known.len + 1)
			      ?: htab_insert(&c->index, hash_u64(id), (uint32_t)c->known.len);
	if (err) {
		free_known(&k);
		return err;
	}
	c->known.data[c->known.len++] = k;
	c->bytes += bytes_of(&k);
	return 0;
}

static int note_dir(void *ctx, const char *path, const char *name)
{
	struct cgroups *c = ctx;
	const char *below = path + strlen(c->mounts.main);
	struct known *k;
	uint64_t id;

	(void)name;
	if (id_of(path, &id))
		return 0; /* it is gone already */
	k = find_known(c, id);
	if (k)
		k->present = true;
	else if (has_room(c, id == c->wanted))
		return add_known(c, id, below[0] ? below : "/");
	else
		c->stats.refused += id == c->wanted;
	return 0;
}

/* Drops cgroups that were not asked for lately; existing ones only with `also_present`. */
static void forget(struct cgroups *c, bool also_present)
{
	uint64_t now = monotonic_ns();
	size_t kept = 0;

	htab_clear(&c->index);
	c->bytes = 0;
	for (size_t i = 0; i < c->known.len; i++) {
		struct known k = c->known.data[i];
		bool old = !k.asked_ns || now - k.asked_ns > c->opts.keep_ns;

		if (old && (also_present || !k.present)) {
			free_known(&k);
			continue;
		}
		c->known.data[kept] = k;
		c->bytes += bytes_of(&k);
		/* Capacity is there already. */
		htab_insert(&c->index, hash_u64(k.id), (uint32_t)kept++);
	}
	c->known.len = kept;
}

static void make_room(struct cgroups *c, uint64_t now_ns)
{
	if (now_ns < c->forget_ns)
		return;
	c->forget_ns = now_ns + c->opts.walk_every_ns;
	if (!has_room(c, false))
		forget(c, false);
	if (!has_room(c, false))
		forget(c, true);
}

/* For CAP_DAC_READ_SEARCH the kernel finds a cgroup by its id, however many there are. False: it does not. */
static bool note_by_id(struct cgroups *c, uint64_t id)
{
	union {
		struct file_handle head;
		char bytes[sizeof(struct file_handle) + sizeof(id)];
	} handle = {.head = {.handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS}};
	_cleanup_close_ int fd = -1;
	char link[32], path[PATH_MAX];
	ssize_t n;

	memcpy(handle.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(c->root, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	/* The mount may show a part of the hierarchy alone. */
	return is_below(path, c->mounts.main) && !note_dir(c, path, "");
}

static void walk_again(struct cgroups *c, uint64_t now_ns)
{
	uint64_t pause_ns;

	if (now_ns < c->walk_ns)
		return;
	for (size_t i = 0; i < c->known.len; i++)
		c->known.data[i].present = false;
	walk(c, c->mounts.main, note_dir, c);
	pause_ns = (monotonic_ns() - now_ns) * 1000000 / c->opts.walk_ppm;
	c->walk_ns = now_ns + (pause_ns > c->opts.walk_every_ns ? pause_ns : c->opts.walk_every_ns);
}

static void look_for(struct cgroups *c, uint64_t id)
{
	uint64_t now_ns = monotonic_ns();

	c->wanted = id;
	make_room(c, now_ns);
	if (!note_by_id(c, id))
		walk_again(c, now_ns);
}

bool cgroups_names(struct cgroups *c, uint64_t id, struct cgroup_names *out)
{
	struct known *k = find_known(c, id);

	if (!k) {
		look_for(c, id);
		k = find_known(c, id);
	}
	if (!k)
		return false;
	k->asked_ns = monotonic_ns();
	*out = (struct cgroup_names){.path = k->path, .unit = k->unit, .container = k->container};
	return true;
}

void cgroups_stats(const struct cgroups *c, struct cgroups_stats *out)
{
	*out = c->stats;
	out->known = c->known.len;
	out->bytes = c->bytes;
}
