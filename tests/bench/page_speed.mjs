// SPDX-License-Identifier: GPL-2.0-or-later
// usage: page_speed.mjs PAGE.html    prints "what: value unit" lines
// Wall time, and the CPU time of the page's thread, which other load on the machine hardly moves.
import { pathToFileURL } from "node:url";
import { Browser } from "../lib/browser.mjs";

const ZOOMS = 12;
const SETTLED_MS = 300;
const REDRAWS = 50;
const QUERIES = ["c", "ca", "call.*f3", "lib", "nothing", "f1(2|3)"];

const browser = await Browser.start();
const middle = sorted => sorted[sorted.length >> 1];

async function cpuMs(run) {
	const task = async () => (await browser.call("Performance.getMetrics")).metrics
		.find(m => m.name === "TaskDuration").value;
	const before = await task();

	await run();
	return 1000 * (await task() - before);
}

await browser.call("Performance.enable", { timeDomain: "threadTicks" });
await browser.resize(1360, 800);
await browser.load("about:blank");
const loadCpu = await cpuMs(async () => {
	await browser.load(String(pathToFileURL(process.argv[2])));
	await browser.frames();
});
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
const drawCpu = await cpuMs(() => browser.eval(
	`for (let i = 0; i < ${REDRAWS}; i++) kiln.page.graph.draw()`)) / REDRAWS;

/* From the letter typed to everything shown: matching, the share, and the drawing. */
const searches = [];
const searchCpu = await cpuMs(async () => {
	for (const query of QUERIES)
		searches.push(await browser.eval(`kiln.page.search.set(${JSON.stringify(query)}),
			kiln.timings.searchMs`));
}) / QUERIES.length;
const { usedSize } = await browser.call("Runtime.getHeapUsage");

await browser.close();
console.log(`first paint: ${firstPaint} ms`);
console.log(`load, CPU: ${loadCpu} ms`);
console.log(`draw, median: ${middle(draws)} ms`);
console.log(`draw, 95th percentile: ${draws[Math.floor(draws.length * 0.95)]} ms`);
console.log(`full redraw, CPU: ${drawCpu} ms`);
console.log(`search: ${middle(searches.sort((a, b) => a - b))} ms`);
console.log(`search, CPU: ${searchCpu} ms`);
console.log(`heap: ${usedSize / 1e6} MB`);
