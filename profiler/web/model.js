// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/*
 * The trees that the views draw. A tree stands in preorder, children heaviest first; its values are
 * in the profile's unit.
 */

const NONE = -1;
/* A browser draws so many nodes without a pause. Of larger trees the lightest nodes are drawn as
 * one beside their siblings. Figures do not come from drawn trees (profile.js). */
const MAX_NODES = 200000;

/* Finds the node for (parent, frame): open addressing, in typed arrays because a large profile
 * looks up millions. */
class ChildTable {
	constructor(expected) {
		let cap = 1024;

		while (cap < 2 * expected)
			cap *= 2;
		this.resize(cap);
	}

	resize(cap) {
		this.mask = cap - 1;
		this.slots = new Int32Array(cap).fill(NONE);
		this.len = 0;
	}

	/* The slot that holds the node, or the free one where it belongs. */
	slot(parents, frames, parent, frame) {
		let i = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b)) >>> 0;

		for (i = (i ^ i >>> 15) & this.mask; ; i = (i + 1) & this.mask) {
			const node = this.slots[i];

			if (node === NONE || (parents[node] === parent && frames[node] === frame))
				return i;
		}
	}

	put(parents, frames, slot, node) {
		this.slots[slot] = node;
		if (++this.len * 2 <= this.slots.length)
			return;
		const old = this.slots;

		this.resize(old.length * 2);
		for (const id of old) {
			if (id !== NONE) {
				const free = this.slot(parents, frames, parents[id], frames[id]);

				this.slots[free] = id;
				this.len++;
			}
		}
	}
}

function larger(array, length) {
	const copy = new array.constructor(length);

	copy.set(array);
	return copy;
}

/* A tree while it grows: node 0 is the root, parents come before their children. */
class Seedling {
	constructor(expected) {
		const room = Math.max(1024, expected + 1);

		this.n = 1;
		this.hiddenBelow = 0;
		this.parent = new Int32Array(room);
		this.frame = new Int32Array(room);
		this.self = new Float64Array(room);
		this.parent[0] = this.frame[0] = NONE;
		this.table = new ChildTable(expected);
	}

	child(parent, frame) {
		const slot = this.table.slot(this.parent, this.frame, parent, frame);
		const found = this.table.slots[slot];

		return found !== NONE ? found : this.add(parent, frame, slot);
	}

	add(parent, frame, slot) {
		const node = this.n++;

		if (node === this.parent.length)
			for (const column of ["parent", "frame", "self"])
				this[column] = larger(this[column], 2 * node);
		this.parent[node] = parent;
		this.frame[node] = frame;
		this.table.put(this.parent, this.frame, slot, node);
		return node;
	}

	totals() {
		const { n, parent } = this;
		const total = this.self.slice(0, n);

		for (let i = n - 1; i > 0; i--)
			total[parent[i]] += total[i];
		return total;
	}

	/* What a node must weigh more than to be drawn: the weight of the heaviest that is not. */
	least(total) {
		if (this.n <= MAX_NODES)
			return 0;
		const sorted = total.slice().sort();

		return sorted[this.n - MAX_NODES - 1];
	}

	/* Without the lightest nodes, whose values become nodes of the frame `hidden`, and without
	 * those of which a filter left nothing: they would be boxes without width. */
	pruned(hidden) {
		const total = this.totals(), least = this.least(total);

		if (!least && !total.includes(0))
			return this;
		const { n, parent, frame, self } = this;
		const moved = new Int32Array(n).fill(NONE);
		const out = new Seedling(Math.min(n, MAX_NODES));

		out.hiddenBelow = least;
		out.self[0] = self[0];
		moved[0] = 0;
		for (let i = 1; i < n; i++) {
			const above = moved[parent[i]];

			if (above === NONE || !(total[i] > 0))
				continue;
			if (total[i] <= least) {
				out.self[out.child(above, hidden)] += total[i];
				continue;
			}
			moved[i] = out.child(above, frame[i]);
			out.self[moved[i]] = self[i];
		}
		return out;
	}
}

/* Most slices are in order already: the profile was written so. */
function sortSlice(array, from, to, compare) {
	for (let i = from + 1; i < to; i++) {
		if (compare(array[i - 1], array[i]) > 0) {
			array.subarray(from, to).sort(compare);
			return;
		}
	}
}

/* Children of each node as slices of one array, heaviest first. */
function sortedChildren(n, parent, total, compare) {
	const first = new Int32Array(n + 2);
	const children = new Int32Array(n);

	for (let i = 1; i < n; i++)
		first[parent[i] + 2]++;
	for (let i = 2; i < n + 2; i++)
		first[i] += first[i - 1];
	for (let i = 1; i < n; i++)
		children[first[parent[i] + 1]++] = i;
	const heaviestFirst = (a, b) => total[b] - total[a] || compare(a, b);

	for (let i = 0; i < n; i++)
		sortSlice(children, first[i], first[i + 1], heaviestFirst);
	return { first, children };
}

class Tree {
	/* compareFrames breaks ties, so that a link to a node of this tree stays good. */
	constructor(seedling, compareFrames) {
		const n = seedling.n, total = seedling.totals();
		const { first, children } = sortedChildren(n, seedling.parent, total, (a, b) =>
			compareFrames(seedling.frame[a], seedling.frame[b]));

		this.n = n;
		this.hiddenBelow = seedling.hiddenBelow;
		this.parent = new Int32Array(n).fill(NONE);
		this.frame = new Int32Array(n);
		this.depth = new Int32Array(n);
		this.self = new Float64Array(n);
		this.total = new Float64Array(n);
		this.start = new Float64Array(n);
		this.end = new Int32Array(n);
		this.reach = new Int32Array(n);
		this.layOut(seedling, total, first, children);
		this.indexLevels();
	}

	layOut(seedling, total, first, children) {
		const stack = new Int32Array(this.n), parents = new Int32Array(this.n);

		parents[0] = NONE;
		for (let at = 0, open = 1; open; at++) {
			const node = stack[--open], parent = parents[open];

			this.parent[at] = parent;
			this.frame[at] = seedling.frame[node];
			this.self[at] = seedling.self[node];
			this.total[at] = total[node];
			this.depth[at] = parent === NONE ? 0 : this.depth[parent] + 1;
			for (let i = first[node + 1]; i-- > first[node];) {
				stack[open] = children[i];
				parents[open++] = at;
			}
		}
		this.closeSubtrees();
	}

	/* end: index after the last node below; reach: deepest level below; start: left edge. */
	closeSubtrees() {
		const { n, parent, depth, end, reach, start, total } = this;
		const next = new Float64Array(n);

		for (let i = n - 1; i >= 0; i--) {
			const p = parent[i];

			end[i] = Math.max(end[i], i + 1);
			reach[i] = Math.max(reach[i], depth[i]);
			if (p !== NONE) {
				end[p] = Math.max(end[p], end[i]);
				reach[p] = Math.max(reach[p], reach[i]);
			}
		}
		for (let i = 1; i < n; i++) {
			start[i] = start[parent[i]] + next[parent[i]];
			next[parent[i]] += total[i];
		}
	}

	/* level[levelFirst[d]] to level[levelFirst[d + 1] - 1]: nodes of depth d, from left to
	 * right, with their edges beside them. */
	indexLevels() {
		const { n, depth, start, total } = this;
		const maxDepth = this.reach[0];
		const first = new Int32Array(maxDepth + 3), level = new Int32Array(n);
		const left = new Float64Array(n), right = new Float64Array(n);

		for (let i = 0; i < n; i++)
			first[depth[i] + 2]++;
		for (let d = 2; d < maxDepth + 3; d++)
			first[d] += first[d - 1];
		for (let i = 0; i < n; i++) {
			const at = first[depth[i] + 1]++;

			level[at] = i;
			left[at] = start[i];
			right[at] = start[i] + total[i];
		}
		Object.assign(this, { maxDepth, levelFirst: first, level, left, right });
	}

	/* Index into level of the first node of this depth, from index `from` on, that ends right
	 * of the value: first in strides that double, since the next box is rarely far. */
	findAt(depth, value, from) {
		const end = this.levelFirst[depth + 1];
		let low = Math.max(this.levelFirst[depth], from), stride = 1;

		while (low + stride < end && this.right[low + stride] <= value) {
			low += stride;
			stride *= 2;
		}
		let high = Math.min(end, low + stride);

		while (low < high) {
			const mid = low + high >> 1;

			if (this.right[mid] > value)
				high = mid;
			else
				low = mid + 1;
		}
		return low;
	}

	/*
	 * What nodes were in the base, as columns: base with what is below, baseSelf. old: the tree of the base alone.
	 * All that it has is in this tree, but for what `hidden` stands for.
	 */
	compareWith(old, hidden) {
		const { n, parent, frame } = this, nodes = new Map(), at = new Int32Array(old.maxDepth + 1);
		const key = (node, f) => node * 0x100000000 + f;

		this.baseSelf = new Float64Array(n);
		this.baseSelf[0] = old.self[0];
		for (let i = 1; i < n; i++)
			nodes.set(key(parent[i], frame[i]), i);
		for (let i = 1; i < old.n; i++) {
			const above = at[old.depth[i] - 1];
			const node = nodes.get(key(above, old.frame[i])) ?? nodes.get(key(above, hidden)) ?? above;

			at[old.depth[i]] = node;
			this.baseSelf[node] += old.self[i];
		}
		this.base = this.baseSelf.slice();
		for (let i = n - 1; i > 0; i--)
			this.base[parent[i]] += this.base[i];
		return this;
	}

	path(node) {
		const nodes = [];

		for (; node !== NONE; node = this.parent[node])
			nodes.push(node);
		return nodes.reverse();
	}

	children(node) {
		const nodes = [];

		for (let i = node + 1; i < this.end[node]; i = this.end[i])
			nodes.push(i);
		return nodes;
	}

	/* The node that the same frames lead to in this tree, or the last one on the way. */
	follow(frames) {
		let at = 0;

		for (const frame of frames) {
			const next = this.children(at).find(i => this.frame[i] === frame);

			if (next === undefined)
				break;
			at = next;
		}
		return at;
	}
}
