// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over the kernel's tree of mappings, over trees made here: what a sample finds there that another CPU is just
 * changing ends it, and nothing is made up.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* --- a kernel to read from ------------------------------------------------------------------------ */

#define KILN_BPF_KERNEL_TYPES_H
#define KILN_BPF_KERNEL_READ_H
#define __BPF_HELPERS__
#define __BPF_CORE_READ_H__

enum maple_type { maple_leaf_64 = 1, maple_range_64 = 2, maple_arange_64 = 3 };

/* Nodes as Linux 6.1 and later have them. The last slot of a node that is not full tells its end. */
struct maple_metadata {
	unsigned char end;
};

struct maple_range_64 {
	uint64_t parent, pivot[15];
	union {
		uint64_t slot[16];
		struct {
			uint64_t slots_before[15];
			struct maple_metadata meta;
		};
	};
};

struct maple_arange_64 {
	uint64_t parent, pivot[9], slot[10], gap[10];
	struct maple_metadata meta;
};

union node {
	struct maple_range_64 range;
	struct maple_arange_64 arange;
	uint64_t words[32];
} __attribute__((aligned(256)));

struct mm_struct {
	struct {
		uint64_t ma_root;
	} mm_mt;
};

#define NODES 24

static union node nodes[NODES];
static struct mm_struct mm;

static int read_kernel(void *to, size_t n, const void *from)
{
	if ((uintptr_t)from < (uintptr_t)nodes || (uintptr_t)from >= (uintptr_t)&nodes[NODES])
		return -14;
	memcpy(to, from, n);
	return 0;
}

static void *the_env(void);

#define SEC(name)
#define __uint(name, value)	       int(*name)[value]
#define __type(name, type)	       __typeof__(type) *name
#define KERNEL(type, at)	       ((const struct type *)(uintptr_t)(at))
#define bpf_core_field_offset(type, f) offsetof(type, f)
#define bpf_core_enum_value(type, v)   (v)
#define bpf_map_lookup_elem(map, key)  ((void)(map), (void)(key), the_env())
#define bpf_probe_read_kernel	       read_kernel

int vmas_step_down(void);
int vmas_descend(void);

#include "bpf/vmas.bpf.h"

static struct mappings_env env;

static void *the_env(void)
{
	return &env;
}

/* --- trees ---------------------------------------------------------------------------------------- */

#define VMA(i)	   (0x1000ull + (uint64_t)(i)*256) /* where struct vm_area_struct is */
#define IN_LEAF	   4
#define LEAF_BYTES 0x10000ull /* of the address space, of which the first part is a hole */

static uint64_t pointer_to(const union node *n, enum maple_type type)
{
	return (uintptr_t)n | (uint64_t)type << 3 | 4;
}

static void set_root(const union node *n, enum maple_type type)
{
	mm.mm_mt.ma_root = pointer_to(n, type) | 2;
}

/* Leaf number i of a tree: a hole and three mappings. */
static uint64_t make_leaf(size_t i, uint64_t last)
{
	struct maple_range_64 *n = &nodes[i].range;

	memset(n, 0, sizeof(*n));
	n->parent = (uintptr_t)&nodes[NODES - 1];
	for (size_t k = 0; k < IN_LEAF; k++) {
		n->pivot[k] = i * LEAF_BYTES + (k + 1) * 0x1000 - 1;
		n->slot[k] = k ? VMA(i * IN_LEAF + k) : 0;
	}
	n->pivot[IN_LEAF - 1] = last;
	n->meta.end = IN_LEAF - 1;
	return pointer_to(&nodes[i], maple_leaf_64);
}

static uint64_t end_of_leaf(size_t i, size_t n)
{
	return i + 1 < n ? (i + 1) * LEAF_BYTES - 1 : ~0ull;
}

/* n leaves below a root, which knows its gaps, as the kernel's does. */
static void make_tree(size_t n)
{
	union node *root = &nodes[NODES - 1];

	memset(root, 0, sizeof(*root));
	for (size_t i = 0; i < n; i++) {
		root->arange.slot[i] = make_leaf(i, end_of_leaf(i, n));
		if (i < 9)
			root->arange.pivot[i] = end_of_leaf(i, n);
	}
	root->arange.meta.end = (unsigned char)(n - 1);
	set_root(root, maple_arange_64);
}

struct found {
	enum vmas_next end;
	size_t n;
	uint64_t vmas[256];
};

static struct found walk(void)
{
	struct found f = {.end = VMAS_BAD};

	memset(&env, 0xff, sizeof(env)); /* as an earlier walk left it */
	env.vmas.mm = (uintptr_t)&mm;
	env.vmas.at = 0;
	if (vmas_descend())
		return f;
	for (int i = 0; i < 1000; i++) {
		__u64 vma = 0;

		f.end = vmas_take(&env.vmas, &vma);
		if (f.end != VMAS_BAD && vma && f.n < 256)
			f.vmas[f.n++] = vma;
		if (f.end != VMAS_MORE)
			return f;
	}
	return f;
}

static void assert_mappings_of(const struct found *f, size_t n_leaves)
{
	size_t at = 0;

	assert_int_equal(f->end, VMAS_END);
	for (size_t i = 0; i < n_leaves; i++)
		for (size_t k = 1; k < IN_LEAF; k++)
			assert_int_equal(f->vmas[at++], VMA(i * IN_LEAF + k));
	assert_int_equal(f->n, at);
}

/* --- the tests ------------------------------------------------------------------------------------ */

static void all_mappings_are_found_in_order(void **state)
{
	struct found f;

	(void)state;
	for (size_t n = 1; n <= 10; n++) {
		make_tree(n);
		f = walk();
		assert_mappings_of(&f, n);
	}
	make_leaf(0, ~0ull); /* a process with few of them */
	set_root(&nodes[0], maple_leaf_64);
	f = walk();
	assert_mappings_of(&f, 1);
}

/* The end of a full node is told by its pivots. What has marks is no mapping. */
static void nodes_may_be_full(void **state)
{
	(void)state;
	for (size_t n = 15; n <= 16; n++) {
		struct maple_range_64 *leaf = &nodes[0].range;
		struct found f;

		make_tree(2);
		for (size_t i = 0; i < n; i++)
			leaf->slot[i] = i == 7 ? 0x406 : VMA(i);
		for (size_t i = 0; i < 15; i++)
			leaf->pivot[i] = i + 1 < n ? (i + 1) * 0x1000 - 1 : LEAF_BYTES - 1;
		f = walk();
		assert_int_equal(f.end, VMAS_END);
		assert_int_equal(f.n, n - 1 + IN_LEAF - 1);
		for (size_t i = 0; i < n - 1; i++)
			assert_int_equal(f.vmas[i], VMA(i + (i >= 7)));
		for (size_t i = 1; i < IN_LEAF; i++)
			assert_int_equal(f.vmas[n - 2 + i], VMA(IN_LEAF + i));
	}
}

static void more_levels(void **state)
{
	union node *middle = &nodes[NODES - 2], *top = &nodes[NODES - 3];
	struct found f;

	(void)state;
	make_tree(4);
	memset(middle, 0, sizeof(*middle));
	memset(top, 0, sizeof(*top));
	middle->range.slot[0] = pointer_to(&nodes[NODES - 1], maple_arange_64);
	middle->range.pivot[0] = ~0ull;
	top->range.slot[0] = pointer_to(middle, maple_range_64);
	top->range.pivot[0] = ~0ull;
	set_root(top, maple_range_64);
	f = walk();
	assert_mappings_of(&f, 4);
	middle->range.slot[0] = pointer_to(middle, maple_range_64); /* without an end */
	assert_int_equal(walk().end, VMAS_BAD);
}

/* A node that was replaced is its own parent. What else is in it may be of anybody by now. */
static void dead_nodes_end_the_walk(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make_tree(3);
		nodes[i].range.parent = (uintptr_t)&nodes[i] | 6; /* with marks */
		nodes[i].range.pivot[0] = ~0ull;		  /* as if nothing came behind it */
		assert_int_equal(walk().end, VMAS_BAD);
	}
	make_tree(3);
	nodes[NODES - 1].range.parent = (uintptr_t)&nodes[NODES - 1];
	assert_int_equal(walk().end, VMAS_BAD);
}

/* Whatever is read: the walk goes up only, and what is no tree is none. */
static void what_is_no_tree_ends_the_walk(void **state)
{
	(void)state;
	make_tree(3);
	mm.mm_mt.ma_root = 0; /* nothing is mapped */
	assert_int_equal(walk().end, VMAS_BAD);
	mm.mm_mt.ma_root = VMA(0); /* one mapping of everything */
	assert_int_equal(walk().end, VMAS_BAD);
	mm.mm_mt.ma_root = pointer_to(&nodes[0], maple_leaf_64); /* without a root's mark */
	assert_int_equal(walk().end, VMAS_BAD);
	mm.mm_mt.ma_root = 2;
	assert_int_equal(walk().end, VMAS_BAD);
	make_tree(3);
	nodes[NODES - 1].arange.slot[1] = 0x7fff12345600 | 12; /* no address of the kernel's */
	assert_int_equal(walk().end, VMAS_BAD);
	make_tree(3);
	nodes[NODES - 1].arange.meta.end = 10; /* slots that it does not have */
	assert_int_equal(walk().end, VMAS_BAD);
	make_tree(3);
	nodes[1].range.pivot[2] = 0x1000; /* back to where it was */
	assert_int_equal(walk().end, VMAS_BAD);
}

/* Any words at all: it ends. */
static void noise_ends_the_walk(void **state)
{
	uint64_t x = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < NODES; i++)
			for (size_t k = 0; k < 32; k++) {
				x = x * 6364136223846793005ull + 1442695040888963407ull;
				nodes[i].words[k] =
					x >> 62 ? x >> (x >> 58 & 63)
						: pointer_to(&nodes[(x >> 40) % NODES],
							     (enum maple_type)(1 + (x >> 32) % 3));
			}
		set_root(&nodes[0], maple_arange_64);
		walk();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_mappings_are_found_in_order),
		cmocka_unit_test(nodes_may_be_full),
		cmocka_unit_test(more_levels),
		cmocka_unit_test(dead_nodes_end_the_walk),
		cmocka_unit_test(what_is_no_tree_ends_the_walk),
		cmocka_unit_test(noise_ends_the_walk),
	};

	return cmocka_run_group_tests_name("vmas", tests, NULL, NULL);
}
