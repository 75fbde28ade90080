// SPDX-License-Identifier: GPL-2.0-or-later
// usage: page_test.mjs DIRECTORY    with the files that tests/e2e/test_page.sh makes
// Opens the pages in a headless browser, uses them with mouse and keys, and prints TAP.
import assert from "node:assert/strict";
import fs from "node:fs";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.mjs";
import { runTests } from "./run_tests.mjs";

const directory = process.argv[2];
const address = (name, hash = "") => `${pathToFileURL(`${directory}/${name}`)}${hash}`;
const TOTAL = 100; /* samples in p.html, of 10 ms each */
const MS = 1e6;

const tests = [];
const test = (name, run) => tests.push({ name, run });
const browser = await Browser.start({ width: 1280, height: 800 });
const value = expression => browser.eval(expression);
const state = () => value("kiln.state()");
const texts = selector => value(
	`[...document.querySelectorAll(${JSON.stringify(selector)})].map(e => e.textContent)`);
const text = selector => value(`document.querySelector(${JSON.stringify(selector)}).textContent`);

/* A page without animation: what a key did is there after the next frame. */
async function open(hash = "", name = "p.html", features = {}) {
	await browser.emulate({ "prefers-reduced-motion": "reduce", ...features });
	await browser.open(address(name, hash));
	await browser.frames();
}

async function node(name) {
	const found = await value(`kiln.find(${JSON.stringify(name)})`);

	assert.notEqual(found, undefined, `no box ${name}`);
	return found;
}

async function clickBox(name) {
	await browser.click(await value(`kiln.at(${await node(name)})`));
}

function noErrors() {
	assert.deepEqual(browser.errors, []);
	assert.deepEqual(browser.requests.filter(url => !/^(file|data|blob):/.test(url)), []);
}

/* --- what is there ---------------------------------------------------------------------------- */

test("opens without errors or requests", async () => {
	await open();
	noErrors();
	assert.equal(await value("document.title"), "burn and 1 more");
	assert.equal(await value("kiln.total()"), TOTAL * 10 * MS);
	assert.equal(await text("#summary"),
		     "1.00 s CPU (100 samples) · 6 samples lost · 2026-11-22 02:14:03 UTC, 10.00 s");
});

test("names of strangers are text", async () => {
	for (const view of ["icicle", "table", "tree", "sandwich"]) {
		await open(`#view=${view}`);
		assert.equal(await value("window.hacked"), undefined);
		assert.deepEqual(await texts("main img, main script"), []);
		noErrors();
	}
	await open("#view=table");
	assert.equal(await value("[...document.querySelectorAll('.functions .name')].filter(e => " +
		"e.title === `evil<img src=x onerror=window.hacked=1></script>" +
		"<script>window.hacked=1</script>&amp;\"'`).length"), 1);
});

test("the policy stops what would get in all the same", async () => {
	await open();
	await value(`document.body.insertAdjacentHTML("beforeend",
		"<img src=x onerror='window.hacked=1'><iframe src='data:text/html,x'></iframe>")`);
	await value(`document.body.append(Object.assign(document.createElement("script"),
		{ textContent: "window.hacked = 1" }))`);
	await browser.frames();
	assert.equal(await value("window.hacked"), undefined);
	assert.ok(browser.errors.length >= 3, "nothing was refused");
});

test("details stay in the bar, with units", async () => {
	await open();
	await browser.mouse("mouseMoved", await value(`kiln.at(${await node("fib")})`));
	await browser.frames();
	assert.equal(await text("#detail-name"), "fib");
	assert.equal(await text("#detail-values"),
		     "total 200 ms CPU (20 samples, 20.0 %) · self 0 ns (0.0 %) · burn");
	await browser.mouse("mouseMoved", await browser.where("#detail-name"));
	await browser.frames();
	assert.equal(await text("#detail-name"), "fib");
});

/* --- zoom ------------------------------------------------------------------------------------- */

test("a click zooms, a crumb and Back lead out again", async () => {
	await open();
	const at = await node("work<int>");

	await clickBox("work<int>");
	assert.equal((await state()).zoom, at);
	assert.ok(await value(`kiln.page.graph.box(${at}).width === kiln.page.graph.width`));
	assert.match(await value("location.hash"), new RegExp(`zoom=${at}`));
	assert.deepEqual(await texts("#crumbs button"), ["all", "burn", "main", "work<int>"]);
	await browser.clickOn("#crumbs button:nth-of-type(2)");
	assert.equal((await state()).zoom, await node("burn"));
	await value(`new Promise(done => {
		addEventListener("popstate", done, { once: true });
		history.back();
	})`);
	await browser.frames();
	assert.equal((await state()).zoom, at);
});

/* With the clock in our hands: how far the left edge has come, 60 ms and 1 s after the click. */
async function zoomInSteps(motion) {
	await open("", "p.html", { "prefers-reduced-motion": motion });
	return value(`(() => {
		const g = kiln.page.graph, waiting = [], at = kiln.find("node");
		const started = performance.now();
		const run = ms => waiting.splice(0).forEach(step => step(started + ms));
		const share = () => g.from / g.tree.start[at];

		window.requestAnimationFrame = step => waiting.push(step);
		g.click(at);
		run(60);
		const early = share();

		run(1000);
		return [early, share()];
	})()`);
}

test("the zoom is animated unless that is unwanted", async () => {
	const [early, late] = await zoomInSteps("no-preference");

	assert.ok(early > 0 && early < 1, String(early));
	assert.equal(late, 1);
	assert.deepEqual(await zoomInSteps("reduce"), [1, 1]);
});

test("filters keep the zoom where its frames still are", async () => {
	await open();
	await clickBox("spin");
	await value("kiln.page.set({ mode: 'user' }, 'forest')");
	assert.equal(await value("kiln.name(kiln.state().zoom)"), "spin");
});

/* --- search ----------------------------------------------------------------------------------- */

test("a search says what the matches cost, recursion counted once", async () => {
	await open();
	await browser.key("/");
	await browser.type("FIB");
	assert.equal(await value("kiln.matchedShare()"), 0.2);
	assert.equal(await text("#matched"), "20.0 % in 1 function");
	await browser.key("Escape");
	assert.equal((await state()).query, "");
	assert.equal(await text("#matched"), "");
});

test("a regular expression, and what is none", async () => {
	await open("#query=%5E(spin%7Chash)%24");
	assert.equal(await value("kiln.matchedShare()"), 0.55);
	await open("#query=work%3Cint%3E(");
	assert.equal(await value("document.querySelector('#search').ariaInvalid"), "true");
	assert.equal(await value("kiln.matchedShare()"), 0);
	noErrors();
});

test("n and N go round the matches", async () => {
	await open("#query=spin");
	const name = () => value("[kiln.page.graph.focused, kiln.name(kiln.page.graph.focused)]");

	await value("document.activeElement.blur()");
	await browser.key("n");
	const first = await name();

	await browser.key("n");
	const second = await name();

	assert.equal(first[1], "spin");
	assert.equal(second[1], "spin");
	assert.notEqual(first[0], second[0]);
	await browser.key("n");
	assert.deepEqual(await name(), first);
	await browser.key("N", { shift: true });
	assert.deepEqual(await name(), second);
	assert.equal(await text("#matched"), "2 of 2 boxes");
});

test("matches are drawn as such, the rest is faded", async () => {
	await open("#query=spin");
	const colourAt = async name => value(`(() => {
		const b = kiln.page.graph.box(${await node(name)});
		const { context } = kiln.page.graph;
		return [...context.getImageData(b.x + b.width - 3, b.y + 3, 1, 1).data];
	})()`);

	assert.deepEqual(await colourAt("spin"), [211, 166, 255, 255]);
	assert.deepEqual(await colourAt("main"), [230, 232, 236, 255]);
});

test("names are shortened as on the command line", async () => {
	const file = new URL("../fixtures/short_names.tsv", import.meta.url);
	const vectors = fs.readFileSync(file, "utf8").split("\n").filter(line => /^\d/.test(line))
		.map(line => line.split("\t"));

	await open();
	assert.deepEqual(await value(`${JSON.stringify(vectors)}.map(
		([columns, name]) => shortName(name, Number(columns)))`), vectors.map(v => v[2]));
	assert.equal(await value(`kiln.page.graph.label(kiln.find("main"), 28)`), "m\u2026");
});

/* A short name is as far left as a long one, whatever least width its cell has. */
test("names of a table begin below each other", async () => {
	await open("#view=table");
	const lefts = await value(`[...document.querySelectorAll(".functions .cut > span:first-child")]
		.map(e => {
			const range = document.createRange();

			range.selectNodeContents(e);
			return range.getBoundingClientRect().left;
		})`);

	assert.ok(lefts.length > 5);
	assert.ok(lefts.every(left => Math.abs(left - lefts[0]) < 1), String(lefts));
});

test("distinct names stay distinct as on the command line", async () => {
	const file = new URL("../fixtures/short_name_sets.tsv", import.meta.url), sets = {};

	for (const line of fs.readFileSync(file, "utf8").split("\n").filter(l => /^\w/.test(l))) {
		const [set, columns, name, text] = line.split("\t");

		sets[set] ||= { columns: Number(columns), names: [], texts: [] };
		sets[set].names.push(name);
		sets[set].texts.push(text);
	}
	await open();
	for (const { columns, names, texts } of Object.values(sets))
		assert.deepEqual(await value(`shortNames(${JSON.stringify(names)}, ${columns})`), texts);
});

/* --- keys ------------------------------------------------------------------------------------- */

test("arrows, Enter and Backspace", async () => {
	await open();
	const focus = () => value("kiln.name(kiln.page.graph.focused)");

	await browser.key("ArrowDown");
	assert.equal(await focus(), "burn");
	await browser.key("ArrowRight");
	assert.equal(await focus(), "node");
	await browser.key("ArrowLeft");
	await browser.key("ArrowDown");
	await browser.key("ArrowDown");
	assert.equal(await focus(), "work<int>");
	await browser.key("ArrowRight");
	assert.equal(await focus(), "fib");
	await browser.key("ArrowUp");
	assert.equal(await focus(), "main");
	assert.equal(await text("#detail-name"), "main");
	assert.equal(await text("#live"),
		     "main, burn, 800 ms CPU (80 samples, 80.0 %), level 3, 3 callees");
	await browser.key("Enter");
	assert.equal(await value("kiln.name(kiln.state().zoom)"), "main");
	await browser.key("Backspace");
	assert.equal(await value("kiln.name(kiln.state().zoom)"), "burn");
	await browser.key("0");
	assert.equal((await state()).zoom, 0);
});

test("keys for views", async () => {
	await open();
	for (const [key, view] of [["f", "flame"], ["f", "icicle"], ["t", "table"], ["e", "tree"],
				   ["s", "sandwich"]]) {
		await browser.key(key);
		assert.equal((await state()).view, view, key);
	}
	await open();
	await browser.key("i");
	assert.equal((await state()).invert, true);
	assert.equal(await value("kiln.name(1)"), "spin");
	assert.equal(await value("kiln.page.view.total[1]"), 400 * MS);
	await browser.key("?", { shift: true });
	assert.equal(await value("document.querySelector('#help-dialog').open"), true);
	await browser.key("Escape");
	await browser.key("q");
	assert.equal(await value("document.querySelector('#quality-dialog').open"), true);
	noErrors();
});

test("letters typed into the search are no commands", async () => {
	await open();
	await browser.key("/");
	await browser.type("tsi0");
	assert.equal((await state()).query, "tsi0");
	assert.equal((await state()).view, "icicle");
});

test("the flame stands on its root, and its arrows point the other way", async () => {
	await open("#view=flame");
	const box = async name => value(`kiln.page.graph.box(${await node(name)})`);

	assert.ok((await box("main")).y < (await box("burn")).y);
	assert.ok((await box("burn")).y < (await box("all")).y);
	await browser.key("ArrowUp");
	assert.equal(await value("kiln.name(kiln.page.graph.focused)"), "burn");
});

/* --- views ------------------------------------------------------------------------------------ */

const rows = () => value(`[...document.querySelectorAll(".functions tbody tr")].map(tr =>
	[...tr.cells].map(td => td.textContent))`);

test("the table sorts, and the search filters it", async () => {
	await open("#view=table");
	let all = await rows();

	assert.deepEqual(all[0], ["400 ms", "40.0 %", "400 ms", "40.0 %", "spin", "burn", "work<int>"]);
	assert.equal(all.length, 13);
	await browser.clickOn(".functions th:nth-child(3) button");
	all = await rows();
	assert.deepEqual(all[0], ["0 ns", "0.0 %", "800 ms", "80.0 %", "main", "burn", ""]);
	assert.equal(await value("document.querySelector('.functions th:nth-child(3)').ariaSort"),
		     "descending");
	await browser.clickOn(".functions th:nth-child(5) button");
	all = await rows();
	assert.deepEqual(all.map(r => r[4]), all.map(r => r[4]).sort((a, b) => a < b ? -1 : 1));
	await browser.clickOn(".functions th:nth-child(7) button");
	const callers = (await rows()).map(r => r[6]), known = callers.filter(Boolean);

	assert.ok(known.length > 3 && known.length < callers.length);
	assert.deepEqual(callers, [...known.sort(), ...callers.filter(text => !text)]);
	await browser.key("/");
	await browser.type("^fib$");
	assert.deepEqual(await rows(), [["200 ms", "20.0 %", "200 ms", "20.0 %", "fib", "burn", "main"]]);
	assert.equal(await text("#table caption span"), "1 function that matches");
});

test("own times and what was lost add up to everything", async () => {
	await open("#view=table");
	assert.equal(await value("kiln.page.stacks.lost"), 60 * MS);
	assert.equal(await value("kiln.page.sums.self.reduce((a, b) => a + b, kiln.page.stacks.lost)"),
		     TOTAL * 10 * MS);
	assert.ok(!(await rows()).some(r => r[4] === "[lost samples]"));
});

test("callers stand above and callees below a function", async () => {
	await open("#view=table");
	await browser.clickOn(".functions tbody tr:first-child .name button");
	assert.equal((await state()).view, "sandwich");
	assert.equal(await text("#callers-title"), "Callers of spin");
	const tree = name => value(`(() => { const g = kiln.page.${name}, t = g.tree;
		return Array.from({ length: t.n }, (_, i) =>
			[g.name(i), t.depth[i], t.total[i] / 1e7]).slice(1); })()`);

	assert.deepEqual(await tree("callers"), [["spin", 1, 40], ["work<int>", 2, 40],
						 ["main", 3, 40], ["burn", 4, 40]]);
	await open("#view=sandwich&fn=fib&in=burn");
	assert.deepEqual(await tree("callees"), [["fib", 1, 20], ["fib", 2, 20], ["fib", 3, 20]]);
	assert.deepEqual(await tree("callers"), [["fib", 1, 20], ["main", 2, 20], ["burn", 3, 20]]);
	noErrors();
});

test("the tree opens and closes by keys", async () => {
	await open("#view=tree");
	const shown = () => value(`[...document.querySelectorAll(".tree tbody tr")].map(tr =>
		"  ".repeat(tr.ariaLevel - 1) + tr.cells[0].textContent.replace(/^./, ""))`);
	const before = await shown();

	await value("document.querySelector('.tree tr[tabindex=\"0\"]').focus()");
	await browser.key("ArrowDown");
	assert.equal(await text("#detail-name"), "burn");
	await browser.key("ArrowLeft");
	assert.ok((await shown()).length < before.length);
	await browser.key("ArrowRight");
	assert.deepEqual(await shown(), before);
	await browser.key("Enter");
	assert.equal(await value("kiln.name(kiln.state().zoom)"), "burn");
	assert.equal((await state()).view, "icicle");
});

/* --- filters ---------------------------------------------------------------------------------- */

test("kernel frames only, user frames only", async () => {
	await open("#mode=kernel");
	assert.equal(await value("kiln.total()"), 100 * MS);
	assert.deepEqual(await value("[1, 2, 3].map(kiln.name)"),
			 ["burn", "do_syscall_64", "vfs_read"]);
	await open("#mode=user");
	assert.equal(await value("kiln.total()"), TOTAL * 10 * MS);
	assert.equal(await value("kiln.find('vfs_read')"), undefined);
	assert.equal(await value("kiln.page.view.self[kiln.find('read')]"), 100 * MS);
});

test("a chip filters by command", async () => {
	await open();
	await browser.clickOn("#chips .chip:first-child summary");
	assert.deepEqual(await texts("#chips .what"), ["burn", "node"]);
	await browser.clickOn("#chips .choices label:nth-of-type(2) input");
	assert.deepEqual((await state()).filters, { comm: ["node"] });
	assert.equal(await value("kiln.total()"), 140 * MS);
	assert.match(await value("location.hash"), /is\.comm=node/);
	await browser.key("Escape");
	assert.equal(await value("document.querySelectorAll('#chips details[open]').length"), 0);
});

test("roots by thread, and none", async () => {
	await open("#group=thread_id");
	assert.deepEqual(await value("kiln.page.view.children(0).map(kiln.name)"),
			 ["burn-7/7", "burn-7/8", "node-9/9"]);
	await open("#group=");
	assert.deepEqual(await value("kiln.page.view.children(0).map(kiln.name)"),
			 ["main", "start"]);
});

test("filters that leave nothing say so", async () => {
	await open("#is.comm=nobody");
	assert.equal(await value("document.querySelector('#nothing').hidden"), false);
	await browser.clickOn("#reset-filters");
	assert.equal(await value("kiln.total()"), TOTAL * 10 * MS);
	noErrors();
});

test("an address brings back the whole state", async () => {
	await open();
	await value(`kiln.page.set({ view: "flame", query: "f(i)b", colour: "module", cut: "start",
		group: "process", invert: true, focus: "b$", "no-inline": true }, "forest")`);
	await value("kiln.page.filter('comm', new Set(['burn']))");
	await value(`kiln.page.set({ zoom: kiln.find("fib") })`);
	const before = await state(), hash = await value("location.hash");

	await open(hash);
	assert.deepEqual(await state(), before);
	await open("#view=nonsense&zoom=-7&type=99&sort=x&colour=&mode=%00&group=%3Cimg%3E&is.x=y");
	assert.deepEqual(await state(), await value("({ ...kiln.page.defaults, filters: {} })"));
	noErrors();
});

/* --- saving ----------------------------------------------------------------------------------- */

test("folded stacks hold the samples", async () => {
	await open();
	const lines = (await value("kiln.page.folded()")).trimEnd().split("\n");

	assert.ok(lines.includes("burn;main;work<int>;spin 40"));
	assert.ok(lines.includes("[lost samples] 6"));
	assert.equal(lines.reduce((n, line) => n + Number(line.split(" ").pop()), 0), TOTAL);
	assert.ok(lines.every(line => line.split(";").length <= 5));
});

test("the picture is a PNG of all rows", async () => {
	await open("", "big.html");
	const [type, width, height, wanted] = await value(`new Promise(done =>
		kiln.page.graph.picture(async blob => {
			const image = await createImageBitmap(blob);
			done([blob.type, image.width, image.height, kiln.page.graph.rows * 20]);
		}))`);

	assert.equal(type, "image/png");
	assert.ok(width >= 1200);
	assert.equal(height, wanted);
});

/* --- trust ------------------------------------------------------------------------------------ */

test("the quality of a profile of kiln's own", async () => {
	await open("", "told.html");
	assert.equal(await text("#quality"), "Stacks 85.1 % complete, names 95.0 %, 6.0 % lost");
	assert.deepEqual(await value("[0, 1e-6, 0.25, 0.9996, 1].map(percent)"),
			 ["0 %", "<0.1 %", "25.0 %", ">99.9 %", "100 %"]);
	assert.equal(await value("document.querySelector('#quality').className"), "fair");
	await browser.clickOn("#quality");
	const said = await text("#quality-body");

	for (const part of ["10 cut, 4 missing", "12 more are named", "expected", "120",
			    "the count map was full", "shorter --window or lower -F", "unaccounted for10"])
		assert.ok(said.includes(part), `${part}: ${said}`);
});

test("nothing is claimed of another's profile", async () => {
	await open();
	assert.match(await text("#quality"), /^Names 9\d\.\d %, stacks unknown, 6\.0 % lost$/);
});

/* --- for everybody ---------------------------------------------------------------------------- */

function luminance([r, g, b]) {
	const [x, y, z] = [r, g, b].map(c => c / 255)
		.map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);

	return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

function contrast(a, b) {
	const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);

	return (high + 0.05) / (low + 0.05);
}

test("text on boxes can be read in both themes", async () => {
	for (const scheme of ["light", "dark"]) {
		await open("", "p.html", { "prefers-color-scheme": scheme });
		const pairs = await value(`(() => {
			const { palette, profile } = kiln.page, t = palette.theme, pairs = [];
			for (const by of ["kind", "module", "name"]) {
				palette.set(by, ${scheme === "dark"});
				for (let i = 0; i < 500; i++) {
					profile.names[0] = "name" + i;
					profile.modules[0] = "module" + i;
					for (let c = 0; c < profile.classKeys.length; c++) {
						profile.classes[0] = c;
						const rgb = palette.rgb(0);
						pairs.push([BOX_TEXT, rgb],
							   [BOX_TEXT, mix(rgb, t.page, t.soft)]);
					}
				}
			}
			return [...pairs, [BOX_TEXT, t.match], [BOX_TEXT, t.all],
				[t.fadedText, t.faded], [BOX_TEXT, mix(t.all, t.page, t.soft)]];
		})()`);

		for (const [fore, back] of pairs)
			assert.ok(contrast(fore, back) >= 4.5, `${scheme}: ${fore} on ${back}`);
	}
});

test("text on the page can be read in both themes", async () => {
	for (const scheme of ["light", "dark"]) {
		for (const view of ["icicle", "table", "tree"]) {
			await open(`#view=${view}`, "told.html",
				   { "prefers-color-scheme": scheme });
			await browser.key("q");
			const found = await value(`(() => {
				const seen = [], rgb = text => text.match(/[\\d.]+/g).map(Number);
				const back = e => rgb(getComputedStyle(e).backgroundColor);
				const says = n => n.nodeType === 3 && n.data.trim() !== "";
				for (const e of document.querySelectorAll("body *")) {
					let b = e;
					if (![...e.childNodes].some(says) || e.disabled ||
					    !e.getClientRects().length)
						continue;
					while (b !== document.body && back(b)[3] === 0)
						b = b.parentElement;
					seen.push([e.tagName + "#" + e.id + "." + e.className,
						   rgb(getComputedStyle(e).color).slice(0, 3),
						   back(b).slice(0, 3)]);
				}
				return seen;
			})()`);

			assert.ok(found.length > 20);
			for (const [what, fore, back] of found)
				assert.ok(contrast(fore, back) >= 4.5,
					  `${scheme} ${view}: ${what} ${fore} on ${back}`);
		}
	}
});

const USED = ["button", "searchbox", "combobox", "application", "checkbox", "table", "treegrid",
	      "dialog"];

test("everything that can be used has a name", async () => {
	for (const view of ["icicle", "sandwich", "table", "tree"]) {
		await open(`#view=${view}`);
		const { nodes } = await browser.call("Accessibility.getFullAXTree");
		const used = nodes.filter(n => !n.ignored && USED.includes(n.role?.value));

		assert.ok(used.length > 10);
		for (const n of used)
			assert.ok(n.name?.value || n.role.value === "table",
				  `${view}: ${n.role.value} without a name`);
		if (view === "icicle")
			assert.ok(used.some(n => n.role.value === "application"));
	}
});

test("a narrow window still shows everything", async () => {
	await browser.resize(420, 800);
	await open();
	assert.ok(await value("document.documentElement.scrollWidth <= 420"));
	assert.ok(await value("kiln.page.graph.height") > 200);
	await browser.resize(1280, 800);
});

test("a phone shows the actions and no more columns than fit", async () => {
	await browser.resize(390, 800);
	for (const view of ["icicle", "table", "tree", "sandwich"]) {
		await open(`#view=${view}`, "told.html");
		assert.ok(await value("document.documentElement.scrollWidth <= 390"), view);
		for (const id of ["to-sandwich", "copy-name", "quality"])
			assert.ok(await value(`(() => {
				const r = document.getElementById("${id}").getBoundingClientRect();
				return r.width > 0 && r.left >= 0 && r.right <= 390 && r.bottom <= 800;
			})()`), `${view}: ${id}`);
	}
	await browser.resize(1280, 800);
});

/* Ids of what stands above the graph and is not wholly in sight. */
const cutAbove = width => value(`[...document.querySelectorAll("header button, header summary, h1, #views button, " +
	"#invert, #tools summary, #search, #group")].filter(e => {
	const r = e.getBoundingClientRect();
	return r.width > 0 && !e.closest(".choices") && (r.left < 0 || r.right > ${width} || e.scrollWidth > e.clientWidth + 1);
}).map(e => e.id || e.textContent)`);

test("title, badge and controls are whole, whatever they say", async () => {
	for (const width of [1280, 1000, 800]) {
		await browser.resize(width, 800);
		await open("#view=table", "told.html");
		await value(`document.getElementById("title").textContent = "clang-format and 227 more"`);
		await value(`document.getElementById("quality").textContent += ", 0.2 % lost, of everything recorded then"`);
		assert.deepEqual(await cutAbove(width), [], String(width));
		/* As many columns as have room for their texts. */
		assert.deepEqual(await value(`[...document.querySelectorAll(".functions td")].filter(td =>
			td.scrollWidth > td.clientWidth).map(td => td.textContent)`), [], String(width));
		assert.equal(await value(`document.querySelector("td.caller").textContent`), "work<int>");
	}
	await browser.resize(1280, 800);
});

test("a search moves nothing", async () => {
	await open();
	const top = () => value("document.querySelector('#main').getBoundingClientRect().top");
	const before = await top();

	await browser.key("/");
	await browser.type("spin");
	assert.notEqual(await text("#matched"), "");
	assert.equal(await top(), before);
});

test("what a chip opens is in sight, with its shares", async () => {
	for (const width of [1280, 390]) {
		await browser.resize(width, 800);
		await open();
		for (const n of [1, 2, 3]) {
			await browser.clickOn(`#chips .chip:nth-child(${n}) summary`);
			assert.ok(await value(`[...document.querySelectorAll(
				"#chips details[open] .share")].every(e => {
				const r = e.getBoundingClientRect();
				return r.width > 0 && r.left >= 0 && r.right <= ${width};
			})`), `chip ${n} at ${width}`);
			await browser.key("Escape");
		}
	}
	await browser.resize(1280, 800);
});

test("a long name keeps its begin and its end, and is whole in its title", async () => {
	const long = `ns::${"very_".repeat(60)}long(int)`;

	await open();
	await value(`kiln.page.profile.functionNames[0] = ${JSON.stringify(long)}`);
	await value(`kiln.page.set({ view: "table" })`);
	const [shown, fits] = await value(`(() => {
		const button = [...document.querySelectorAll(".functions td.name button")]
			.find(b => b.title.startsWith(${JSON.stringify(long)}));
		const span = button.querySelector(".cut > span");
		return [button.textContent, span.scrollWidth <= span.clientWidth];
	})()`);

	assert.match(shown, /^very_.*\.\..*_long$/);
	assert.equal(fits, true);
});

test("another view begins with its own details", async () => {
	await open();
	await browser.mouse("mouseMoved", await value(`kiln.at(${await node("fib")})`));
	await browser.frames();
	assert.equal(await text("#detail-name"), "fib");
	await browser.key("t");
	assert.equal(await text("#detail-name"), "all");
});

/* --- much ------------------------------------------------------------------------------------- */

test("50,000 nodes: only what can be seen is drawn", async () => {
	await open("", "big.html");
	assert.ok(await value("kiln.nodes()") > 45000, String(await value("kiln.nodes()")));
	assert.ok(await value("kiln.page.graph.canvas.height <= innerHeight * devicePixelRatio"));
	assert.ok(await value("kiln.page.graph.labels.length / 4 < 3000"));
	const last = await value("kiln.nodes() - 1");

	await value(`kiln.page.set({ zoom: ${last} })`);
	assert.ok(await value(`kiln.page.graph.box(${last}).width === kiln.page.graph.width`));
	for (const key of ["i", "t", "s", "f", "e"])
		await browser.key(key);
	noErrors();
});

/* --- the picture ------------------------------------------------------------------------------ */

test("the SVG zooms and searches", async () => {
	await browser.open(address("p.svg"));
	noErrors();
	const box = name => value(`(() => {
		const f = frames.find(f => f.name === ${JSON.stringify(name)});
		return [f.g.style.display, Math.round(f.rect.getAttribute("width"))];
	})()`);

	assert.deepEqual(await box("main"), ["", 944]);
	await value(`frames.find(f => f.name === "fib").g.dispatchEvent(new MouseEvent("click"))`);
	assert.deepEqual(await box("main"), ["", 1180]);
	assert.deepEqual(await box("fib"), ["", 1180]);
	assert.deepEqual((await box("node"))[0], "none");
	await browser.key("Escape");
	assert.deepEqual(await box("main"), ["", 944]);
	await value(`window.prompt = () => "^fib$"; search();`);
	assert.equal(await text("#details"), "3 matches, 20.0 % of all");
	assert.equal(await value("window.hacked"), undefined);
	noErrors();
});

/* --- running ---------------------------------------------------------------------------------- */

await runTests(tests, browser);
