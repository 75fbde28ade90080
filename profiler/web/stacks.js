// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* What passes the filters: the stacks that all figures are computed from. */

/* The stacks that pass the filters, as columns in preorder. Siblings may be of one frame: what ran
 * under different labels is not merged. end: index after the last node below; total: with those. */
class Stacks {
	constructor(room) {
		this.n = 1;
		this.parent = new Int32Array(room);
		this.frame = new Int32Array(room);
		this.depth = new Int32Array(room);
		this.self = new Float64Array(room);
		this.parent[0] = this.frame[0] = NONE;
	}

	/* To be called with parents first and siblings side by side. */
	add(parent, frame) {
		const node = this.n++;

		if (node === this.parent.length)
			for (const column of ["parent", "frame", "depth", "self"])
				this[column] = larger(this[column], 2 * node);
		this.parent[node] = parent;
		this.frame[node] = frame;
		this.depth[node] = this.depth[parent] + 1;
		return node;
	}

	close() {
		const { n, parent, depth } = this;

		this.maxDepth = 0;
		this.total = this.self.slice(0, n);
		this.end = new Int32Array(n);
		for (let i = n - 1; i >= 0; i--) {
			this.end[i] = Math.max(this.end[i], i + 1);
			this.maxDepth = Math.max(this.maxDepth, depth[i]);
			if (i === 0)
				break;
			this.total[parent[i]] += this.total[i];
			this.end[parent[i]] = Math.max(this.end[parent[i]], this.end[i]);
		}
		return this;
	}
}

/* What is known of a stack down to a frame. */
const FOCUSED = 1, IGNORED = 2, BEGUN = 4, KEPT = 8 /* has a frame */, RUN = 16 /* last frame is of
	a run that becomes one */, LOST = 32;

/*
 * The stacks of a tree of the profile that pass, as `kiln report` has it. Filters see frames as
 * they were recorded, one after the other:
 * groups(set): the root frame of a label set, set NONE being what has no labels: NONE for no root,
 *     null to leave it out
 * focus, ignore: only stacks with a frame that matches, without those that have one
 * from: stacks from the first frame that matches on
 * mode: "all", "user" (kernel frames count as their callers) or "kernel" (nothing else)
 * noInline: inlined frames count as the function that they are part of
 * collapse: frames that match and follow each other count as the first of them
 * Those with regular expressions are by frame, 1 for a match, or null. Lost samples are no functions:
 * their time is that of everything, and `lost` says how much of it.
 */
class Selection {
	constructor(profile, tree, filters) {
		const depths = tree.depth.reduce((a, b) => Math.max(a, b), 0) + 2;

		Object.assign(this, { profile, tree, filters });
		this.out = new Stacks(tree.n + 1);
		this.at = new Int32Array(depths); /* by depth: where its frame went, or NONE */
		this.known = new Uint8Array(depths);
		this.known[0] = (filters.focus ? 0 : FOCUSED) | (filters.from ? 0 : BEGUN);
		this.unlabelled = filters.groups(NONE) !== null;
		this.set = NONE;
	}

	run() {
		const { out, tree, filters } = this;

		out.lost = 0;
		out.bySet = new Float64Array(this.profile.labelSets.length + 1); /* NONE first */
		if (this.unlabelled && filters.mode !== "kernel")
			this.count(0, tree.rest, this.known[0]);
		for (let i = 0; i < tree.n; i++) {
			const frame = tree.frame[i], depth = tree.depth[i];

			if (depth === 1)
				this.set = frame < 0 ? -1 - frame : NONE;
			if (frame < 0)
				this.addLabels(depth, tree.self[i]);
			else
				this.addFrame(frame, depth, tree.self[i]);
		}
		return out.close();
	}

	count(node, value, known) {
		if (node === NONE || !(known & FOCUSED) || known & IGNORED || !(known & BEGUN))
			return;
		this.out.self[node] += value;
		if (known & LOST)
			this.out.lost += value;
		else
			this.out.bySet[this.set + 1] += value;
	}

	addLabels(depth, value) {
		const group = this.filters.groups(this.set), parent = this.at[depth - 1];

		this.known[depth] = this.known[depth - 1];
		this.at[depth] = group === null || parent === NONE ? NONE
			: group === NONE ? parent : this.out.add(parent, group);
		if (this.filters.mode !== "kernel")
			this.count(this.at[depth], value, this.known[depth]);
	}

	addFrame(frame, depth, value) {
		const { profile, at } = this, { focus, ignore, from, mode } = this.filters;
		const outermost = depth === 1 || (depth === 2 && this.set !== NONE);
		const isLost = outermost ? frame === profile.lostFrame : this.known[depth - 1] & LOST;
		const parent = depth === 1 && !this.unlabelled ? NONE : at[depth - 1];
		let known = this.known[depth - 1] | (isLost ? LOST : 0);

		known |= (focus && focus[frame] ? FOCUSED : 0) | (ignore && ignore[frame] ? IGNORED : 0) |
			(from && from[frame] ? BEGUN : 0);
		at[depth] = parent;
		if (parent !== NONE && known & BEGUN && !isLost && this.keeps(frame, known)) {
			at[depth] = this.out.add(parent, frame);
			known = known & ~RUN | KEPT | (this.isOfRun(frame) ? RUN : 0);
		}
		this.known[depth] = known;
		if (mode !== "kernel" || profile.kernel[frame])
			this.count(at[depth], value, known);
	}

	isOfRun(frame) {
		return this.filters.collapse && this.filters.collapse[frame];
	}

	/* A frame that is not kept counts as the one above. */
	keeps(frame, known) {
		const { mode, noInline } = this.filters, { kernel, inlined } = this.profile;

		return (mode === "all" || kernel[frame] === (mode === "kernel" ? 1 : 0)) &&
			!(noInline && inlined[frame] && known & KEPT) &&
			!(known & RUN && this.isOfRun(frame));
	}
}

/*
 * The same stacks below roots that say what ran in the end: root(frame) of a stack's last frame.
 * One root after the other, each with the paths to its own.
 */
function rootedByLeaf(stacks, root) {
	const roots = new Map(), out = new Stacks(stacks.n + 1);
	const node = new Int32Array(stacks.n), of = new Int32Array(stacks.n).fill(NONE);

	for (let i = 1; i < stacks.n; i++) {
		const frame = stacks.self[i] ? root(stacks.frame[i]) : NONE;

		if (frame !== NONE)
			roots.set(frame, (roots.get(frame) || new Set()).add(i));
	}
	out.self[0] = stacks.self[0];
	for (const [frame, leaves] of roots) {
		node[0] = out.add(0, frame);
		of[0] = frame;
		for (const leaf of leaves) {
			const way = [];
			let i = leaf;

			for (; of[i] !== frame; i = stacks.parent[i])
				way.push(i);
			for (const next of way.reverse()) {
				node[next] = out.add(node[stacks.parent[next]], stacks.frame[next]);
				of[next] = frame;
			}
			out.self[node[leaf]] += stacks.self[leaf];
		}
	}
	return Object.assign(out.close(), { lost: stacks.lost, bySet: stacks.bySet });
}

/*
 * Puts nodes of stacks into a tree that grows. With `functionOf`, recursion is left out: a call of
 * a function that is on the way already leads back to where it is there.
 */
class Growing {
	constructor(seedling, maxDepth, functionOf, n) {
		this.seedling = seedling;
		this.functionOf = functionOf;
		this.at = new Int32Array(maxDepth + 2);
		if (!functionOf)
			return;
		/* The way to the node that was put last, and by function where on it, from 0. What
		 * a depth of the stacks has overwritten is restored when they have left it. */
		this.height = new Int32Array(maxDepth + 2);
		this.way = new Int32Array(maxDepth + 2);
		this.where = new Int32Array(n).fill(NONE);
		this.undo = [];
	}

	/* To be called in preorder. The node for a frame at this depth of the stacks, 1 at least. */
	put(depth, frame) {
		const { at, seedling } = this;

		if (!this.functionOf)
			at[depth] = seedling.child(at[depth - 1], frame);
		else
			this.putOnce(depth, frame);
		return at[depth];
	}

	putOnce(depth, frame) {
		const { at, height, way, where, undo } = this, fn = this.functionOf[frame];

		while (undo.length && undo.at(-1).depth >= depth) {
			const old = undo.pop();

			way[old.height] = old.node;
			where[old.fn] = old.where;
		}
		const there = where[fn];

		if (there !== NONE && there <= height[depth - 1] &&
		    this.functionOf[this.seedling.frame[way[there]]] === fn) {
			at[depth] = way[there];
			height[depth] = there;
			return;
		}
		height[depth] = height[depth - 1] + 1;
		at[depth] = this.seedling.child(at[depth - 1], frame);
		undo.push({ depth, height: height[depth], node: way[height[depth]], fn, where: there });
		way[height[depth]] = at[depth];
		where[fn] = height[depth];
	}
}
