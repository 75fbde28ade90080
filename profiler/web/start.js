// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* Reads the profile that the document holds, and makes the page of it. */

/* Columns of large trees are written as gzip in base64. */
async function unpack(tree) {
	const bytes = Uint8Array.from(atob(tree.packed), c => c.charCodeAt(0));
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));

	Object.assign(tree, await new Response(stream).json(), { packed: null });
}

function start(data) {
	const page = new Page(data);

	page.start();
	/* For tests: what is shown, and where. */
	window.kiln = {
		state: () => ({ ...page.state, filters: Object.fromEntries(
			[...page.state.filters].map(([key, values]) => [key, [...values]])) }),
		timings: page.timings,
		page,
		nodes: () => page.view.n,
		total: () => page.forest.total[0],
		matchedShare: () => page.search.share,
		name: node => page.graph.name(node),
		find: name => Array.from({ length: page.view.n }, (_, i) => i).find(i =>
			page.graph.name(i) === name),
		/* Centre of a node's box in the window's coordinates. */
		at: node => {
			const box = page.graph.box(node);
			const r = page.graph.canvas.getBoundingClientRect();

			return { x: r.left + box.x + box.width / 2,
				 y: r.top + box.y + box.height / 2 };
		},
	};
}

/* Small profiles are there at once; old browsers cannot unpack large ones. */
function read(data) {
	const packed = data.trees.filter(tree => tree.packed);

	if (!packed.length)
		return start(data);
	if (!window.DecompressionStream) {
		byId("summary").textContent = "This profile is large: to read it takes Chrome 80, " +
			"Firefox 113, Safari 16.4 or newer.";
		return undefined;
	}
	byId("summary").textContent = "Reading a large profile\u2026";
	return Promise.all(packed.map(unpack)).then(() => start(data));
}

read(JSON.parse(byId("data").textContent));
