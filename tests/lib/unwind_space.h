/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A live, stopped process as the host walk sees it: mappings of /proc/PID/maps, tables compiled from
 * their files, memory of /proc/PID/mem. */
#ifndef KILN_TESTS_UNWIND_SPACE_H
#define KILN_TESTS_UNWIND_SPACE_H

#include <inttypes.h>
#include <limits.h>
#include <sys/types.h>

#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"
#include "tests/lib/fixture.h"

struct space_mapping {
	uint64_t begin, end, file_off, bias;
	size_t table; /* in tables, or SIZE_MAX */
	bool anonymous;
};

struct space_table {
	char *path;
	struct elf_obj *obj;
	void *blob; /* NULL: nothing to compile */
	size_t len;
	void *bytes; /* of the vDSO */
	size_t bytes_len;
};

struct unwind_space {
	int mem_fd;
	VEC(struct space_mapping) maps;
	VEC(struct space_table) tables; /* kept from process to process */
};

static void space_compile(struct space_table *t)
{
	int err = unwind_table_build(&t->blob, &t->len, t->obj, NULL);

	assert_true(err == 0 || err == -ENODATA);
	if (!err)
		assert_int_equal(unwind_blob_check(t->blob, t->len), 0);
}

static size_t space_table(struct unwind_space *s, const char *path, uint64_t begin, uint64_t end)
{
	struct space_table t = {0};
	bool vdso = !strcmp(path, "[vdso]");

	for (size_t i = 0; i < s->tables.len; i++)
		if (!strcmp(s->tables.data[i].path, path))
			return i;
	if (vdso) {
		t.bytes_len = end - begin;
		t.bytes = malloc(t.bytes_len);
		assert_non_null(t.bytes);
		assert_int_equal(pread(s->mem_fd, t.bytes, end - begin, (off_t)begin), end - begin);
		assert_int_equal(elf_obj_open_bytes(&t.obj, t.bytes, end - begin, NULL), 0);
	} else {
		assert_int_equal(elf_obj_open(&t.obj, fixture_open(path), NULL), 0);
	}
	t.path = strdup(path);
	space_compile(&t);
	assert_int_equal(vec_push(&s->tables, t), 0);
	return s->tables.len - 1;
}

/* The executable segment that a mapping shows: lld lets segments share a page of the file. */
static const struct elf_segment *space_segment(struct elf_obj *obj, uint64_t off, uint64_t len)
{
	size_t n;
	const struct elf_segment *seg = elf_obj_segments(obj, &n);

	for (; n; n--, seg++)
		if (seg->exec && seg->file_off < off + len && off < seg->file_off + seg->file_len)
			return seg;
	return NULL;
}

static void space_add(struct unwind_space *s, uint64_t begin, uint64_t end, uint64_t off,
		      const char *path)
{
	struct space_mapping m = {.begin = begin, .end = end, .file_off = off, .table = SIZE_MAX};
	const struct elf_segment *seg;

	m.anonymous = path[0] != '/' && strcmp(path, "[vdso]") != 0;
	if (!m.anonymous) {
		m.table = space_table(s, path, begin, end);
		seg = space_segment(s->tables.data[m.table].obj, off, end - begin);
		assert_non_null(seg);
		m.bias = begin - (seg->va + (off - seg->file_off));
	}
	assert_int_equal(vec_push(&s->maps, m), 0);
}

/* (Re)reads the mappings. */
static void space_read(struct unwind_space *s, pid_t pid)
{
	char path[64], line[PATH_MAX + 128], file[PATH_MAX], perms[8];
	uint64_t begin, end, off;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	if (s->mem_fd > 0)
		close(s->mem_fd);
	s->mem_fd = fixture_open(path);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	s->maps.len = 0;
	while (fgets(line, sizeof(line), f)) {
		file[0] = 0;
		assert_true(sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %s",
				   &begin, &end, perms, &off, file) >= 4);
		if (perms[2] == 'x' && strcmp(file, "[vsyscall]") != 0)
			space_add(s, begin, end, off, file);
	}
	fclose(f);
}

static enum unwind_in space_place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	const struct unwind_space *s = ctx;

	for (size_t i = 0; i < s->maps.len; i++) {
		const struct space_mapping *m = &s->maps.data[i];

		if (va < m->begin || va >= m->end)
			continue;
		if (m->anonymous)
			return UNWIND_IN_JIT;
		*table = s->tables.data[m->table].blob;
		*elf_va = va - m->bias;
		return *table ? UNWIND_IN_TABLE : UNWIND_IN_NO_TABLE;
	}
	return UNWIND_IN_NOTHING;
}

static bool space_read_word(void *ctx, uint64_t addr, uint64_t *value)
{
	const struct unwind_space *s = ctx;

	return pread(s->mem_fd, value, 8, (off_t)addr) == 8;
}

/* " path+0xELF_VA" of an address, on standard error. */
static FIXTURE_UNUSED void space_describe(const struct unwind_space *s, uint64_t va)
{
	for (size_t i = 0; i < s->maps.len; i++) {
		const struct space_mapping *m = &s->maps.data[i];

		if (va >= m->begin && va < m->end)
			fprintf(stderr, " %s+0x%lx",
				m->anonymous ? "[anon]" : s->tables.data[m->table].path,
				va - m->bias);
	}
}

/* Whether an address is in a file of such a name. */
static FIXTURE_UNUSED bool space_is_in(const struct unwind_space *s, uint64_t va, const char *name)
{
	for (size_t i = 0; i < s->maps.len; i++) {
		const struct space_mapping *m = &s->maps.data[i];

		if (va >= m->begin && va < m->end)
			return !m->anonymous && strstr(s->tables.data[m->table].path, name);
	}
	return false;
}

static const struct table_walk_ops space_ops = {.place = space_place, .read = space_read_word};

static void space_release(struct unwind_space *s)
{
	for (size_t i = 0; i < s->tables.len; i++) {
		free(s->tables.data[i].path);
		free(s->tables.data[i].blob);
		elf_obj_free(s->tables.data[i].obj);
		free(s->tables.data[i].bytes);
	}
	vec_release(&s->tables);
	vec_release(&s->maps);
	if (s->mem_fd > 0)
		close(s->mem_fd);
}

#endif
