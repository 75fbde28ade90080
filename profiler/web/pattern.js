// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/*
 * Regular expressions that answer in time linear in the text, whatever they are: they come from
 * the address too, and a browser's own may take years. Sets of places in the expression are the
 * states of an automaton, which is built as texts lead through it (R. Cox, "Regular Expression
 * Matching Can Be Simple And Fast"). So nothing can refer back to a group or look around it.
 */

const LONGEST_PATTERN = 2000, MOST_REPEATED = 1000;
/* Of a compiled expression; of states, after which it starts anew; of work to find states in. */
const MOST_CODE = 5000, MOST_PARTS = 20000, MOST_STATES = 2000, MOST_STEPS = 2e7;
const LAST_CHAR = 0xffff;

const WORD = [[48, 57], [65, 90], [95, 95], [97, 122]];
const ESCAPED_SETS = {
	d: [[48, 57]], w: WORD, s: [[9, 13], [32, 32], [160, 160], [0x2028, 0x2029], [0xfeff, 0xfeff]],
};
const ESCAPED_CHARS = { n: 10, t: 9, r: 13, f: 12, v: 11 };
const QUANTIFIERS = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] };

/* What stands between ranges. */
function negated(ranges) {
	const out = [];
	let next = 0;

	for (const [low, high] of ranges.slice().sort((a, b) => a[0] - b[0])) {
		if (low > next)
			out.push([next, low - 1]);
		next = Math.max(next, high + 1);
	}
	return next <= LAST_CHAR ? [...out, [next, LAST_CHAR]] : out;
}

const inRanges = (ranges, c) => ranges.some(([low, high]) => low <= c && c <= high);

/* The same and the other case: of letters one by one, of ranges those in ASCII. */
function bothCases(ranges) {
	const out = ranges.slice();

	for (const [low, high] of ranges) {
		const c = String.fromCharCode(low);

		if (low === high)
			out.push(...[c.toLowerCase(), c.toUpperCase()].filter(s => s.length === 1)
				.map(s => [s.charCodeAt(0), s.charCodeAt(0)]));
		for (const [from, shift] of [[65, 32], [97, -32]]) {
			const a = Math.max(low, from), b = Math.min(high, from + 25);

			if (a <= b)
				out.push([a + shift, b + shift]);
		}
	}
	return out;
}

/* Text to a tree of { cat }, { alt }, { repeat, min, max }, { set }, { assert }. */
class PatternParser {
	constructor(text, ignoreCase) {
		if (text.length > LONGEST_PATTERN)
			throw new Error(`longer than ${LONGEST_PATTERN} characters`);
		this.ignoreCase = ignoreCase || text.startsWith("(?i)");
		this.text = text;
		this.at = text.startsWith("(?i)") ? 4 : 0;
	}

	parse() {
		const tree = this.alternatives();

		if (this.at < this.text.length)
			throw new Error("a ) without its (");
		return tree;
	}

	take(text) {
		const there = this.text.startsWith(text, this.at);

		this.at += there ? text.length : 0;
		return there;
	}

	alternatives() {
		const alt = [this.sequence()];

		while (this.take("|"))
			alt.push(this.sequence());
		return alt.length > 1 ? { alt } : alt[0];
	}

	sequence() {
		const cat = [];

		while (this.at < this.text.length && !"|)".includes(this.text[this.at]))
			cat.push(this.repeated(this.one()));
		return { cat };
	}

	repeated(repeat) {
		const counts = /^\{(\d+)(,?)(\d*)\}/.exec(this.text.slice(this.at, this.at + 24));
		let [min, max] = QUANTIFIERS[this.text[this.at]] || [1, 1];

		if (counts) {
			min = Number(counts[1]);
			max = counts[3] ? Number(counts[3]) : counts[2] ? Infinity : min;
			if (min > max || min > MOST_REPEATED || (counts[3] && max > MOST_REPEATED))
				throw new Error(`${counts[0]} cannot be counted`);
		} else if (!QUANTIFIERS[this.text[this.at]]) {
			return repeat;
		}
		this.at += counts ? counts[0].length : 1;
		this.take("?"); /* a lazy one matches the same texts */
		if (QUANTIFIERS[this.text[this.at]])
			throw new Error(`nothing to repeat before ${this.text[this.at]}`);
		return { repeat, min, max };
	}

	one() {
		const c = this.text[this.at++];

		switch (c) {
		case "(": return this.group();
		case "[": return this.bracket();
		case "\\": return this.escape();
		case ".": return { set: negated([[10, 10]]) };
		case "^": return { assert: "begin" };
		case "$": return { assert: "end" };
		}
		if (QUANTIFIERS[c])
			throw new Error(`nothing to repeat before ${c}`);
		return this.set([[c.charCodeAt(0), c.charCodeAt(0)]]);
	}

	set(ranges, not = false) {
		const all = this.ignoreCase ? bothCases(ranges) : ranges;

		return { set: not ? negated(all) : all };
	}

	group() {
		if (this.take("?") && !this.take(":"))
			throw new Error(`(?${this.text[this.at] || ""} is not understood here`);
		const tree = this.alternatives();

		if (!this.take(")"))
			throw new Error("a ( without its )");
		return tree;
	}

	/* The ranges of an escape, after its backslash. */
	escaped() {
		const c = this.text[this.at++], lower = (c || "").toLowerCase();
		const code = this.text.slice(this.at - 1).match(/^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4}))/);

		if (c === undefined)
			throw new Error("a \\ at the end");
		if (ESCAPED_SETS[lower])
			return c === lower ? ESCAPED_SETS[c] : negated(ESCAPED_SETS[lower]);
		if (code)
			this.at += code[0].length - 1;
		else if (!ESCAPED_CHARS[c] && /[A-Za-z0-9]/.test(c))
			throw new Error(`\\${c} is not understood here`);
		const value = code ? Number.parseInt(code[1] || code[2], 16)
			: ESCAPED_CHARS[c] || c.charCodeAt(0);

		return [[value, value]];
	}

	escape() {
		if (this.take("b"))
			return { assert: "edge" };
		if (this.take("B"))
			return { assert: "inside" };
		return this.set(this.escaped());
	}

	bracket() {
		const not = this.take("^"), ranges = [];
		const one = () => {
			const c = this.text[this.at++];

			return c === "\\" ? this.escaped() : [[c.charCodeAt(0), c.charCodeAt(0)]];
		};

		for (let first = true; first || this.text[this.at] !== "]"; first = false) {
			if (this.at >= this.text.length)
				throw new Error("a [ without its ]");
			const from = one();

			if (this.text[this.at] === "-" && this.text[this.at + 1] !== "]" &&
			    this.at + 1 < this.text.length && from.length === 1) {
				this.at++;
				const [low, high] = [from[0][0], one()[0][1]];

				if (low > high)
					throw new Error("a range in [] that ends before it begins");
				ranges.push([low, high]);
			} else {
				ranges.push(...from);
			}
		}
		this.at++;
		return this.set(ranges, not);
	}
}

/* Steps: { set, next implied }, { to: [places] }, { assert }, {} for a match. */
class PatternCode {
	constructor(tree) {
		this.code = [];
		this.parts = 0; /* one without code is work, too */
		this.add(tree);
		this.emit({ match: true });
	}

	emit(step) {
		if (this.code.push(step) > MOST_CODE)
			throw new Error("too large when written out");
		return step;
	}

	add({ cat, alt, repeat, min, max, set, assert }) {
		if (++this.parts > MOST_PARTS)
			throw new Error("too large when written out");
		if (set || assert)
			this.emit({ set, assert });
		else if (cat)
			cat.forEach(part => this.add(part));
		else if (alt)
			this.addChoices(alt);
		else
			this.addRepeated(repeat, min, max);
	}

	addChoices(alt) {
		const choice = this.emit({ to: [] }), ends = [];

		for (const part of alt) {
			choice.to.push(this.code.length);
			this.add(part);
			ends.push(this.emit({ to: [] }));
		}
		for (const end of ends)
			end.to.push(this.code.length);
	}

	addRepeated(part, min, max) {
		const skips = [];

		for (let i = 0; i < min; i++)
			this.add(part);
		if (max === Infinity) {
			const start = this.code.length, loop = this.emit({ to: [start + 1] });

			this.add(part);
			this.emit({ to: [start] });
			skips.push(loop);
		}
		for (let i = min; i < max && max !== Infinity; i++) {
			skips.push(this.emit({ to: [this.code.length + 1] }));
			this.add(part);
		}
		for (const skip of skips)
			skip.to.push(this.code.length);
	}
}

const UNKNOWN = 0, FOUND = -1, NOT_FOUND = -2;

class Pattern {
	/* Throws an Error that says what is wrong with the text. */
	constructor(text, { ignoreCase = false } = {}) {
		this.code = new PatternCode(new PatternParser(text, ignoreCase).parse()).code;
		this.edges = this.code.some(s => s.assert === "edge" || s.assert === "inside");
		this.seen = new Int32Array(this.code.length);
		this.turn = 0;
		this.steps = 0;
		this.sortChars();
		this.table = new Int32Array((this.end + 1) * MOST_STATES);
		this.forget();
	}

	/* Characters that no part of the expression tells apart are of one kind. */
	sortChars() {
		const sets = this.code.filter(s => s.set).map(s => s.set);
		const cuts = new Set([0]);

		for (const [low, high] of [...sets.flat(), ...this.edges ? WORD : []])
			cuts.add(low).add(high + 1);
		this.kinds = [...cuts].filter(c => c <= LAST_CHAR).sort((a, b) => a - b);
		this.kindOf = new Uint16Array(LAST_CHAR + 1);
		this.kinds.forEach((from, kind) =>
			this.kindOf.fill(kind, from, this.kinds[kind + 1] ?? LAST_CHAR + 1));
		this.end = this.kinds.length;
		this.has = new Map(sets.map(set => [set,
			Uint8Array.from(this.kinds, c => inRanges(set, c) ? 1 : 0)]));
		this.isWord = [...this.kinds.map(c => this.edges && inRanges(WORD, c)), false];
	}

	/* A state: the places that the characters so far lead to, and what an assertion asks of them.
	 * State 1 is the beginning. */
	forget() {
		this.states = [null];
		this.ids = new Map();
		this.table.fill(UNKNOWN);
		this.steps += this.table.length / 16;
		this.state([], true, false);
	}

	state(places, begin, afterWord) {
		const key = `${begin} ${afterWord} ${places.join(" ")}`;
		let id = this.ids.get(key);

		if (id === undefined) {
			id = this.states.push({ places, begin, afterWord }) - 1;
			this.ids.set(key, id);
		}
		return id;
	}

	holds(assert, { begin, afterWord }, kind) {
		const edge = afterWord !== this.isWord[kind];

		return assert === "begin" ? begin : assert === "end" ? kind === this.end
			: assert === "edge" ? edge : !edge;
	}

	/* The state after a character of this kind, FOUND, or NOT_FOUND at the end of the text. A
	 * match may begin anywhere, so place 0 is always among the places. */
	next(state, kind) {
		const open = [0, ...state.places], places = [];

		this.turn++;
		while (open.length) {
			const at = open.pop(), step = this.code[at];

			if (this.seen[at] === this.turn)
				continue;
			this.seen[at] = this.turn;
			this.steps++;
			if (step.match)
				return FOUND;
			if (step.to)
				open.push(...step.to);
			else if (step.assert && this.holds(step.assert, state, kind))
				open.push(at + 1);
			else if (step.set && kind !== this.end && this.has.get(step.set)[kind])
				places.push(at + 1);
		}
		if (this.steps > MOST_STEPS)
			throw new Error("takes too long");
		return kind === this.end ? NOT_FOUND
			: this.state(places.sort((a, b) => a - b), false, this.isWord[kind]);
	}

	test(text) {
		const { kindOf } = this, width = this.end + 1;

		for (let i = 0, id = 1; ; i++) {
			const kind = i < text.length ? kindOf[text.charCodeAt(i)] : this.end;
			let next = this.table[id * width + kind];

			if (next === UNKNOWN) {
				if (this.states.length >= MOST_STATES - 1)
					id = this.keepOnly(id);
				next = this.next(this.states[id], kind);
				this.table[id * width + kind] = next;
			}
			if (next < 0)
				return next === FOUND;
			id = next;
		}
	}

	keepOnly(id) {
		const { places, begin, afterWord } = this.states[id];

		this.forget();
		return this.state(places, begin, afterWord);
	}
}

/* Matches the text and nothing else. */
function quoted(text) {
	return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
