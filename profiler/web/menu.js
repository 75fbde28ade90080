// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* The menu of what can be done with a function: by the other mouse button, the menu key, m, or
 * the button beside the details. */

/* Longer names are no expressions to filter by. */
const LONGEST_FILTERED = LONGEST_PATTERN / 4;

/* Where a menu of an element, or of what was pointed to in it, begins. */
function pointBelow(e) {
	const box = e.getBoundingClientRect();

	return { x: box.left, y: box.bottom };
}

function pointOf(e) {
	return e.pointerType || e.button === 2 ? { x: e.clientX, y: e.clientY }
		: pointBelow(e.target);
}

class Menu {
	constructor(parent) {
		this.box = element("div", { id: "menu", role: "menu", "aria-label": "Function",
					    hidden: true, onkeydown: e => this.key(e) });
		parent.append(this.box);
		document.addEventListener("pointerdown", e => {
			if (!this.box.hidden && !this.box.contains(e.target))
				this.close();
		});
	}

	/* actions: [[text, run], ...]; at: { x, y } in the window. */
	open(actions, at) {
		this.from = document.activeElement;
		this.box.replaceChildren(...actions.map(([text, run]) => element("button", {
			role: "menuitem", tabindex: -1, onclick: () => {
				this.close();
				run();
			},
		}, text)));
		this.box.hidden = false;
		const { width, height } = this.box.getBoundingClientRect();
		const room = document.documentElement;

		this.box.style.left = `${Math.max(0, Math.min(at.x, room.clientWidth - width))}px`;
		this.box.style.top = `${Math.max(0, Math.min(at.y, room.clientHeight - height))}px`;
		this.box.firstChild.focus();
	}

	close() {
		this.box.hidden = true;
		if (this.from)
			this.from.focus({ preventScroll: true });
	}

	key(e) {
		const items = [...this.box.children], at = items.indexOf(document.activeElement);
		const step = { ArrowDown: 1, ArrowUp: -1, Home: -at, End: items.length - 1 - at }[e.key];

		e.stopPropagation();
		if (e.key === "Escape" || e.key === "Tab") {
			e.preventDefault();
			this.close();
		} else if (step !== undefined) {
			e.preventDefault();
			items[(at + step + items.length) % items.length].focus();
		}
	}
}

/* What can be done with what is shown in the details: { fn, tree, node }, tree and node NONE in
 * the table. */
function menuActions(page, { fn, tree, node }) {
	const { profile } = page, name = profile.functionNames[fn], actions = [];
	const module = profile.modules[profile.functions[fn]];
	const filter = (word, text) => () => page.setFrames({ [word]: `^${quoted(text)}$` });
	const add = (text, run) => actions.push([text, run]);

	if (tree && tree === page.view)
		add("Zoom into it", () => page.set({ zoom: node }, "", true));
	if (page.isCode(fn)) {
		add("Callers and callees", () => page.openFunction(fn));
		if (name.length <= LONGEST_FILTERED && !profile.modules.includes(name)) {
			add("Focus: only stacks with it", filter("focus", name));
			add("Ignore: no stacks with it", filter("ignore", name));
			add("Show from it on", filter("show-from", name));
			add("Search for it", () => page.set({ query: `^${quoted(name)}$` }));
		}
		if (module.length <= LONGEST_FILTERED)
			add(`Collapse calls within ${module.length > 40 ? "its module" : module}`,
			    filter("collapse", module));
	}
	add("Copy the name", () => page.copy(name, "name"));
	if (tree)
		add("Copy the stack", () => page.copy(stackText(profile, tree, node), "stack"));
	for (const { file, line } of profile.linesOf(fn).slice(0, 1))
		add("Copy file and line", () => page.copy(`${file}:${line}`, "file and line"));
	return actions;
}

/* One frame a line, the one that was asked for first. */
function stackText(profile, tree, node) {
	return tree.path(node).slice(1).reverse().map(i => {
		const frame = tree.frame[i], module = profile.modules[frame];

		return `${profile.names[frame]}${module ? ` (${module})` : ""}\n`;
	}).join("");
}

/* Only pages of this machine, or by https, may use the clipboard directly. */
function copyText(text) {
	if (navigator.clipboard) {
		navigator.clipboard.writeText(text).catch(() => {});
		return;
	}
	const area = element("textarea", {}, text), from = document.activeElement;

	document.body.append(area);
	area.select();
	document.execCommand("copy");
	area.remove();
	from.focus();
}
