// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/unwind/table_users.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"

#define MAX_BYTES (8u << 20)

struct user {
	pid_t tgid;
	uint32_t n;
	uint32_t *files; /* sorted */
};

struct count {
	uint32_t file, n;
};

struct table_users {
	size_t max_bytes, file_bytes;
	VEC(struct user) users;
	VEC(struct count) counts; /* of files that some process maps */
	struct htab user_index, count_index;
	uint64_t refused;
};

int table_users_new(struct table_users **out, size_t max_bytes)
{
	struct table_users *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->max_bytes = max_bytes ?: MAX_BYTES;
	*out = u;
	return 0;
}

void table_users_free(struct table_users *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->users.len; i++)
		free(u->users.data[i].files);
	vec_release(&u->users);
	vec_release(&u->counts);
	htab_release(&u->user_index);
	htab_release(&u->count_index);
	free(u);
}

struct needle {
	const struct table_users *u;
	uint32_t key;
};

static bool user_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return (uint32_t)n->u->users.data[id].tgid == n->key;
}

static bool count_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return n->u->counts.data[id].file == n->key;
}

static uint32_t find_user(const struct table_users *u, pid_t tgid)
{
	struct needle n = {u, (uint32_t)tgid};

	return htab_find(&u->user_index, hash_u64((uint32_t)tgid), user_eq, &n);
}

static uint32_t find_count(const struct table_users *u, uint32_t file)
{
	struct needle n = {u, file};

	return htab_find(&u->count_index, hash_u64(file), count_eq, &n);
}

static size_t bytes_of(const struct table_users *u)
{
	return u->file_bytes + u->users.cap * sizeof(*u->users.data) +
	       u->counts.cap * sizeof(*u->counts.data) +
	       (u->user_index.cap + u->count_index.cap) * sizeof(struct htab_slot);
}

uint32_t table_users_count(const struct table_users *u, uint32_t file)
{
	uint32_t id = find_count(u, file);

	return id == HTAB_NONE ? 0 : u->counts.data[id].n;
}

static int count_up(struct table_users *u, uint32_t file)
{
	uint32_t id = find_count(u, file);
	int err;

	if (id != HTAB_NONE) {
		u->counts.data[id].n++;
		return 0;
	}
	err = vec_reserve(&u->counts, u->counts.len + 1)
		      ?: htab_insert(&u->count_index, hash_u64(file), (uint32_t)u->counts.len);
	if (!err)
		u->counts.data[u->counts.len++] = (struct count){file, 1};
	return err;
}

/* The last entry moves into the place of a removed one. */
static void count_down(struct table_users *u, uint32_t file)
{
	uint32_t id = find_count(u, file), last = (uint32_t)u->counts.len - 1;
	struct count moved = vec_last(&u->counts);

	if (--u->counts.data[id].n)
		return;
	htab_remove(&u->count_index, hash_u64(file), id);
	if (id != last) {
		htab_remove(&u->count_index, hash_u64(moved.file), last);
		u->counts.data[id] = moved;
		/* Capacity is there already. */
		htab_insert(&u->count_index, hash_u64(moved.file), id);
	}
	u->counts.len--;
}

static void free_files(struct table_users *u, struct user *user)
{
	for (uint32_t i = 0; i < user->n; i++)
		count_down(u, user->files[i]);
	u->file_bytes -= user->n * sizeof(*user->files);
	free(user->files);
	user->files = NULL;
	user->n = 0;
}

void table_users_remove(struct table_users *u, pid_t tgid)
{
	uint32_t id = find_user(u, tgid), last = (uint32_t)u->users.len - 1;
	struct user moved;

	if (id == HTAB_NONE)
		return;
	free_files(u, &u->users.data[id]);
	moved = vec_last(&u->users);
	htab_remove(&u->user_index, hash_u64((uint32_t)tgid), id);
	if (id != last) {
		htab_remove(&u->user_index, hash_u64((uint32_t)moved.tgid), last);
		u->users.data[id] = moved;
		/* Capacity is there already. */
		htab_insert(&u->user_index, hash_u64((uint32_t)moved.tgid), id);
	}
	u->users.len--;
}

static int order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts, puts different files first, and returns their number. */
static uint32_t sort(uint32_t *files, size_t n)
{
	uint32_t kept = 0;

	if (n)
		qsort(files, n, sizeof(*files), order);
	for (size_t i = 0; i < n; i++)
		if (!i || files[i] != files[i - 1])
			files[kept++] = files[i];
	return kept;
}

/* The entry of a process. Makes it if needed; NULL when out of memory. */
static struct user *user_of(struct table_users *u, pid_t tgid)
{
	uint32_t id = find_user(u, tgid);
	struct user fresh = {.tgid = tgid};

	if (id != HTAB_NONE)
		return &u->users.data[id];
	if (vec_reserve(&u->users, u->users.len + 1) ||
	    htab_insert(&u->user_index, hash_u64((uint32_t)tgid), (uint32_t)u->users.len))
		return NULL;
	u->users.data[u->users.len++] = fresh;
	return &vec_last(&u->users);
}

static int give_files(struct table_users *u, struct user *user, const uint32_t *files, uint32_t n)
{
	user->files = malloc((n ?: 1) * sizeof(*files));
	if (!user->files)
		return -ENOMEM;
	for (; user->n < n; user->n++) {
		int err = count_up(u, files[user->n]);

		if (err)
			return err;
		user->files[user->n] = files[user->n];
		u->file_bytes += sizeof(*files);
	}
	return 0;
}

int table_users_set(struct table_users *u, pid_t tgid, uint32_t *files, size_t n)
{
	uint32_t kept = sort(files, n);
	struct user *user = user_of(u, tgid);
	int err = user ? 0 : -ENOMEM;

	if (user && user->n == kept && kept && !memcmp(user->files, files, kept * sizeof(*files)))
		return 0;
	if (user)
		free_files(u, user);
	if (!err && bytes_of(u) + kept * sizeof(*files) > u->max_bytes) {
		u->refused++;
		err = -ENOSPC;
	}
	err = err ?: give_files(u, user, files, kept);
	if (err)
		table_users_remove(u, tgid);
	return err;
}

static bool maps_any(const struct user *user, const uint32_t *files, size_t n)
{
	uint32_t i = 0;
	size_t k = 0;

	while (i < user->n && k < n) {
		if (user->files[i] == files[k])
			return true;
		if (user->files[i] < files[k])
			i++;
		else
			k++;
	}
	return false;
}

void table_users_each(const struct table_users *u, uint32_t *files, size_t n,
		      void (*fn)(void *ctx, pid_t tgid), void *ctx)
{
	n = sort(files, n);
	for (size_t i = 0; n && i < u->users.len; i++)
		if (maps_any(&u->users.data[i], files, n))
			fn(ctx, u->users.data[i].tgid);
}

void table_users_stats(const struct table_users *u, struct table_users_stats *out)
{
	*out = (struct table_users_stats){u->users.len, bytes_of(u), u->refused};
}
