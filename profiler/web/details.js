// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* The bar below the graph: what is pointed to or was chosen, in full, with its values and lines. */

const LINES_SHOWN = 3;

/* In a difference: of what was so much in the base, and is so much of both together. */
function changeParts(page, total, base, self, baseSelf) {
	const { type } = page, { sides } = page.profile;
	const change = (both, old) => `${formatSigned(type, both - 2 * old)} (${
		formatChangeShare(both - 2 * old, page.whole())})`;

	return [[sides.base.toLowerCase(), formatValue(type, base)],
		[sides.now.toLowerCase(), formatValue(type, total - base)], ["change", change(total, base)], ["of its own", change(self, baseSelf)]];
}

class Details {
	constructor(page) {
		this.page = page;
		this.stale = true;	   /* what is shown is of a view that is gone */
		this.shown = null;	   /* { fn, tree, node } */
		this.selected = undefined; /* function that was chosen */
	}

	put(name, module, parts) {
		this.stale = false;
		byId("detail-name").textContent = name;
		byId("detail-values").replaceChildren(...parts.flatMap(([label, text]) =>
			[label ? `${label} ` : "", element("b", {}, text), " \u00b7 "]),
							      module || "everything");
	}

	/* Where its own time is, or else its calls, as far as the profile has lines. */
	lineParts(fn) {
		const { page } = this;
		const lines = fn === NONE ? [] : page.profile.linesOf(fn);
		const left = lines.length - LINES_SHOWN;
		const texts = lines.slice(0, LINES_SHOWN).map((l, i) => {
			const share = page.isFiltered() || page.state.type || page.baseStacks ? ""
				: ` ${formatShare(l.self || l.total, page.stacks.total[0])}`;
			const same = i && l.file === lines[i - 1].file;

			return (same ? `:${l.line}` : `${l.file}:${l.line}`) + share;
		});

		return lines.length ? [["at", texts.join(", ") + (left > 0 ? `, ${left} more` : "")]] : [];
	}

	showNode(tree, node) {
		const { page } = this;

		if (node === NONE || node >= tree.n)
			return;
		const frame = tree.frame[node], all = page.forest.total[0], { zoom } = page.state;
		const inverted = tree === page.view && page.state.invert;
		const parts = tree.base ? changeParts(page, tree.total[node], tree.base[node], tree.self[node],
						      tree.baseSelf[node])
			: [[frame === NONE ? "" : "total", formatMeasure(page.type, tree.total[node], all)]];

		if (!tree.base && !inverted && tree !== page.callers.tree && frame !== NONE)
			parts.push(["self", `${formatValue(page.type, tree.self[node])} (${
				formatShare(tree.self[node], all)})`]);
		if (tree === page.view && zoom && node !== zoom)
			parts.push(["of the zoomed", formatShare(tree.total[node], tree.total[zoom])]);
		this.shown = { fn: page.functionAt(tree, node), tree, node };
		parts.push(...this.lineParts(this.shown.fn));
		this.put(frame === NONE ? "all" : page.profile.names[frame],
			 frame === NONE ? "" : page.profile.modules[frame], parts);
	}

	selectNode(tree, node) {
		this.selected = this.page.functionAt(tree, node);
		this.showNode(tree, node);
	}

	selectFunction(fn) {
		const { page } = this, { profile, sums, type } = page;
		const frame = profile.functions[fn], all = page.forest.total[0];

		this.selected = fn;
		this.shown = { fn, tree: null, node: NONE };
		this.put(profile.functionNames[fn], profile.modules[frame], [...page.baseSums
			? changeParts(page, sums.total[fn], page.baseSums.total[fn], sums.self[fn],
				      page.baseSums.self[fn])
			: [["total", formatMeasure(type, sums.total[fn], all)],
			   ["self", formatMeasure(type, sums.self[fn], all)]],
			...this.lineParts(fn)]);
	}
}
