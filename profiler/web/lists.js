// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* The table of functions and the tree as a list: what the graph shows, for reading aloud too. */

const ROWS_AT_ONCE = 300;

/* element("td", { class: "number" }, "text", child, ...): names of strangers only ever as text. */
function element(tag, attributes, ...children) {
	const e = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes || {})) {
		if (name.startsWith("on") && value)
			e.addEventListener(name.slice(2), value);
		else if (value !== null && value !== undefined && value !== false)
			e.setAttribute(name, value === true ? "" : value);
	}
	e.append(...children.filter(c => c !== null));
	return e;
}

/* A number with its share as a bar behind it. */
function shareCell(tree, v, total) {
	const cell = element("td", { class: "number" }, formatValue(tree, v));

	cell.style.setProperty("--share", `${total > 0 ? Math.min(100, 100 * v / total) : 0}%`);
	return cell;
}

function percentCell(v, total) {
	return element("td", { class: "number percent" }, formatShare(v, total));
}

const COLUMNS = [
	{ key: "self", label: "Self", title: "in the function itself", number: true },
	{ key: "self%", label: "Self %", number: true, kind: "percent" },
	{ key: "total", label: "Total", title: "with everything it called", number: true },
	{ key: "total%", label: "Total %", number: true, kind: "percent" },
	{ key: "name", label: "Function" },
	{ key: "module", label: "Module" },
	{ key: "caller", label: "Called by", title: "whose code the most of it worked for" },
];

/* Of a difference. */
const CHANGE_COLUMNS = [
	{ key: "base", label: "Base", title: "in the function itself, in the base", number: true },
	{ key: "now", label: "Now", title: "in the function itself", number: true },
	{ key: "change", label: "Change", title: "of the function itself", number: true },
	{ key: "change%", label: "Of base", title: "of all that the base took", number: true, kind: "percent" },
	{ key: "called", label: "With calls", title: "change with everything it called", number: true },
	...COLUMNS.slice(-3),
];
const CHANGE_TREE_COLUMNS = [["Function", "name"], ["Of base", "number percent"], ["Change", "number"],
			     ["Base", "number"], ["Now", "number"], ["Module", "module"]];

/* A change with its share of the largest one as a bar behind it. */
function changeCell(tree, v, most) {
	const cell = element("td", { class: `number ${v < 0 ? "shrank" : "grew"}` }, formatSigned(tree, v));

	cell.style.setProperty("--share", `${most > 0 ? Math.min(100, 100 * Math.abs(v) / most) : 0}%`);
	return cell;
}

function changePercentCell(v, base) {
	return element("td", { class: "number percent" }, formatChangeShare(v, base));
}

/* Characters at the end of a long name that stay in sight: what tells most names apart. */
const END_SHOWN = 24, LONG_NAME = 60, LEAST_COLUMNS = 16;
/* Pixels of a cell with names: a character, what stands around the name, and a bar to scroll by. */
const CHARACTER_WIDTH = 7.6, NAME_MARGIN = 48, CALLER_MARGIN = 22;
/* Of names that go on in a second line. */
const PHONE_COLUMNS = 48, PHONE_WIDTH = 760;

/* What is too long for its column is cut in the middle. */
function nameText(name) {
	const parts = name.length > LONG_NAME ? [name.slice(0, -END_SHOWN), name.slice(-END_SHOWN)]
		: [name, ""];

	return element("span", { class: "cut" }, element("span", {}, parts[0]),
		       parts[1] && element("span", { class: "end" }, parts[1]));
}

class FunctionTable {
	/* on: { select(fn), open(fn), sorted(key), by(word), menu(fn, e) }; words: what rows may be by */
	constructor(parent, profile, palette, on, words) {
		this.profile = profile;
		this.palette = palette;
		this.on = on;
		this.sort = "self";
		this.head = element("tr");
		this.body = element("tbody");
		this.more = element("button", { class: "more", onclick: () => this.showMore() });
		this.by = element("select", { "aria-label": "Rows of the table",
					      onchange: e => on.by(e.target.value) },
			...words.map(by => element("option", { value: by }, `By ${by}`)));
		this.said = element("span", {});
		parent.append(element("table", { class: "functions" },
				      element("caption", {}, this.by, this.said),
				      element("thead", {}, this.head), this.body), this.more);
	}

	/* sums: of TABLES; total: of everything; base: in a difference what shares are of, or undefined; matches: by row, or null
	 * for all. */
	show({ tree, total, base, sums, matches, selected, sort, by }) {
		const { names, modules, self } = sums, module = i => modules ? modules[i] : "";
		const text = i => sort === "module" ? `${module(i)}\0${names[i]}`
			: `${sort === "caller" ? this.callerOf(i) || "\uffff" : ""}\0${names[i]}\0${module(i)}`;
		const key = sort.replace("%", "");

		Object.assign(this, { tree, all: total, base, sums, selected, sort });
		this.columns = base === undefined ? COLUMNS : CHANGE_COLUMNS;
		this.rows = [];
		for (let i = 0; i < names.length; i++)
			if ((sums.total[i] || self[i]) && names[i] !== "" &&
			    (!modules || modules[i] !== "") && (!matches || matches[i]))
				this.rows.push(i);
		const size = (i, column) => Math.abs(this.valueOf(i, column));
		const second = base === undefined ? "total" : "called";
		const isText = ["name", "module", "caller"].includes(key);

		this.rows.sort((a, b) => (isText ? 0 : size(b, key) - size(a, key) || size(b, second) - size(a, second)) ||
			(text(a) < text(b) ? -1 : 1));
		this.most = this.rows.reduce((most, i) => Math.max(most, size(i, second)), 0);
		this.by.value = by;
		for (const [word, holds] of [["no-modules", !modules], ["no-callers", !sums.callers],
					     ["changes", base !== undefined]])
			this.body.parentElement.classList.toggle(word, holds);
		this.said.textContent = this.counted(this.rows.length) +
			(matches ? ` that match${this.rows.length === 1 ? "es" : ""}` : "") + (sums.note ? `; ${sums.note}` : "");
		this.showHead();
		this.body.replaceChildren();
		this.shown = 0;
		this.showMore();
	}

	callerOf(i) {
		const { callers, names } = this.sums;

		return names[callers?.[i]] || "";
	}

	/* What a row has in a column. */
	valueOf(i, key) {
		const { self, total, base } = this.sums;

		switch (key) {
		case "base": return base ? base.self[i] : 0;
		case "now": return base ? self[i] - base.self[i] : 0;
		case "change": return base ? self[i] - 2 * base.self[i] : self[i];
		case "called": return base ? total[i] - 2 * base.total[i] : total[i];
		}
		return key === "self" ? self[i] : total[i];
	}

	showHead() {
		this.head.replaceChildren(...this.columns.map(c => {
			const order = c.number ? "descending" : "ascending";

			return element("th", {
				scope: "col", class: c.number ? `number ${c.kind || ""}` : c.key,
				"aria-sort": c.key === this.sort ? order : "none",
			}, element("button", {
				title: c.title, onclick: () => this.on.sorted(c.key),
			}, c.key === "name" ? this.sums.row : this.profile.sides[c.key] || c.label));
		}));
	}

	showMore() {
		const rows = this.rows.slice(0, this.shown + ROWS_AT_ONCE);
		const columns = innerWidth <= PHONE_WIDTH ? PHONE_COLUMNS : this.columnsIn("name", NAME_MARGIN);
		const texts = shortNames(rows.map(i => this.sums.names[i]), columns);
		const callers = shortNames(rows.map(i => this.callerOf(i)), this.columnsIn("caller", CALLER_MARGIN));

		/* Of names that came later, some may be like those that are there. */
		for (let at = 0; at < this.shown; at++) {
			if (texts[at] !== this.texts[at])
				this.body.rows[at].querySelector(".cut")
					.replaceWith(nameText(texts[at]));
			this.body.rows[at].querySelector(".caller").textContent = callers[at];
		}
		this.body.append(...rows.slice(this.shown).map((i, at) =>
			this.row(i, texts[this.shown + at], callers[this.shown + at])));
		this.texts = texts;
		this.shown = rows.length;
		this.more.hidden = this.shown >= this.rows.length;
		this.more.textContent = `Show more (${this.counted(this.rows.length - this.shown)} left)`;
	}

	counted(n) {
		return `${formatCount(n)} ${n === 1 ? this.sums.row.toLowerCase() : this.sums.what}`;
	}

	columnsIn(kind, margin) {
		const { clientWidth } = this.head.querySelector(`.${kind}`);

		return Math.max(LEAST_COLUMNS, Math.floor((clientWidth - margin) / CHARACTER_WIDTH));
	}

	cells(i) {
		const { self, total } = this.sums, { tree, all } = this;

		return [shareCell(tree, self[i], all), percentCell(self[i], all),
			shareCell(tree, total[i], all), percentCell(total[i], all)];
	}

	/* By line only changes are known. */
	changeCells(i) {
		const { tree, most, sums } = this, v = key => this.valueOf(i, key);
		const plain = key => element("td", { class: "number" },
			sums.base && sums.self[i] ? formatValue(tree, v(key)) : "");
		const own = sums.self[i] ? [changeCell(tree, v("change"), most), changePercentCell(v("change"), this.base)]
			: [element("td", { class: "number" }), element("td", { class: "number percent" })];

		return [plain("base"), plain("now"), ...own, changeCell(tree, v("called"), most)];
	}

	swatchColour(i) {
		const { base, frames, self } = this.sums;

		return this.palette.by !== "change" ? this.palette.css(frames[i])
			: this.palette.change(base ? base.self[i] : 0, base ? self[i] : 0).css;
	}

	row(i, text, caller) {
		const { names, modules, frames, functions } = this.sums;
		const swatch = element("span", { class: "swatch" });

		if (frames)
			swatch.style.backgroundColor = this.swatchColour(i);
		return element("tr", { class: functions && i === this.selected ? "selected" : null,
				       onclick: functions ? e => this.pick(i, e.currentTarget)
					       : undefined,
				       oncontextmenu: functions ? e => this.menu(i, e) : undefined },
			...this.base === undefined ? this.cells(i) : this.changeCells(i),
			element("td", { class: "name", title: names[i] }, frames ? swatch : null,
				functions ? this.nameButton(i, text) : nameText(text)),
			element("td", { class: "module", title: modules ? modules[i] : null },
				modules ? modules[i] : ""),
			element("td", { class: "caller", title: this.callerOf(i) }, caller));
	}

	nameButton(fn, text) {
		return element("button", {
			title: `${this.sums.names[fn]}\n\nCallers and callees`,
			onclick: () => this.on.open(fn),
		}, nameText(text));
	}

	menu(fn, e) {
		e.preventDefault();
		this.pick(fn, e.currentTarget);
		this.on.menu(fn, pointOf(e));
	}

	pick(fn, row) {
		for (const old of this.body.querySelectorAll(".selected"))
			old.classList.remove("selected");
		row.classList.add("selected");
		this.selected = fn;
		this.on.select(fn);
	}
}

/* How far the tree is open at first: along what takes this share of everything. */
const OPEN_SHARE = 0.2;
const CHILDREN_AT_ONCE = 100;
const TREE_COLUMNS = [["Function", "name"], ["Total %", "number percent"], ["Total", "number"],
		      ["Self", "number"], ["Module", "module"]];

const STEPS = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" };

class TreeList {
	/* on: { select(node), zoom(node), menu(node, at) } */
	constructor(parent, profile, palette, on) {
		this.profile = profile;
		this.palette = palette;
		this.on = on;
		this.columns = profile.isDifference ? CHANGE_TREE_COLUMNS : TREE_COLUMNS;
		this.body = element("tbody");
		parent.append(element("table", { class: "tree", role: "treegrid" },
			element("caption", { class: "unseen" }, "The call tree"),
			element("thead", {}, element("tr", {}, ...this.columns.map(([label, kind]) =>
				element("th", { scope: "col", class: kind },
					profile.sides[label.toLowerCase()] || label)))),
			this.body));
		this.body.addEventListener("keydown", e => this.key(e));
		this.body.addEventListener("contextmenu", e => {
			const row = e.target.closest("tr[data-node]");

			if (!row)
				return;
			e.preventDefault();
			this.move(Number(row.dataset.node));
			on.menu(this.focused, pointOf(e));
		});
	}

	/* base: in a difference what shares are of */
	show({ tree, base, view, matches, focused }) {
		this.tree = tree;
		this.whole = base;
		this.view = view;
		this.matches = matches;
		this.limits = new Map();
		this.opened = new Set([0]);
		for (let i = 1; i < view.n; i++)
			if (view.total[i] >= OPEN_SHARE * view.total[0])
				this.opened.add(i);
		for (const node of view.path(focused))
			this.opened.add(node);
		this.render(focused);
	}

	/* Rows of what is open, in preorder; the one with the focus is the one in the tab order. */
	render(focused) {
		const rows = [], stack = [0];

		this.focused = focused;
		while (stack.length) {
			const node = stack.pop();

			rows.push(node);
			if (node < 0 || !this.opened.has(node))
				continue;
			const children = this.view.children(node);
			const limit = this.limits.get(node) || CHILDREN_AT_ONCE;

			if (children.length > limit)
				stack.push(-node - 1);
			stack.push(...children.slice(0, limit).reverse());
		}
		const texts = shortNames(rows.map(node => this.nameOf(node)), LONG_NAME);

		this.body.replaceChildren(...rows.map((node, i) =>
			node < 0 ? this.restRow(-node) : this.row(node, texts[i])));
	}

	nameOf(node) {
		const frame = node < 0 ? NONE : this.view.frame[node];

		return frame === NONE ? "all" : this.profile.names[frame];
	}

	row(node, text) {
		const v = this.view, frame = v.frame[node], leaf = v.end[node] === node + 1;
		const open = this.opened.has(node);
		const swatch = element("span", { class: "swatch" });
		const hit = this.matches && frame !== NONE &&
			this.matches[this.profile.functionOf[frame]];
		const name = element("td", { class: "name" },
			element("span", { class: "twist", "aria-hidden": "true",
					  onclick: () => this.toggle(node) },
				leaf ? "" : open ? "\u25be" : "\u25b8"),
			swatch, element("span", { class: hit ? "hit" : null },
					nameText(text)));

		if (frame !== NONE)
			swatch.style.backgroundColor = this.palette.cssOf(v, node);
		name.style.setProperty("--indent", Math.min(v.depth[node], 60));
		return element("tr", {
			"data-node": node, tabindex: node === this.focused ? 0 : -1,
			"aria-level": v.depth[node] + 1,
			"aria-expanded": leaf ? null : String(open),
			class: node === this.focused ? "selected" : null,
			onclick: () => this.move(node), ondblclick: () => this.toggle(node),
		}, name, ...v.base ? this.changeCells(node) : this.cells(node),
		element("td", { class: "module" },
			frame === NONE ? "" : this.profile.modules[frame]));
	}

	cells(node) {
		const v = this.view;

		return [percentCell(v.total[node], v.total[0]), shareCell(this.tree, v.total[node], v.total[0]),
			element("td", { class: "number" }, v.self[node] ? formatValue(this.tree, v.self[node]) : "")];
	}

	changeCells(node) {
		const v = this.view, base = v.base[node], now = v.total[node] - base;
		const plain = value => element("td", { class: "number" }, formatValue(this.tree, value));

		return [changePercentCell(now - base, this.whole), changeCell(this.tree, now - base, v.total[0]),
			plain(base), plain(now)];
	}

	restRow(above) {
		const node = above - 1;
		const limit = this.limits.get(node) || CHILDREN_AT_ONCE;
		const left = this.view.children(node).length - limit;

		return element("tr", {}, element("td", { colspan: this.columns.length },
			element("button", { class: "more", onclick: () => {
				this.limits.set(node, limit * 10);
				this.render(this.focused);
			} }, `Show more (${formatCount(left)} left)`)));
	}

	toggle(node) {
		if (!this.opened.delete(node))
			this.opened.add(node);
		this.render(node);
		this.move(node);
	}

	/* Puts the keyboard focus on a node, opening the way to it. */
	move(node) {
		if (!this.rowOf(node)) {
			this.view.path(node).slice(0, -1).forEach(i => this.opened.add(i));
			this.render(node);
		}
		for (const row of this.body.querySelectorAll("tr.selected, tr[tabindex='0']")) {
			row.classList.remove("selected");
			row.tabIndex = -1;
		}
		this.focused = node;
		const row = this.rowOf(node);

		if (row) {
			row.classList.add("selected");
			row.tabIndex = 0;
			row.focus();
		}
		this.on.select(node);
	}

	rowOf(node) {
		return this.body.querySelector(`tr[data-node="${node}"]`);
	}

	key(e) {
		const v = this.view, node = this.focused;
		const row = this.rowOf(node);
		const step = STEPS[e.key], leaf = v.end[node] === node + 1;
		const opens = e.key === "ArrowRight" && !this.opened.has(node);
		const closes = e.key === "ArrowLeft" && this.opened.has(node) && !leaf;

		if (!row || e.target.tagName === "BUTTON")
			return;
		if (step) {
			const next = row[step];

			if (next && next.dataset.node !== undefined)
				this.move(Number(next.dataset.node));
		} else if (opens || closes) {
			this.toggle(node);
		} else if (e.key === "ArrowLeft" && node) {
			this.move(v.parent[node]);
		} else if (e.key === "ArrowRight" && !leaf) {
			this.move(node + 1);
		} else if (e.key === "Enter") {
			this.on.zoom(node);
		} else {
			return;
		}
		e.preventDefault();
		e.stopPropagation();
	}
}
