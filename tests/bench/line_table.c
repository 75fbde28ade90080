// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What line_table.sh measures:
 *   line_table build DEBUG_FILE TABLE             compiles the table
 *   line_table lookup DEBUG_FILE TABLE <ADDRESSES resolves with it, names demangled, as text,
 *                                                 ascending
 *   line_table dwarf DEBUG_FILE <ADDRESSES        the same with the DWARF reader
 *   line_table compare DEBUG_FILE TABLE <ADDRESSES  both, and counts what differs
 *   line_table addresses DEBUG_FILE N             random addresses of .text
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/sort.h"
#include "profiler/base/vec.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/lines/line_table.h"
#include "symbolizer/symbols/names.h"

struct answers {
	struct names *names;
	const uint64_t *va;
	uint64_t *sums; /* hash of each answer, when comparing */
	struct buf text;
	bool stable;
};

struct addresses {
	uint64_t *data;
	size_t len, cap;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "line_table: %s: %s\n", what, strerror(-err));
	exit(1);
}

static const char *pretty(struct answers *a, const char *raw)
{
	uint32_t id;

	if (!raw)
		return "??";
	/* As object.c does: strings of a table are known by their place. */
	id = a->stable ? names_by_key(a->names, (uintptr_t)raw) : 0;
	if (!id) {
		if (names_add(a->names, raw, &id))
			return "??";
		if (a->stable)
			names_set_key(a->names, (uintptr_t)raw, id);
	}
	return names_pretty(a->names, id);
}

static void print(void *ctx, size_t i, const struct dwarf_frame *f, size_t n,
		  enum dwarf_reason reason)
{
	struct answers *a = ctx;

	(void)reason;
	buf_str(&a->text, "0x");
	buf_hex(&a->text, a->va[i], 0);
	buf_char(&a->text, '\n');
	for (size_t k = 0; k < n; k++) {
		buf_str(&a->text, pretty(a, f[k].linkage_name));
		buf_char(&a->text, '\n');
		buf_str(&a->text, f[k].file ?: "??");
		buf_char(&a->text, ':');
		buf_dec(&a->text, f[k].line);
		buf_char(&a->text, '\n');
	}
	if (a->text.len < 1 << 20)
		return;
	fwrite(a->text.data, 1, a->text.len, stdout);
	buf_clear(&a->text);
}

static void sum(void *ctx, size_t i, const struct dwarf_frame *f, size_t n,
		enum dwarf_reason reason)
{
	struct answers *a = ctx;
	uint64_t h = 1;

	(void)reason;
	for (size_t k = 0; k < n; k++) {
		const char *name =
			f[k].linkage_name && *f[k].linkage_name ? f[k].linkage_name : f[k].name;

		h = hash_mix(h, hash_str(name ?: ""));
		h = hash_mix(h, hash_str(f[k].file ?: "<none>"));
		h = hash_mix(h, (uint64_t)f[k].line << 32 | f[k].start_line);
	}
	a->sums[i] = h;
}

static struct elf_obj *open_elf(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_obj *obj;
	int err = fd < 0 ? -errno : elf_obj_open(&obj, fd, NULL);

	if (err)
		die(path, err);
	return obj;
}

static struct dwarf *open_dwarf(struct elf_obj *obj)
{
	struct dwarf *d;
	int err = dwarf_new(&d, obj, NULL, NULL, NULL);

	if (err)
		die("no DWARF", err);
	return d;
}

static void build(struct elf_obj *obj, const char *path)
{
	struct line_source source = {.build_id = *elf_obj_build_id(obj),
				     .size = elf_obj_file_size(obj)};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct dwarf *d = open_dwarf(obj);
	int err = fd < 0 ? -errno : line_table_build(d, &source, fd, NULL);

	if (err)
		die(path, err);
	dwarf_free(d);
	close(fd);
}

static struct line_table *open_table(const struct elf_obj *obj, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct line_table *t;
	int err = fd < 0 ? -errno : line_table_open(&t, fd, elf_obj_build_id(obj));

	if (err)
		die(path, err);
	close(fd);
	return t;
}

static struct addresses read_addresses(void)
{
	VEC(uint64_t) v = {0};
	char line[64];

	while (fgets(line, sizeof(line), stdin))
		if (vec_push(&v, strtoull(line, NULL, 16)))
			die("addresses", -ENOMEM);
	return (struct addresses){v.data, v.len, v.cap};
}

/* As local.c does. The answers say which address they are of. */
static void sort_addresses(struct addresses *v)
{
	struct sort_item *items = calloc(v->len + 1, sizeof(*items));

	if (!items)
		die("addresses", -ENOMEM);
	for (size_t i = 0; i < v->len; i++)
		items[i].key = v->data[i];
	sort_items(items, v->len);
	for (size_t i = 0; i < v->len; i++)
		v->data[i] = items[i].key;
	free(items);
}

static void put_addresses(const struct elf_obj *obj, unsigned long n)
{
	const struct elf_section *text = elf_obj_section(obj, ".text");

	if (!text || !text->size)
		die(".text", -ENOENT);
	for (unsigned long i = 0; i < n; i++)
		printf("0x%" PRIx64 "\n", text->va + hash_u64(i + 1) % text->size);
}

static void compare(struct answers *a, struct dwarf *d, struct line_table *t,
		    const struct addresses *v)
{
	uint64_t *first = calloc(v->len + 1, sizeof(*first));
	size_t done, differ = 0;

	a->sums = first;
	if (dwarf_resolve(d, v->data, v->len, sum, a))
		die("resolving", -ENOMEM);
	a->sums = calloc(v->len + 1, sizeof(*a->sums));
	if (line_table_resolve(t, v->data, v->len, sum, a, &done))
		die("resolving", -EBADMSG);
	for (size_t i = 0; i < v->len; i++) {
		if (first[i] == a->sums[i])
			continue;
		if (differ++ < 10)
			printf("differs: 0x%" PRIx64 "\n", v->data[i]);
	}
	printf("%zu addresses, %zu differ\n", v->len, differ);
}

int main(int argc, char **argv)
{
	struct elf_obj *obj = argc > 2 ? open_elf(argv[2]) : NULL;
	struct answers a = {.names = names_new()};
	struct addresses v;
	size_t done;

	if (argc > 3 && !strcmp(argv[1], "build")) {
		build(obj, argv[3]);
	} else if (argc > 3 && !strcmp(argv[1], "addresses")) {
		put_addresses(obj, strtoul(argv[3], NULL, 10));
	} else if (argc > 2) {
		v = read_addresses();
		sort_addresses(&v);
		a.va = v.data;
		a.stable = !strcmp(argv[1], "lookup");
		if (!strcmp(argv[1], "lookup") && argc > 3)
			line_table_resolve(open_table(obj, argv[3]), v.data, v.len, print, &a,
					   &done);
		else if (!strcmp(argv[1], "dwarf"))
			dwarf_resolve(open_dwarf(obj), v.data, v.len, print, &a);
		else if (!strcmp(argv[1], "compare") && argc > 3)
			compare(&a, open_dwarf(obj), open_table(obj, argv[3]), &v);
		fwrite(a.text.data, 1, a.text.len, stdout);
	}
	return 0;
}
