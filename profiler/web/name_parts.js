// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* What names are made of, by the rules of profiler/profile/name_parts.c: see there. */
const SELF_DEPTH = 8;
const OPENING = "(<[{", CLOSING = ")>]}";
const OPERATORS = ["()", "[]", "<=>", "<<=", ">>=", "->*", "->", "<<", ">>", "<=", ">=", "<", ">"];
const QUALIFIERS = [" const", " volatile", " &&", " &", "[abi:cxx11]"];
const ANGLED = /^<(init|clinit|module|lambda|genexpr|listcomp|dictcomp|setcomp|locals)>/;
const WEAK = /^(?:[{<('].*|operator\(\).*|[~*^+]+|(?:func|gowrap|deferwrap|\$_|)\d+|part|isra|cold|constprop|lto_priv|llvm|localalias|_FUN)(?![\w$\u0080-\uffff])/s;

const isIn = (c, set) => c !== undefined && c !== "" && set.includes(c);
const isWord = c => c !== undefined && (/[\w$]/.test(c) || c >= "\u0080");
const columnsOf = text => [...text].length;

function operatorLength(name, at) {
	if (name[at] !== "o" || isWord(name[at - 1]) || !name.startsWith("operator", at) ||
	    isWord(name[at + 8]))
		return 0;
	return 8 + (OPERATORS.find(symbol => name.startsWith(symbol, at + 8)) || "").length;
}

class NameParts {
	constructor(name) {
		this.name = name;
		this.findGroups();
		this.at = this.prefix = this.next = 0;
		this.spaces = this.params = false;
		this.skipClosure();
		this.restart(this.at, 0);
		this.begin = 0;
		this.findPlace();
		this.end = this.place;
		while (this.at < this.place && this.step())
			;
		if (this.spaces && !this.prefix &&
		    (!this.params || /^[\w$\u0080-\uffff]+:[^:]/.test(name.slice(0, this.begin)))) {
			this.begin = 0;
			this.restart(0, 0);
		}
		if (this.params && this.components.at(-1) > this.end)
			this.end = this.place;
		this.dropHash();
		this.findOwn();
		if (this.path > this.components.at(-1) || this.path < this.begin)
			this.path = this.begin;
	}

	kindOf(at) {
		const before = this.name[at - 1];

		switch (this.name[at]) {
		case "{":
			return "name";
		case "[":
			return !before || before === "-" || before === "+" ? "name" : "args";
		case "(":
			return !before || ":./".includes(before) ||
				/decltype ?$/.test(this.name.slice(Math.max(0, at - 9), at))
				? "name" : "args";
		default:
			if (ANGLED.test(this.name.slice(at, at + 12)))
				return "name";
			return !before || this.name.startsWith("<impl ", at) ? "self" : "args";
		}
	}

	findGroups() {
		const { name } = this, open = [];

		this.groups = [];
		for (let i = 0; i < name.length; i++) {
			const n = operatorLength(name, i);

			if (n) {
				i += n - 1;
			} else if (OPENING.includes(name[i])) {
				const around = open.at(-1), found = this.kindOf(i);
				const isType = around?.kind === "self" && "([".includes(name[i]) &&
					" &<".includes(name[i - 1]);
				const kind = isType || (found === "self" && open.length >= SELF_DEPTH)
					? "name" : found;
				const args = kind === "args", depth = around ? around.depth : 0;
				const params = depth ? around.params : args && name[i] === "(";

				open.push({ open: i, close: 0, kind, depth: depth + args, params });
				this.groups.push(open.at(-1));
			} else if (CLOSING.includes(name[i])) {
				this.close(open, i);
			}
		}
	}

	close(open, at) {
		const { name } = this, wanted = OPENING[CLOSING.indexOf(name[at])];

		if (name[at] === ">" && isIn(name[at - 1], "-="))
			return;
		while (open.length) {
			const group = open.at(-1);

			if (name[group.open] !== wanted && name[group.open] !== "<")
				return;
			open.pop();
			if (name[group.open] === wanted) {
				group.close = at;
				return;
			}
		}
	}

	isInGroup(at) {
		return this.groups.some(group => group.open < at && at <= group.close);
	}

	findPlace() {
		const { name } = this, space = name.lastIndexOf(" ");
		let at = name.slice(1).search(/[ :]\//) + 1 || -1;

		if (name[0] && /^[ :]\//.test(name))
			at = 0;
		if (at < 0 && space > 0 && /:\d+$/.test(name.slice(space + 1)))
			at = space;
		if (at >= 0 && name[at] === ":" && space >= 0 && space < at)
			at = space;
		if (at >= 0 && this.isInGroup(at))
			at = -1;
		this.place = at > 0 ? at : name.length;

		const slash = at >= 0 ? name.lastIndexOf("/") : -1;

		this.file = at < 0 ? name.length
			: slash >= at && !this.isInGroup(slash) ? slash + 1 : this.place + 1;
	}

	groupAt(at) {
		while (this.next < this.groups.length && this.groups[this.next].open < this.at)
			this.next++;
		for (let i = this.next; i < this.groups.length && this.groups[i].open <= at; i++)
			if (this.groups[i].open === at)
				return this.groups[i].close ? this.groups[i] : null;
		return null;
	}

	separator() {
		const { name, at } = this, before = name[at - 1], after = name[at + 1];

		switch (name[at]) {
		case ":":
			if (after === ":") {
				const group = name[at + 2] === "<" ? this.groupAt(at + 2) : null;

				return group && group.kind === "args" ? 0 : 2;
			}
			return +(isWord(before) && (isWord(after) || isIn(after, "~*^+")));
		case ".":
			return +((isWord(before) || isIn(before, CLOSING)) &&
				 (isWord(after) || isIn(after, "(<{")));
		case "/":
			return +(isWord(before) && isWord(after) && !/\d/.test(after));
		case ";":
		case "\\":
			return +isWord(after);
		default:
			return 0;
		}
	}

	goesOn() {
		let rest = this.at, found = "";

		do {
			found = QUALIFIERS.find(word => this.name.startsWith(word, rest));
			rest += found ? found.length : 0;
		} while (found);
		return this.name.startsWith("::", rest) || isIn(this.name[rest], "({<[") ||
			(this.name[rest] === "." && isWord(this.name[rest + 1]));
	}

	restart(at, path) {
		this.components = [at];
		this.path = path;
	}

	takeSpace() {
		const next = this.at + 1;

		if (this.params || next >= this.name.length || "(&*[< ".includes(this.name[next]))
			return;
		this.spaces = true;
		if (/ (for|to|in|of)$/.test(this.name.slice(Math.max(0, this.at - 4), this.at)))
			this.prefix = next;
		this.begin = this.prefix ? 0 : next;
		this.restart(next, this.begin);
	}

	takeOperator(length) {
		this.at += length;
		if (this.name[this.at] !== " " || this.name[this.at + 1] === "<")
			return;
		while (this.at < this.place) {
			const group = this.groupAt(this.at);

			if (group && this.name[this.at] === "(")
				return;
			this.at = group ? group.close + 1 : this.at + 1;
		}
	}

	step() {
		const { name, at } = this, operator = operatorLength(name, at);

		if (operator) {
			this.takeOperator(operator);
			return true;
		}

		const group = this.groupAt(at), n = group ? 0 : this.separator();

		if (group) {
			this.at = group.close + 1;
			if (group.kind !== "args" || name[group.open] !== "(")
				return true;
			this.params = true;
			this.end = this.at;
			return this.goesOn();
		}
		if (n) {
			const isKind = this.place < name.length &&
				(n === 1 ? name[at] === ":" : at === 2 && name.startsWith("py::"));

			if (name[at] === "/" || isKind)
				this.path = at + n;
			this.at += n;
			this.components.push(this.at);
			return true;
		}
		if (name[at] === " ")
			this.takeSpace();
		this.at++;
		return true;
	}

	skipClosure() {
		const at = this.name.startsWith("closure #") ? this.name.lastIndexOf(" in ") : -1;

		if (at >= 0 && !this.isInGroup(at))
			this.prefix = this.at = at + 4;
	}

	dropHash() {
		const last = this.components.at(-1);

		if (this.components.length > 1 && this.end - last === 17 &&
		    this.name.startsWith("::", last - 2) &&
		    /^h[0-9a-f]{16}$/.test(this.name.slice(last, this.end))) {
			this.components.pop();
			this.end = last - 2;
		}
	}

	findOwn() {
		for (let end = this.end; this.components.length > 1;) {
			const from = this.components.at(-1), own = this.name.slice(from, end);

			if (own && (!WEAK.test(own) || this.place < this.name.length))
				break;
			end = from;
			this.components.pop();
		}
		this.nameless = this.place > this.components.at(-1) &&
			isIn(this.name[this.place - 1], "~*^+:");
	}
}
