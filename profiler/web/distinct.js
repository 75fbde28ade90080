// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* Distinct names stay distinct, by the rules of profiler/profile/short_names.c: see there. */

const KEEPS = 4, KEEP_MAX = 32;

/* Within parameters, or a return type. */
function isInType({ name, type }, at) {
	let depth = 0;

	for (let i = type; i < at; i++)
		depth += name[i] === "(" ? 1 : name[i] === ")" && depth ? -1 : 0;
	return at < type || depth > 0;
}

/* The word at `at`, else the next one with what is before it, else the one before. */
function keptWord(shortened, at) {
	const { name } = shortened;
	let from = at, to = at;
	const back = () => {
		const end = from;

		while (isWord(name[from - 1]) && end - from < KEEP_MAX / 2)
			from--;
	};

	if (isWord(name[at])) {
		back();
	} else {
		while (to < name.length && !isWord(name[to]) && !(OPENING + CLOSING).includes(name[to]))
			to++;
		if (!isWord(name[to])) {
			while (from && !isWord(name[from - 1]))
				from--;
			to = from;
			back();
		}
	}
	while (isWord(name[to]) && to - from < KEEP_MAX)
		to++;
	/* Of "java.util.List" the last word says most; or it has not been enough. */
	if (!shortened.keeps.length && name[to] === "." && isInType(shortened, from)) {
		while (name[to] === "." && isWord(name[to + 1]) && !/\d/.test(name[to + 1])) {
			from = ++to;
			while (isWord(name[to]) && to - from < KEEP_MAX)
				to++;
		}
	}
	at = Math.max(at, from);
	/* Not half a surrogate pair. */
	if (/[\udc00-\udfff]/.test(name[from] || ""))
		from--;
	if (/[\udc00-\udfff]/.test(name[to] || ""))
		to--;
	/* "<..., true>" */
	if (from >= 2 && name.startsWith(", ", from - 2))
		from -= 2;
	return { from, to: Math.max(from, to), at };
}

function commonPrefix(a, b) {
	let n = 0;

	while (n < a.length && a[n] === b[n])
		n++;
	return n;
}

/* Characters from the beginning of a that are as in b, return types aside if that is not all. */
function alikeBegin(a, b) {
	const own = a.name.slice(a.type), other = b.name.slice(b.type);

	return own === other ? commonPrefix(a.name, b.name) : a.type + commonPrefix(own, other);
}

class Shortened {
	constructor(name, columns) {
		this.name = name;
		this.type = typeLength(name);
		this.columns = columns;
		this.keeps = [];
		this.text = shortName(name, columns);
	}

	/* What tells it from the neighbour that is most alike. */
	giveBack(before, after) {
		this.keeps.push(keptWord(this, Math.max(before ? alikeBegin(this, before) : 0,
							after ? alikeBegin(this, after) : 0)));
	}

	/* A number comes behind. */
	shorten(number) {
		this.text = shortName(this.name, this.columns - number.length, this.keeps) + number;
	}
}

/* Runs of those whose text is not theirs alone. */
function alike(all) {
	const byText = new Map();

	for (const s of all) {
		const run = byText.get(s.text);

		if (run)
			run.push(s);
		else
			byText.set(s.text, [s]);
	}
	return [...byText.values()].filter(run => run.length > 1);
}

function numberThem(runs, all) {
	const taken = new Set(all.map(s => s.text));
	let next = 1;

	runs.sort((a, b) => a[0].text < b[0].text ? -1 : 1);
	for (const s of runs.flat()) {
		do
			s.shorten(` #${next++}`);
		while (taken.has(s.text));
		taken.add(s.text);
	}
}

/* Of each name, a text of at most so many columns that no other name has. */
function shortNames(names, columns) {
	const all = [...new Set(names)].map(name => new Shortened(name, columns));
	const order = (a, b) => a.name.slice(a.type) + "\0" + a.name < b.name.slice(b.type) + "\0" + b.name
		? -1 : 1;

	all.sort(order);

	let runs = alike(all);

	/* Each round looks at all: a new text may be that of another name. */
	for (let round = 0; runs.length && round < KEEPS; round++) {
		for (const run of runs) {
			run.forEach((s, i) => s.giveBack(run[i - 1], run[i + 1]));
			for (const s of run)
				s.shorten("");
		}
		runs = alike(all);
	}
	numberThem(runs, all);

	const texts = new Map(all.map(s => [s.name, s.text]));

	return names.map(name => texts.get(name));
}
