// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* The search: which functions match, what share they have, and the way from match to match. */

/* Pixels below which a box that a search leads to is zoomed in on. */
const LEAST_FOCUSED = 3;
const SEARCH_HELP = "Search (/), next n, previous N";

class Search {
	constructor(page) {
		this.page = page;
		this.matches = null; /* by function, or null when nothing is searched for */
	}

	set(query) {
		const started = performance.now();

		this.page.set({ query });
		this.page.timings.searchMs = performance.now() - started;
	}

	/* A mistyped expression is searched for as plain text, so that typing "(" loses nothing. */
	pattern(query) {
		this.wrong = "";
		if (!query)
			return null;
		try {
			return new Pattern(query, { ignoreCase: true });
		} catch (e) {
			this.wrong = e.message;
			return new Pattern(quoted(query.slice(0, LONGEST_PATTERN / 2)), { ignoreCase: true });
		}
	}

	/* Of an expression that takes too long nothing is found. */
	find(pattern, names) {
		try {
			return Uint8Array.from(names, name => pattern.test(name) ? 1 : 0);
		} catch (e) {
			this.wrong = e.message;
			return new Uint8Array(names.length);
		}
	}

	/* By name, or null if nothing is searched for. */
	matching(names) {
		return this.query ? this.find(this.pattern(this.query), names) : null;
	}

	/* To be called whenever the query or what is shown has changed. */
	compute(query) {
		const { profile } = this.page, key = `${query}\n${profile.functions.length}`;

		if (this.computedFor !== key) {
			this.query = query;
			this.matches = this.matching(profile.functionNames);
			this.computedFor = key;
		}
		this.found = null;
	}

	show() {
		const { profile, stacks, sums } = this.page, all = stacks.total[0];

		byId("search").setAttribute("aria-invalid",
					    String(this.wrong !== "" && this.matches !== null));
		if (!this.matches) {
			byId("matched").textContent = "";
			return;
		}
		const sum = profile.matchedTotal(stacks, this.matches);
		const n = sums.total.filter((v, fn) => v > 0 && this.matches[fn]).length;

		byId("search").title = this.wrong || SEARCH_HELP;
		const { baseStacks, type } = this.page;
		const what = baseStacks ? formatSigned(type, sum - 2 * profile.matchedTotal(baseStacks, this.matches))
			: formatShare(sum, all);

		byId("matched").textContent = (this.wrong && `${this.wrong}: `) +
			`${what} in ${formatCount(n)} ` +
			(n === 1 ? "function" : "functions");
		this.share = all > 0 ? sum / all : 0;
	}

	/* Matching nodes in preorder, found when first asked for. */
	findings() {
		const { view, profile } = this.page;

		if (this.found || !this.matches)
			return this.found || [];
		this.found = [];
		for (let i = 1; i < view.n; i++)
			if (this.matches[profile.functionOf[view.frame[i]]])
				this.found.push(i);
		return this.found;
	}

	next(step) {
		const { page } = this, found = this.findings(), g = page.graph;

		if (!found.length)
			return;
		if (page.state.view !== "icicle" && page.state.view !== "flame")
			page.show("icicle");
		const at = step > 0 ? found.findIndex(i => i > g.focused)
			: found.findLastIndex(i => i < g.focused);
		const node = found[at >= 0 ? at : step > 0 ? 0 : found.length - 1];

		const outside = node >= g.tree.end[g.zoomed] || node < g.zoomed;

		if (outside || g.box(node).width < LEAST_FOCUSED)
			page.set({ zoom: g.tree.parent[node] }, "", true);
		g.canvas.focus();
		g.focus(node);
		byId("matched").textContent = `${found.indexOf(node) + 1} of ${found.length} boxes`;
		page.sayNode(g);
	}

	key(e) {
		if (e.key === "Enter") {
			this.next(e.shiftKey ? -1 : 1);
		} else if (e.key === "Escape") {
			this.set("");
			e.target.blur();
		} else {
			return;
		}
		e.preventDefault();
		e.stopPropagation();
	}
}
