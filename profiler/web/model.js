// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/*
 * The profile as columns, and the trees the views draw. A tree stands in preorder, children
 * heaviest first; its values are in the profile's unit.
 */

const NONE = -1;

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

	/* Without the nodes of which a filter left nothing: they would be boxes without width. */
	pruned() {
		const total = this.totals();

		if (!total.includes(0))
			return this;
		const { n, parent, frame, self } = this;
		const moved = new Int32Array(n);
		const out = new Seedling(n);

		out.self[0] = self[0];
		for (let i = 1; i < n; i++) {
			if (!(total[i] > 0))
				continue;
			const node = out.n++;

			moved[i] = node;
			out.parent[node] = moved[parent[i]];
			out.frame[node] = frame[i];
			out.self[node] = self[i];
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

/* What html.c wrote, decoded. Frames that stand for labels are added as groupings ask for them. */
class Profile {
	constructor(data) {
		this.info = data;
		this.names = data.frames.name.map(i => data.strings[i]);
		this.modules = data.frames.module.map(i => data.strings[i]);
		this.classes = data.frames.class;
		this.kernel = data.frames.kernel;
		this.classKeys = data.classes.map(c => c.key);
		this.rootClass = this.classKeys.indexOf("root");
		this.groupFrames = new Map();
		this.functions = [];
		this.functionOf = [];
		this.functionIds = new Map();
		this.names.forEach((name, frame) => this.indexFunction(frame));
		this.labelSets = data.labels.sets.map(set => new Map(set.map(([key, value]) =>
			[data.strings[key], data.strings[value]])));
		this.trees = data.trees.map(t => this.decode(t));
	}

	/* Inlined or not, in whatever file: a function is its name and its module. */
	indexFunction(frame) {
		const key = this.names[frame] + "\0" + this.modules[frame];
		let id = this.functionIds.get(key);

		if (id === undefined) {
			id = this.functions.length;
			this.functionIds.set(key, id);
			this.functions.push(frame);
		}
		this.functionOf[frame] = id;
	}

	groupFrame(text) {
		let frame = this.groupFrames.get(text);

		if (frame === undefined) {
			frame = this.names.length;
			this.names.push(text);
			this.modules.push("");
			this.classes.push(this.rootClass);
			this.kernel.push(0);
			this.groupFrames.set(text, frame);
			this.indexFunction(frame);
		}
		return frame;
	}

	/* frame: id, or -1 - label set. The values written are self values in preorder. */
	decode(tree) {
		const n = tree.depth.length;

		return { ...tree, n, frame: Int32Array.from(tree.frame),
			 depth: Int32Array.from(tree.depth), self: Float64Array.from(tree.self) };
	}

	/*
	 * The tree of what passes the filter. groups(set) gives the root frame of a label set, set
	 * NONE being what has no labels: NONE for no root, null to leave it out. mode is "all",
	 * "user" (kernel frames count as their callers) or "kernel" (nothing but kernel frames).
	 */
	forest(tree, groups, mode) {
		const seedling = new Seedling(tree.n);
		const at = new Int32Array(this.maxDepth(tree) + 2);

		const unlabelled = groups(NONE) !== null;

		at[0] = 0;
		seedling.self[0] = unlabelled && mode !== "kernel" ? tree.rest : 0;
		for (let i = 0; i < tree.n; i++) {
			const frame = tree.frame[i], depth = tree.depth[i];
			const parent = depth > 1 || frame < 0 || unlabelled ? at[depth - 1] : NONE;
			let kept = true;

			if (parent === NONE) {
				at[depth] = NONE;
				continue;
			}
			if (frame < 0) {
				const group = groups(-1 - frame);

				at[depth] = group === null ? NONE
					: group === NONE ? parent : seedling.child(parent, group);
				kept = mode !== "kernel";
			} else {
				const kernel = this.kernel[frame] === 1;

				kept = mode === "all" || kernel === (mode === "kernel");
				at[depth] = kept ? seedling.child(parent, frame) : parent;
			}
			if (at[depth] !== NONE && (kept || mode === "user"))
				seedling.self[at[depth]] += tree.self[i];
		}
		return this.grown(seedling.pruned());
	}

	maxDepth(tree) {
		return tree.depth.reduce((a, b) => Math.max(a, b), 0);
	}

	grown(seedling) {
		return new Tree(seedling, (a, b) => this.compareFrames(a, b));
	}

	compareFrames(a, b) {
		const by = (x, y) => x < y ? -1 : x > y ? 1 : 0;

		return by(this.names[a], this.names[b]) || by(this.modules[a], this.modules[b]) ||
			a - b;
	}

	/* Leaf first: what ran, and below it who called it. */
	inverted(tree) {
		const seedling = new Seedling(tree.n);

		for (let i = 1; i < tree.n; i++) {
			let node = 0;

			if (!tree.self[i])
				continue;
			for (let up = i; up > 0; up = tree.parent[up])
				node = seedling.child(node, tree.frame[up]);
			seedling.self[node] += tree.self[i];
		}
		return this.grown(seedling);
	}

	/* Nodes of the function that are not below another of it: each stack counts once. */
	outermost(tree, fn) {
		const nodes = [];

		for (let i = 1; i < tree.n;) {
			const hit = this.functionOf[tree.frame[i]] === fn;

			if (hit)
				nodes.push(i);
			i = hit ? tree.end[i] : i + 1;
		}
		return nodes;
	}

	callees(tree, fn) {
		const seedling = new Seedling(1024);
		const at = new Int32Array(tree.maxDepth + 2);
		const top = this.functions[fn];

		for (const root of this.outermost(tree, fn)) {
			at[tree.depth[root]] = seedling.child(0, top);
			seedling.self[at[tree.depth[root]]] += tree.self[root];
			for (let i = root + 1; i < tree.end[root]; i++) {
				const node = seedling.child(at[tree.depth[i] - 1], tree.frame[i]);

				at[tree.depth[i]] = node;
				seedling.self[node] += tree.self[i];
			}
		}
		return this.grown(seedling);
	}

	callers(tree, fn) {
		const seedling = new Seedling(1024);

		for (const root of this.outermost(tree, fn)) {
			let node = seedling.child(0, this.functions[fn]);

			for (let up = tree.parent[root]; up > 0; up = tree.parent[up])
				node = seedling.child(node, tree.frame[up]);
			seedling.self[node] += tree.total[root];
		}
		return this.grown(seedling);
	}

	/* Per function: its own and its total value, a recursive call counted once. */
	functionSums(tree) {
		const n = this.functions.length;
		const self = new Float64Array(n), total = new Float64Array(n);
		const active = new Int32Array(n);
		const open = [];

		for (let i = 1; i < tree.n; i++) {
			const fn = this.functionOf[tree.frame[i]];

			while (open.length && tree.end[open[open.length - 1]] <= i)
				active[this.functionOf[tree.frame[open.pop()]]]--;
			if (!active[fn]++)
				total[fn] += tree.total[i];
			self[fn] += tree.self[i];
			open.push(i);
		}
		return { self, total };
	}

	/* Per function 1 if its name matches. */
	matches(pattern) {
		return Uint8Array.from(this.functions, frame =>
			pattern.test(this.names[frame]) ? 1 : 0);
	}

	/* What the matching functions cost, a match below another counted once. */
	matchedTotal(tree, matches) {
		let sum = 0;

		for (let i = 1; i < tree.n;) {
			const hit = matches[this.functionOf[tree.frame[i]]];

			sum += hit ? tree.total[i] : 0;
			i = hit ? tree.end[i] : i + 1;
		}
		return sum;
	}

	isNamed(frame) {
		const name = this.names[frame], module = this.modules[frame];

		return this.classKeys[this.classes[frame]] !== "unknown" &&
			!/\+0x[0-9a-f]+$/.test(name) &&
			name !== `[${module.replace(/^\[|\]$/g, "")}]`;
	}
}

/* --- values in words -------------------------------------------------------------------------- */

function formatCount(n) {
	return Math.round(n).toLocaleString("en-US");
}

function formatNs(ns) {
	const [scale, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"]
		: ns >= 1e3 ? [1e3, "us"] : [1, "ns"];
	const v = ns / scale;

	return `${v.toFixed(unit === "ns" ? 0 : v < 10 ? 2 : v < 100 ? 1 : 0)} ${unit}`;
}

function formatBytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let i = 0;

	for (; n >= 1024 && i + 1 < units.length; i++)
		n /= 1024;
	return `${n.toFixed(i && n < 100 ? 1 : 0)} ${units[i]}`;
}

function formatShare(v, total) {
	const share = total > 0 ? 100 * v / total : 0;

	return `${share.toFixed(share > 0 && share < 0.1 ? 3 : 1)} %`;
}

/* "1.02 s", "101": the number alone, as in a column. */
function formatValue(tree, v) {
	if (tree.unit === "ns")
		return formatNs(v * tree.scale);
	return tree.unit === "bytes" ? formatBytes(v * tree.scale) : formatCount(v);
}

function formatSamples(n) {
	return `${formatCount(n)} ${Math.round(n) === 1 ? "sample" : "samples"}`;
}

/* "1.02 s CPU (101 samples, 12.3 %)" */
function formatMeasure(tree, v, total) {
	const samples = tree.perSample ? formatSamples(v / tree.perSample) + ", " : "";
	const value = tree.unit === "count" && /^samples?$/.test(tree.name)
		? formatSamples(v) : `${formatValue(tree, v)} ${tree.name}`.trim();

	return `${value} (${samples}${formatShare(v, total)})`;
}
