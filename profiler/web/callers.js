// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* Whose code a function worked for: its best-known caller, by the rules of profiler/profile/table.c: see there. */

/* What html.c says of a frame as a caller. */
const VAGUE_CALLER = 1, NO_CALLER = 2, PLUMBING = 3, ENGINE = 4;
const MAX_VAGUE = 2;
const LEAST_BLAME = 0.25;

/* What functions took below each of their callers. */
class CallerSums {
	constructor(profile) {
		const { kernel, modules } = profile, domains = new Map([["", 0]]);

		this.profile = profile;
		this.n = profile.functions.length;
		this.values = new Map(); /* by function and caller, as one number */
		/* By frame: all of the kernel is one domain. */
		this.domain = modules.map((module, frame) => {
			const key = kernel[frame] ? "" : module;

			if (!domains.has(key))
				domains.set(key, domains.size);
			return domains.get(key);
		});
		this.foreign = modules.map((module, frame) => kernel[frame] || module.includes(".so"));
	}

	/* times: how often the stacks count. */
	add(stacks, times) {
		const { functionOf } = this.profile, { values, n } = this, own = ownCalls(this.profile, stacks);
		const callers = this.callersOf(stacks);

		for (let i = 1; i < stacks.n; i++) {
			if (!callers[i])
				continue;
			const pair = functionOf[stacks.frame[i]] * n + functionOf[stacks.frame[callers[i]]];

			values.set(pair, (values.get(pair) || 0) + times * own[i]);
		}
	}

	/* By node the one that is to blame, or 0. Each column has what holds below a node, but for
	 * outside and other: the nearest above of another domain, and of another function. */
	callersOf(stacks) {
		const { frame, parent, n } = stacks, { functionOf, callerKinds } = this.profile;
		const above = new Int32Array(n), plumbing = new Int32Array(n), vague = new Uint8Array(n);
		const outside = new Int32Array(n), other = new Int32Array(n), callers = new Int32Array(n);
		const same = (of, a, b) => of[frame[a]] === of[frame[b]];

		for (let i = 1; i < n; i++) {
			const p = parent[i], up = above[p], kind = callerKinds[frame[i]];

			outside[i] = up && same(this.domain, up, i) ? outside[up] : up;
			other[i] = up && same(functionOf, up, i) ? other[up] : up;
			if (!other[i] && plumbing[p] && !same(functionOf, plumbing[p], i))
				other[i] = plumbing[p];
			callers[i] = this.foreign[frame[i]] && outside[i] || other[i];
			above[i] = up;
			plumbing[i] = plumbing[p];
			vague[i] = vague[p];
			if (kind === ENGINE) {
				above[i] = plumbing[i] = 0;
			} else if (kind === PLUMBING) {
				plumbing[i] ||= i;
			} else if (kind !== NO_CALLER && (kind !== VAGUE_CALLER || !up || ++vague[i] > MAX_VAGUE)) {
				above[i] = i;
				vague[i] = kind === VAGUE_CALLER ? MAX_VAGUE : 0;
			}
		}
		return callers;
	}

	/* By function the caller, or NONE. total: of each function. */
	best(total) {
		const { values, n } = this, names = this.profile.functionNames;
		const best = new Int32Array(n).fill(NONE), most = new Float64Array(n), called = new Float64Array(n);

		for (const [pair, value] of values) {
			const fn = Math.floor(pair / n), caller = pair % n, more = Math.abs(value) - Math.abs(most[fn]);

			called[fn] += value;
			if (best[fn] === NONE || more > 0 || (more === 0 && names[caller] < names[best[fn]])) {
				best[fn] = caller;
				most[fn] = value;
			}
		}
		return best.map((caller, fn) => {
			const size = Math.abs(most[fn]);

			return size >= LEAST_BLAME * Math.abs(total[fn]) && size >= Math.abs(total[fn] - called[fn])
				? caller : NONE;
		});
	}
}

/* By node the value of the stacks in which it is the innermost call of its function. */
function ownCalls(profile, stacks) {
	const { n, frame, end, total } = stacks, own = total.slice(), open = [];
	const inner = new Int32Array(profile.functions.length), outer = new Int32Array(n);

	for (let i = 1; i < n; i++) {
		const fn = profile.functionOf[frame[i]];

		while (open.length && end[open.at(-1)] <= i) {
			const closed = open.pop();

			inner[profile.functionOf[frame[closed]]] = outer[closed];
		}
		own[inner[fn]] -= total[i];
		outer[i] = inner[fn];
		inner[fn] = i;
		open.push(i);
	}
	return own;
}

/* By function whom to blame for it, or NONE; in a difference for what changed. */
function callersToBlame(page) {
	const { profile, stacks, baseStacks, sums, baseSums } = page, callers = new CallerSums(profile);

	callers.add(stacks, 1);
	if (baseStacks)
		callers.add(baseStacks, -2);
	return callers.best(baseSums ? sums.total.map((total, fn) => total - 2 * baseSums.total[fn]) : sums.total);
}
