// SPDX-License-Identifier: GPL-2.0-or-later
// usage: page_speed.mjs PAGE.html    prints "what: value unit" lines
import { pathToFileURL } from "node:url";
import { Browser } from "../lib/browser.mjs";

const ZOOMS = 12;
const SETTLED_MS = 300;

const browser = await Browser.start();

await browser.resize(1360, 800);
await browser.open(String(pathToFileURL(process.argv[2])));
await browser.frames();
const firstPaint = await browser.eval("kiln.timings.firstPaintMs");

/* Animated zooms across the whole profile, and out again. */
const draws = await browser.eval(`(async () => {
	const step = Math.floor(kiln.nodes() / ${ZOOMS});
	kiln.timings.draws.length = 0;
	for (let i = 0; i < ${ZOOMS}; i++) {
		for (const zoom of [1 + i * step, 0]) {
			kiln.page.set({ zoom });
			await new Promise(r => setTimeout(r, ${SETTLED_MS}));
		}
	}
	return kiln.timings.draws.sort((a, b) => a - b);
})()`);

/* From the letter typed to everything shown: matching, the share, and the drawing. */
const searches = await browser.eval(`["c", "ca", "call.*f3", "lib", "nothing", "f1(2|3)"]
	.map(query => {
		kiln.page.search(query);
		return kiln.timings.searchMs;
	}).sort((a, b) => a - b)`);
const { usedSize } = await browser.call("Runtime.getHeapUsage");

await browser.close();
console.log(`first paint: ${firstPaint} ms`);
console.log(`draw, median: ${draws[draws.length >> 1]} ms`);
console.log(`draw, 95th percentile: ${draws[Math.floor(draws.length * 0.95)]} ms`);
console.log(`search: ${searches[searches.length >> 1]} ms`);
console.log(`heap: ${usedSize / 1e6} MB`);
