// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/*
 * The profile, and what is computed from it. All figures come from its stacks: tables, searches,
 * callers, callees and the inverted view are exact however much of a tree is drawn.
 */

const LOST_SAMPLES = "[lost samples]";

/*
 * Stacks from the inside out, merged, the heaviest first and no more than can be drawn. A group is
 * what shares a path: members stand on a node each, from which they go on to its caller.
 */
class Backwards {
	/* room: of how many frames there are. */
	constructor(stacks, room, hidden) {
		this.stacks = stacks;
		this.hidden = hidden;
		this.seedling = new Seedling(1024);
		this.groupOf = new Int32Array(room).fill(NONE); /* by frame, while a group is split */
		this.heap = [];
	}

	/* nodes: where members begin; weights: what they weigh, by node; top: the frame that stands
	 * for where they begin, or NONE. */
	grow(nodes, weights, top) {
		this.weights = weights;
		this.push(top === NONE ? { at: 0, nodes, members: nodes, sum: 0 }
			: { at: this.seedling.child(0, top), sum: 0, members: nodes,
			    nodes: nodes.map(node => this.stacks.parent[node]) });
		while (this.heap.length && this.seedling.n < MAX_NODES)
			this.split(this.pop());
		for (const group of this.heap)
			this.hide(group);
		return this.seedling;
	}

	/* Members of a group by the frame that they stand on; those that are through are its own. */
	split({ at, nodes, members }) {
		const { stacks, groupOf, seedling, weights } = this, groups = [];

		for (let i = 0; i < nodes.length; i++) {
			const node = nodes[i], weight = weights[members[i]];

			if (node <= 0) {
				seedling.self[at] += weight;
				continue;
			}
			const frame = stacks.frame[node];

			if (groupOf[frame] === NONE) {
				groupOf[frame] = groups.length;
				groups.push({ frame, nodes: [], members: [], sum: 0 });
			}
			const group = groups[groupOf[frame]];

			group.nodes.push(stacks.parent[node]);
			group.members.push(members[i]);
			group.sum += weight;
		}
		for (const group of groups) {
			groupOf[group.frame] = NONE;
			group.at = seedling.child(at, group.frame);
			this.push(group);
		}
	}

	hide({ at, nodes, members }) {
		const { seedling, weights } = this;

		for (let i = 0; i < nodes.length; i++) {
			const to = nodes[i] > 0 ? seedling.child(at, this.hidden) : at;

			seedling.self[to] += weights[members[i]];
			if (to !== at)
				seedling.hiddenBelow = Math.max(seedling.hiddenBelow,
								weights[members[i]]);
		}
	}

	push(group) {
		const { heap } = this;
		let i = heap.push(group) - 1;

		for (let up; i && heap[up = i - 1 >> 1].sum < group.sum; i = up)
			heap[i] = heap[up];
		heap[i] = group;
	}

	pop() {
		const { heap } = this, first = heap[0], last = heap.pop();

		if (heap.length) {
			let i = 0;

			for (let down; (down = 2 * i + 1) < heap.length; i = down) {
				if (down + 1 < heap.length && heap[down + 1].sum > heap[down].sum)
					down++;
				if (heap[down].sum <= last.sum)
					break;
				heap[i] = heap[down];
			}
			heap[i] = last;
		}
		return first;
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
		this.inlined = data.frames.inlined;
		this.callerKinds = data.frames.caller;
		/* What tables have a frame under. */
		this.origins = { module: this.modules };
		for (const word of ["file", "directory", "package"])
			this.origins[word] = data.frames[word].map(i => data.strings[i]);
		this.classKeys = data.classes.map(c => c.key);
		this.rootClass = this.classKeys.indexOf("root");
		this.groupFrames = new Map();
		this.functions = []; /* a frame of each */
		this.functionNames = [];
		this.functionOf = [];
		this.functionIds = new Map();
		this.names.forEach((name, frame) => this.indexFunction(frame));
		this.labelSets = data.labels.sets.map(set => new Map(set.map(([key, value]) =>
			[data.strings[key], data.strings[value]])));
		this.isDifference = data.base !== undefined || data.trees.some(t => t.rest < 0 || t.self.some(v => v < 0));
		/* Else all that is known of the base is what shrank, and of the other profile what grew. */
		this.hasBase = data.base !== undefined || this.labelSets.some(set => set.has(data.labels.keys.base));
		this.sides = this.hasBase ? { base: "Base", now: "Now" } : { base: "Shrank", now: "Grew" };
		this.trees = data.trees.map(t => this.decode(t));
		this.lostFrame = this.names.findIndex((name, frame) =>
			name === LOST_SAMPLES && this.modules[frame] === "[kiln]");
		this.hidden = this.addFrame("[hidden]", "[kiln]", "synthetic");
	}

	bareName(frame) {
		const module = this.modules[frame];

		return module[0] === "[" ? module : `[${module}]`;
	}

	/* Inlined or not, in whatever file: a function is its name and its module. Addresses without
	 * a name are one function for each module. */
	functionName(frame) {
		const name = this.names[frame], bare = this.bareName(frame), tail = /\+0x[0-9a-f]+$/i.exec(name);
		const before = tail ? name.slice(0, tail.index) : "";

		return !name || before === bare || tail && before === this.modules[frame] ? bare : name;
	}

	indexFunction(frame) {
		const name = this.functionName(frame);
		const key = name + "\0" + this.modules[frame];
		let id = this.functionIds.get(key);

		if (id === undefined) {
			id = this.functions.length;
			this.functionIds.set(key, id);
			this.functions.push(frame);
			this.functionNames.push(name);
		}
		this.functionOf[frame] = id;
	}

	/* A frame that stands for all of a function. */
	frameOf(fn) {
		const frame = this.functions[fn], name = this.functionNames[fn];

		if (this.names[frame] !== name)
			this.functions[fn] = this.addFrame(name, this.modules[frame], "unknown");
		return this.functions[fn];
	}

	addFrame(name, module, classKey) {
		const frame = this.names.length;

		this.names.push(name);
		this.modules.push(module);
		this.classes.push(this.classKeys.indexOf(classKey));
		this.kernel.push(0);
		this.inlined.push(0);
		this.callerKinds.push(NO_CALLER);
		for (const word of ["file", "directory", "package"])
			this.origins[word].push(module);
		this.indexFunction(frame);
		return frame;
	}

	groupFrame(text) {
		if (!this.groupFrames.has(text))
			this.groupFrames.set(text, this.addFrame(text, "", "root"));
		return this.groupFrames.get(text);
	}

	/* frame: id, or -1 - label set. The values written are self values in preorder. In a difference those below 0
	 * are of the base: `base` has them instead of the tree's own, which are of both together. */
	decode(tree) {
		const n = tree.depth.length, { rest } = tree;

		return { ...tree, n, frame: Int32Array.from(tree.frame), depth: Int32Array.from(tree.depth),
			 self: Float64Array.from(tree.self, Math.abs), rest: Math.abs(rest),
			 base: { self: Float64Array.from(tree.self, v => Math.max(0, -v)), rest: Math.max(0, -rest) } };
	}

	/* What each label set costs. */
	weights(tree) {
		const weights = new Float64Array(this.labelSets.length);
		let set = NONE;

		for (let i = 0; i < tree.n; i++) {
			if (tree.depth[i] === 1)
				set = tree.frame[i] < 0 ? -1 - tree.frame[i] : NONE;
			if (set !== NONE)
				weights[set] += tree.self[i];
		}
		return weights;
	}

	/* The tree of stacks, or of a tree, equal ones merged; once: without recursion. */
	seedlingOf(stacks, once) {
		const seedling = new Seedling(stacks.n);
		const growing = new Growing(seedling, stacks.maxDepth, once ? this.functionOf : null,
					    this.functions.length);

		seedling.self[0] = stacks.self[0];
		for (let i = 1; i < stacks.n; i++) {
			if (!(stacks.total[i] > 0)) {
				i = stacks.end[i] - 1;
				continue;
			}
			seedling.self[growing.put(stacks.depth[i], stacks.frame[i])] += stacks.self[i];
		}
		return seedling;
	}

	/* As much as can be drawn. */
	merged(stacks, once = false) {
		return this.grown(this.seedlingOf(stacks, once).pruned(this.hidden));
	}

	/* All of it, to be used like stacks. */
	withoutRecursion(stacks) {
		return this.grown(this.seedlingOf(stacks, true));
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
	inverted(stacks) {
		const leaves = [];

		for (let i = 1; i < stacks.n; i++)
			if (stacks.self[i])
				leaves.push(i);
		return this.backwards(stacks, leaves, stacks.self);
	}

	backwards(stacks, nodes, weights, top = NONE) {
		return this.grown(new Backwards(stacks, this.names.length, this.hidden)
			.grow(nodes, weights, top));
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

	/* The function stands on top as one frame, whichever of its frames was called. */
	callees(stacks, fn) {
		const seedling = new Seedling(1024);
		const at = new Int32Array(stacks.maxDepth + 2);
		const top = this.frameOf(fn);

		for (const root of this.outermost(stacks, fn)) {
			at[stacks.depth[root]] = seedling.child(0, top);
			seedling.self[at[stacks.depth[root]]] += stacks.self[root];
			for (let i = root + 1; i < stacks.end[root]; i++) {
				const node = seedling.child(at[stacks.depth[i] - 1], stacks.frame[i]);

				at[stacks.depth[i]] = node;
				seedling.self[node] += stacks.self[i];
			}
		}
		return this.grown(seedling.pruned(this.hidden));
	}

	callers(stacks, fn) {
		return this.backwards(stacks, this.outermost(stacks, fn), stacks.total,
				      this.frameOf(fn));
	}

	/* Own and total value of each function, a recursive call counted once. */
	functionSums(tree) {
		return this.sums(tree, this.functionOf, this.functions.length);
	}

	/* of: the row of a frame. */
	sums(tree, of, n) {
		const self = new Float64Array(n), total = new Float64Array(n);
		const active = new Int32Array(n);
		const open = [];

		for (let i = 1; i < tree.n; i++) {
			const row = of[tree.frame[i]];

			while (open.length && tree.end[open[open.length - 1]] <= i)
				active[of[tree.frame[open.pop()]]]--;
			if (!active[row]++)
				total[row] += tree.total[i];
			self[row] += tree.self[i];
			open.push(i);
		}
		return { self, total };
	}

	/* Per function 1 if its name matches. */
	matches(pattern) {
		return Uint8Array.from(this.functionNames, name => pattern.test(name) ? 1 : 0);
	}

	/* Per frame 1 if the name of its function, if it has one, or of its module matches. */
	matchingFrames(pattern) {
		const known = new Map();
		const test = name => {
			if (!known.has(name))
				known.set(name, name !== "" && pattern.test(name) ? 1 : 0);
			return known.get(name);
		};

		return Uint8Array.from(this.functionOf, (fn, frame) => this.classes[frame] === this.rootClass
			? 0 : test(this.modules[frame]) ||
			(this.functionNames[fn] !== this.bareName(frame) && test(this.functionNames[fn])));
	}

	/* Rows of the table by line that are the function's, the heaviest first. */
	linesOf(fn) {
		const { lines, strings } = this.info;

		if (!this.lineRows) {
			this.lineRows = new Map();
			lines.name.forEach((name, i) => {
				const id = this.functionIds.get(`${strings[name]}\0${strings[lines.module[i]]}`);

				if (!strings[lines.at[i]])
					return;
				if (!this.lineRows.has(id))
					this.lineRows.set(id, []);
				this.lineRows.get(id).push(i);
			});
		}
		return (this.lineRows.get(fn) || []).map(i => {
			const [, file, line] = /^ \((.*):(-?\d+)\)$/.exec(strings[lines.at[i]]) ||
				["", strings[lines.at[i]], 0];

			return { file, line, self: lines.self[i], total: lines.total[i] };
		}).sort((a, b) => b.self - a.self || b.total - a.total);
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
