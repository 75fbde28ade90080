// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* Names in few columns, by the rules of profiler/profile/short_name.c: see there. */
const STRUCTURED_MAX = 16384, DEPTHS = 8, MARK_CHARS = 3, LEAST_WINDOW = 10, VAGUE_ROOM = 4;
const LEVEL = { UNTYPED: 0, BARE: 1, SIMPLE: 2, PARAMS: 3, ARGS: 11, NO_INNER_ARGS: 17, PATHS: 19, NO_PARAMS: 20,
		NO_ARGS: 21, SELF: 22, COMPONENTS: 23 };
const SHOWN = 0, ELIDED = 1, GONE = 2;
const IMPL = "<impl ";

/* The name at a level, see enum level. */
class NameView {
	/* keeps: { from, to, at } of what must be seen; `at` is what matters of the last one. */
	constructor(name, keeps) {
		this.name = name;
		this.keeps = keeps;
		this.parts = new NameParts(name);
		this.mask = new Uint8Array(name.length);
		this.last = LEVEL.COMPONENTS + this.parts.components.length - 1;
	}

	hide(from, to, how) {
		if (from < to)
			this.mask.fill(how, from, to);
	}

	/* True if it has hidden what is in it. */
	hideGroup({ open, close, depth, params }, level) {
		const own = (params ? LEVEL.PARAMS : LEVEL.ARGS) + DEPTHS - Math.min(depth, DEPTHS);

		if (depth === 1 && level >= (params ? LEVEL.NO_PARAMS : LEVEL.NO_ARGS)) {
			const from = this.name.startsWith("::<", open - 2) && open > 1
				? open - 2
				: open - (this.name[open - 1] === " ");

			this.hide(from, close + 1, GONE);
		} else if (level >= own && close - open - 1 > MARK_CHARS) {
			this.hide(open + 1, close, ELIDED);
		} else {
			return false;
		}
		return true;
	}

	hideGroups(level) {
		let hiddenTo = 0;

		for (const group of this.parts.groups) {
			if (!group.close || group.kind !== "args" || group.open < hiddenTo)
				continue;
			if (this.hideGroup(group, level))
				hiddenTo = group.close;
		}
	}

	hidePaths({ open, close }, separator) {
		const { name } = this, n = separator.length;

		for (let word = open + 1, i = word; i < close; i++) {
			if (isWord(name[i]))
				continue;
			if (i > word && name.startsWith(separator, i) && isWord(name[i + n]) &&
			    !/\d/.test(name[i + n])) {
				this.hide(word, i + n, GONE);
				i += n - 1;
			}
			word = i + 1;
		}
	}

	outerGroups(params) {
		return this.parts.groups.filter(group => group.close && group.kind === "args" &&
							 group.params === params && group.depth === 1);
	}

	simplifyTypes() {
		for (const group of [...this.outerGroups(true), ...this.outerGroups(false)])
			this.hidePaths(group, "::");
		for (const group of this.outerGroups(true))
			this.hidePaths(group, ".");
	}

	hideJava() {
		const { name } = this, end = name[0] === "L" ? name.indexOf(";::") : -1;

		for (const { index, 0: found } of name.matchAll(/[+/]0x[0-9a-f]{8,}(?=\.)/g))
			this.hide(index, index + found.length, GONE);
		if (end < 0)
			return;
		this.hide(0, 1, GONE);
		this.hide(end, end + 1, GONE);
	}

	findInGroup({ open, close }, next, word) {
		const { groups } = this.parts;

		for (let i = open + 1; i + word.length < close; i++) {
			while (next < groups.length && (groups[next].open < i ||
							(groups[next].open === i && !groups[next].close)))
				next++;
			if (next < groups.length && groups[next].open === i)
				i = groups[next].close;
			else if (this.name.startsWith(word, i))
				return i;
		}
		return 0;
	}

	needsBrackets(from, to) {
		const shown = [...this.name.slice(from, to)].filter((c, i) => this.mask[from + i] === SHOWN);

		return shown.length > 0 && ((!isWord(shown[0]) && !"<{".includes(shown[0])) || shown.includes(" "));
	}

	leaveType(group, next, level) {
		const isImpl = this.name.startsWith(IMPL, group.open);
		const begin = group.open + (isImpl ? IMPL.length : 1);
		const split = this.findInGroup(group, next, isImpl ? " for " : " as ");
		let from = isImpl && split ? split + 5 : begin, to = !isImpl && split ? split : group.close;

		if (level < LEVEL.SELF && (split || !isImpl))
			return;
		if (split && /^[&*]*(mut |const )?[A-Z][0-9]*$/.test(this.name.slice(from, to))) {
			from = isImpl ? begin : split + 4;
			to = isImpl ? split : group.close;
		}
		const bracketed = this.needsBrackets(from, to);

		this.hide(group.open + bracketed, from, GONE);
		this.hide(to, group.close + !bracketed, GONE);
	}

	hideSelves(level) {
		const { name, parts } = this;
		let end = 0;

		for (const [i, group] of parts.groups.entries()) {
			const isWithin = group.open < end;

			if (group.close && !isWithin)
				end = group.close;
			if (!group.close || group.kind !== "self" || group.depth)
				continue;
			this.hidePaths(group, "::");
			if (!isWithin && name.startsWith(IMPL, group.open) &&
			    name.startsWith("::", group.close + 1))
				this.hide(parts.begin, group.open, GONE);
			this.leaveType(group, i + 1, level);
		}
	}

	hideEach(text, from, to) {
		let at = this.parts.components.at(-1) - 1;

		while ((at = this.name.indexOf(text, at + 1)) >= 0)
			this.hide(at + from, at + to, GONE);
	}

	setMask(level) {
		const { parts, name } = this;

		this.mask.fill(SHOWN);
		if (level >= LEVEL.SIMPLE)
			this.simplifyTypes();
		this.hideGroups(level);
		this.hide(0, parts.begin, GONE);
		if (level >= LEVEL.BARE) {
			this.hideJava();
			this.hide(0, parts.path, GONE);
			this.hide(parts.end, parts.place, GONE);
			this.hide(parts.place + 1, parts.file, GONE);
		}
		if (level >= LEVEL.PATHS) {
			this.hideSelves(level);
			if (!parts.nameless)
				this.hide(parts.place, name.length, GONE);
		}
		if (level >= LEVEL.NO_PARAMS) {
			this.hideEach("}::operator()", 1, 13);
			this.hideEach(" const::", 0, 6);
		}
		if (level > LEVEL.COMPONENTS)
			this.hide(0, parts.components[level - LEVEL.COMPONENTS], GONE);
	}

	at(level) {
		this.setMask(level);
		this.showKept();
		return this.text();
	}

	/* The index of the component whose arguments are the first; 0: none has any, or the first has. */
	firstWithArguments() {
		const { components } = this.parts, group = this.outerGroups(false)[0];
		let at = 0;

		while (group && at + 1 < components.length && components[at + 1] < group.open)
			at++;
		return at;
	}

	/* With arguments, without `gone` of the n namespaces before them; n + 1: nor parameters. */
	without(gone, n) {
		this.setMask(LEVEL.NO_INNER_ARGS);
		this.hide(0, this.parts.components[Math.min(gone, n)], GONE);
		for (const { open, close } of gone > n ? this.outerGroups(true) : [])
			this.hide(open, close + 1, GONE);
		this.showKept();
		return this.text();
	}

	/* Of a name that looks as others do: arguments, and as many of the namespaces before them as there is room for. ""
	 * if these do not fit. */
	withArguments(columns) {
		const n = this.firstWithArguments();
		let low = 0, high = n + 1;

		while (n && low < high) {
			const middle = low + ((high - low) >> 1);

			if (columnsOf(this.without(middle, n)) <= columns)
				high = middle;
			else
				low = middle + 1;
		}
		const text = n ? this.without(low, n) : "";

		return columnsOf(text) <= columns ? text : "";
	}

	showOne({ from, to }) {
		const { name, mask, parts } = this;
		let isType = from < parts.begin, begin = from;

		for (const { open, close, depth, kind, params } of parts.groups) {
			if (!close || kind !== "args" || open >= from || to > close)
				continue;
			isType ||= params;
			if (depth === 1)
				mask[open] = mask[close] = SHOWN;
		}
		this.hide(from, to, SHOWN);
		if (isType && name[from - 1] === "." && mask[from - 1] !== SHOWN) {
			while (begin && (name[begin - 1] === "." || isWord(name[begin - 1])))
				begin--;
			this.hide(begin, from, GONE);
			if (begin >= 2 && name.startsWith(", ", begin - 2)) {
				begin -= 2;
				this.hide(begin, begin + 2, SHOWN);
			}
		}
		if (begin && mask[begin - 1] === GONE && name[begin - 1] !== ":")
			mask[begin - 1] = ELIDED;
		if (to + 1 === parts.begin)
			mask[to] = SHOWN;
		else if (to < mask.length && mask[to] === GONE)
			mask[to] = ELIDED;
	}

	/* What must be seen, and the brackets around it. */
	showKept() {
		for (const keep of this.keeps)
			this.showOne(keep);
	}

	text() {
		const { name, mask } = this, kept = this.keeps.at(-1)?.at ?? 0;
		let out = "";

		this.keptAt = 0;

		for (let from = 0, to = 0; from < name.length; from = to) {
			const isShown = mask[from] === SHOWN;
			let isMarked = false;

			for (; to < name.length && (mask[to] === SHOWN) === isShown; to++)
				isMarked ||= mask[to] === ELIDED;
			if (from <= kept && kept < to)
				this.keptAt = out.length + kept - from;
			if (isShown)
				out += name.slice(from, to);
			else if (out && isMarked && to < name.length)
				out += isIn(name[from - 1], OPENING) || isIn(name[to], CLOSING) ? "..." : "..";
		}
		return out;
	}
}

function cutMiddle(text, columns) {
	const chars = [...text], head = Math.floor((columns - 1) / 2);

	if (chars.length <= columns)
		return text;
	if (columns < 6)
		return chars.slice(0, columns).join("");
	return `${chars.slice(0, head).join("")}..${chars.slice(head + 2 - columns).join("")}`;
}

/* A cut may have taken brackets' others. */
function dropHalves(cut) {
	const { groups } = new NameParts(cut), whole = new Set();
	let out = "";

	for (const group of groups)
		if (group.close)
			whole.add(group.open).add(group.close);
	for (let i = 0, n; i < cut.length; i += n) {
		n = operatorLength(cut, i) || 1;
		if (n > 1 || whole.has(i) || !(OPENING + CLOSING).includes(cut[i]))
			out += cut.slice(i, i + n);
	}
	return out;
}

/* Its beginning, what must be seen, and its end, as far as there is room. */
function cutAround(text, columns, keptAt) {
	const chars = [...text], at = [...text.slice(0, keptAt)].length;
	const third = Math.floor(columns / 3);

	if (columns < LEAST_WINDOW || !at || chars.length <= columns)
		return cutMiddle(text, columns);

	const cut = (from, to) => chars.slice(from, to).join("");
	const head = at + 5 <= columns && at + 2 > Math.floor(columns / 2) ? at + 2 : third;
	const begin = cut(0, at < head ? head : third), left = columns - [...begin].length - 2;
	const from = Math.max(0, at - 2);

	if (at < head || chars.length - from <= left)
		return `${begin}..${cut(chars.length - left)}`;
	return `${begin}..${cut(from, from + left - 2)}..`;
}

/* Characters of a return type. */
function typeLength(name) {
	return name.length <= STRUCTURED_MAX && name.includes(" ") ? new NameParts(name).begin : 0;
}

/* "libssl.so.3+sub_1f520" is told by its end. */
function cutVague(module, tail, columns, keptAt) {
	const room = columns - tail.length;

	if (room < VAGUE_ROOM)
		return tail;
	return keptAt > 0 && keptAt < module.length ? cutAround(module, room, keptAt) + tail
		: `${[...module].slice(0, room - 2).join("")}..${tail}`;
}

/* A name in at most so many columns. keeps: as of NameView. */
function shortName(name, columns, keeps = []) {
	const vague = name.indexOf("+sub_"), tail = vague < 0 ? "" : name.slice(vague);
	const isVague = /^\+sub_[0-9a-f]+$/.test(tail), keptAt = keeps.at(-1)?.at ?? 0;
	const mayHaveType = columns <= STRUCTURED_MAX && name.includes(" ") && !isVague;

	if (!mayHaveType && (name.length <= columns || columnsOf(name) <= columns))
		return name;
	if (name.length > STRUCTURED_MAX)
		return cutAround(name, columns, keptAt);
	if (isVague && tail.length <= columns)
		return cutVague(name.slice(0, vague), tail, columns, keptAt);

	const view = new NameView(name, keeps);
	let low = LEVEL.UNTYPED, high = view.last;

	while (low < high) {
		const middle = low + ((high - low) >> 1);

		if (columnsOf(view.at(middle)) <= columns)
			high = middle;
		else
			low = middle + 1;
	}

	const text = (keeps.length && low > LEVEL.NO_INNER_ARGS && view.withArguments(columns)) || view.at(low);

	if (text && columnsOf(text) <= columns)
		return text;
	return dropHalves(text ? cutAround(text, columns, view.keptAt) : cutMiddle(name, columns));
}
