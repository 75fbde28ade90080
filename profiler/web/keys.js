// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* The keys: one table, which the help shows too. */

const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"];
/* Where keys are for typing and choosing. */
const BUSY = "input:not([type=checkbox]), select, textarea, dialog[open], [role=menu]";

class Keys {
	constructor(page) {
		this.page = page;
		this.actions = [
			{ keys: ["\u2191", "\u2193", "\u2190", "\u2192"],
			  help: "to the caller, callee, neighbours" },
			...ARROWS.map(key => ({ keys: [key], run: e => this.move(key, e) })),
			...this.plain(page),
		];
	}

	plain(page) {
		const key = (name, help, run) => ({ keys: [name], help, run });
		const flip = () => page.show(page.state.view === "icicle" ? "flame" : "icicle");

		return [
			key("Enter", "zoom into the box", () => this.enter()),
			key("Backspace", "zoom out to the caller", () => page.zoomOut()),
			key("0", "reset zoom, search and filters", () => page.reset()),
			key("/", "search", () => byId("search").select()),
			key("n", "next match", () => page.search.next(1)),
			key("N", "previous match", () => page.search.next(-1)),
			key("i", "invert: leaf first", () => page.invert()),
			key("s", "sandwich: callers and callees of the selected function",
			    () => page.openFunction(page.details.selected)),
			key("t", "table of functions", () => page.show("table")),
			key("f", "icicle, or flame", flip),
			key("e", "tree as a list", () => page.show("tree")),
			key("m", "menu: focus, ignore, copy and more of the selected function",
			    () => this.openMenu()),
			key("q", "quality of the profile",
			    () => byId("quality-dialog").showModal()),
			key("?", "this help", () => byId("help-dialog").showModal()),
		];
	}

	press(e) {
		const pressing = e.key === "Enter" && e.target.closest("button, summary, a");

		if (e.ctrlKey || e.metaKey || e.altKey || pressing || e.target.closest(BUSY))
			return;
		const action = this.actions.find(a => a.run && a.keys.includes(e.key));

		if (action && action.run(e) !== false)
			e.preventDefault();
	}

	/* false leaves the key to the browser, which scrolls lists with it. */
	move(key, e) {
		const g = this.page.activeGraph();

		if (!g || e.target.closest("button, summary"))
			return false;
		const next = g.neighbour(g.focused, key);

		g.canvas.focus({ preventScroll: true });
		if (next !== NONE && next >= g.base) {
			g.focus(next);
			this.page.sayNode(g);
		}
		return true;
	}

	openMenu() {
		const { page } = this, g = page.activeGraph();

		if (g)
			g.openMenu(g.focused, null);
		else
			page.openMenu(pointBelow(document.querySelector(
				"main > section:not([hidden]) tr.selected") || byId("more")));
	}

	enter() {
		const g = this.page.activeGraph();

		if (!g)
			return false;
		this.page.zoom(g, g.focused);
		this.page.sayNode(g);
		return true;
	}
}
