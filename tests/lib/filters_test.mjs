// SPDX-License-Identifier: GPL-2.0-or-later
// usage: filters_test.mjs DIRECTORY    with the files that tests/e2e/test_page_filters.sh makes
// Compares what pages show of filtered profiles with what their text says, stack by stack, and with
// what `go tool pprof` says of it. Prints TAP.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.mjs";
import { runTests } from "./run_tests.mjs";

const directory = process.argv[2];
const NS = 1e7; /* a sample */
const LOST = "[lost samples]";

const browser = await Browser.start({ width: 1280, height: 800 });
const value = expression => browser.eval(expression);

async function open(name, hash = "") {
	await browser.open(`${pathToFileURL(`${directory}/${name}.html`)}${hash}`);
	await value(`new Promise((done, fail) => {
		const look = () => window.kiln ? done() : setTimeout(look, 20);
		setTimeout(() => fail(new Error("the page does not start")), 20000);
		look();
	})`);
	await browser.frames();
}

function noErrors() {
	assert.deepEqual(browser.errors, []);
	assert.deepEqual(browser.requests.filter(url => !/^(file|data|blob):/.test(url)), []);
}

/* --- the oracle ------------------------------------------------------------------------------- */

function moduleOf(file) {
	return file === "[kernel.kallsyms]" ? "[kernel]" : file.replace(/^.*\//, "");
}

/* [{ count, labels, stack: [{ name, module, inlined, kernel }] }], root first. */
function read(name) {
	return readFileSync(`${directory}/${name}.text`, "utf8").trimEnd().split("\n").map(line => {
		const [count, labels, ...fields] = line.split("\t"), stack = [];

		for (const field of fields) {
			const at = field.lastIndexOf("|"), file = field.slice(at + 1);
			const module = file === "^" ? stack.at(-1).module : moduleOf(file);

			stack.push({ name: field.slice(0, at).replace(/ @ .*/, ""), module, inlined: file === "^",
				     kernel: module === "[kernel]" });
		}
		return { count: Number(count), stack, labels: new Map(labels.split(" ").filter(Boolean)
			.map(label => label.split("="))) };
	});
}

/* By regular expressions of the browser's kind. */
function filtered(samples, { focus, ignore, showFrom, collapse, noInline, mode }) {
	const match = text => f => (f.name !== "" && new RegExp(text).test(f.name)) ||
		new RegExp(text).test(f.module);
	const out = [];

	for (const sample of samples) {
		let { stack } = sample;

		if ((focus && !stack.some(match(focus))) || (ignore && stack.some(match(ignore))))
			continue;
		if (showFrom) {
			const first = stack.findIndex(match(showFrom));

			if (first < 0)
				continue;
			stack = stack.slice(first);
		}
		if (mode === "kernel" && !(stack.length && stack.at(-1).kernel))
			continue;
		if (mode)
			stack = stack.filter(f => f.kernel === (mode === "kernel"));
		if (noInline)
			stack = stack.filter((f, i) => i === 0 || !f.inlined);
		if (collapse)
			stack = stack.filter((f, i) => !i || !match(collapse)(f) ||
				!match(collapse)(stack[i - 1]));
		out.push({ ...sample, stack });
	}
	return out;
}

const keyOf = f => `${f.name || `[${f.module}]`}\t${f.module}`;
const isLost = ({ stack }) => stack.length > 0 && stack[0].name === LOST;

/* By function: [self, total]. */
function sumsOf(samples) {
	const sums = new Map();

	for (const s of samples.filter(s => !isLost(s))) {
		s.stack.forEach((f, i) => {
			const key = keyOf(f), sum = sums.get(key) || sums.set(key, [0, 0]).get(key);

			sum[0] += i === s.stack.length - 1 ? s.count : 0;
			sum[1] += s.stack.findIndex(other => keyOf(other) === key) === i ? s.count : 0;
		});
	}
	return Object.fromEntries([...sums].filter(([, [self, total]]) => self || total));
}

/* Each function once: a call of one that runs already leads back to it. */
function withoutRecursion(stack) {
	const out = [];

	for (const f of stack) {
		const at = out.findIndex(other => keyOf(other) === keyOf(f));

		if (at >= 0)
			out.length = at + 1;
		else
			out.push(f);
	}
	return out;
}

function foldedOf(samples) {
	const stacks = new Map();

	for (const s of samples) {
		const text = s.stack.map(f => f.name).join(";");

		if (text)
			stacks.set(text, (stacks.get(text) || 0) + s.count);
	}
	return [...stacks].map(([text, n]) => `${text} ${n}`).sort();
}

/* Boxes of inlined and other frames of one name are two. */
async function shownFolded() {
	const stacks = new Map();

	for (const line of (await value("kiln.page.folded()")).trimEnd().split("\n")) {
		const at = line.lastIndexOf(" "), text = line.slice(0, at);

		stacks.set(text, (stacks.get(text) || 0) + Number(line.slice(at)));
	}
	return [...stacks].map(([text, n]) => `${text} ${n}`).sort();
}

/* --- the page --------------------------------------------------------------------------------- */

const WORDS = { showFrom: "show-from", noInline: "no-inline" };

function hashOf(filters, more = {}) {
	return `#${new URLSearchParams({ ...Object.fromEntries(Object.entries(filters).map(
		([key, v]) => [WORDS[key] || key, v])), ...more })}`;
}

async function shownSums() {
	return Object.fromEntries(await value(`(() => {
		const { sums, profile } = kiln.page, rows = [];
		sums.total.forEach((total, fn) => {
			const module = profile.modules[profile.functions[fn]];
			if ((total || sums.self[fn]) && module)
				rows.push([profile.functionNames[fn] + "\\t" + module,
					   [sums.self[fn] / ${NS}, total / ${NS}]]);
		});
		return rows;
	})()`));
}

async function checkFilters(name, filters) {
	const expected = filtered(read(name), filters), all = expected.reduce((n, s) => n + s.count, 0);

	assert.ok(expected.length > 0, "the test filters everything out");
	await open(name, hashOf(filters, { group: "" }));
	assert.deepEqual(await value("kiln.page.filters.complaint(kiln.page.state)"), "");
	assert.equal(await value(`kiln.total() / ${NS}`), all);
	assert.deepEqual(await shownSums(), sumsOf(expected));
	if (await value("kiln.page.forest.hiddenBelow") === 0 && name !== "small")
		assert.deepEqual(await shownFolded(), foldedOf(expected));
	noErrors();
}

const CASES = {
	small: [{ focus: "^fib$" }, { ignore: "spin" }, { showFrom: "work<" }, { noInline: true },
		{ collapse: "^fib$" }, { focus: "read", mode: "kernel" }, { focus: "kernel", mode: "user" },
		{ ignore: "lost" }, { focus: "libc" }],
	large: [{ focus: "f39[0-9]" }, { ignore: "f39[0-9]$" }, { showFrom: "f(1|2)00" },
		{ collapse: "lib[0-3]" }, { focus: "f7$", ignore: "f8$", collapse: "call<" }],
	recursive: [{ focus: "step" }, { showFrom: "repeat" }, { collapse: "dfs|match" },
		    { collapse: "." }, { focus: "match", showFrom: "dfs", collapse: "dfs" }],
	wide: [{ focus: "pass1(2|3)$" }, { ignore: "pass[0-4]" }, { showFrom: "^pass8" },
	       { collapse: "pass.*[02468]$" }],
	inlined: [{ noInline: true }, { showFrom: "std::" }, { showFrom: "f1.", noInline: true },
		  { collapse: "std::|app::" }, { collapse: "std::", noInline: true },
		  { focus: "app::f3$", ignore: "^f[0-5]$", showFrom: "f2", noInline: true, collapse: "app" },
		  { focus: "libm" }, { ignore: "libm", collapse: "inl" }],
};

/* --- against pprof ---------------------------------------------------------------------------- */

/* By name, as flat and cumulative samples; pprof knows no modules and shows no template arguments. */
function readTop(file) {
	const rows = {};

	for (const line of readFileSync(file, "utf8").split("\n").slice(0)) {
		const found = /^\s*(\d+)\s+[\d.]+%\s+[\d.]+%\s+(\d+)\s+[\d.]+%\s+(.*?)(?: \((?:partial-)?inline\))?$/
			.exec(line);

		if (found && found[3] !== LOST)
			rows[found[3]] = [Number(found[1]), Number(found[2])];
	}
	return rows;
}

const PPROF = JSON.parse(readFileSync(`${directory}/pprof.json`, "utf8"));

async function checkPprof(name, i, filters) {
	await open(name, hashOf(filters, { group: "" }));
	const shown = {}, pprof = readTop(`${directory}/${name}.${i}.top`);

	for (const [key, [self, total]] of Object.entries(await shownSums())) {
		const text = key.split("\t")[0].replace(/<.*>/, ""), old = shown[text] || [0, 0];

		shown[text] = [old[0] + self, Math.max(old[1], total)];
	}
	assert.ok(Object.keys(pprof).length > 0);
	for (const [text, [flat, cum]] of Object.entries(pprof)) {
		assert.ok(shown[text], text);
		assert.equal(shown[text][0], flat, text);
		if (name === "recursive" || name === "wide")
			assert.equal(shown[text][1], cum, text);
	}
	assert.equal(Object.values(shown).reduce((n, [self]) => n + self, 0),
		     Object.values(pprof).reduce((n, [flat]) => n + flat, 0));
}

/* --- groups ----------------------------------------------------------------------------------- */

/* Of `inlined`, in which the main thread of process p is thread p, called inl. */
const GROUPS = {
	command: () => "inl", process: l => `inl-${l.get("pid")}`,
	thread: l => `${l.get("comm")}-${l.get("pid")}/${l.get("thread_id")}`,
	cgroup: l => l.get("unit"), unit: l => l.get("unit"),
};

async function checkGroup(by) {
	const filters = { focus: "f1", noInline: true }, expected = {};

	for (const s of filtered(read("inlined"), filters)) {
		const name = GROUPS[by](s.labels);

		expected[name] = (expected[name] || 0) + s.count;
	}
	await open("inlined", hashOf(filters, { view: "table", by, group: by }));
	assert.deepEqual(Object.fromEntries(await value(`(() => {
		const { sums, rows } = kiln.page.table;
		return rows.map(i => [sums.names[i], sums.self[i] / ${NS}]);
	})()`)), expected);
	assert.deepEqual(Object.fromEntries(await value(`kiln.page.forest.children(0).map(i =>
		[kiln.page.profile.names[kiln.page.forest.frame[i]], kiln.page.forest.total[i] / ${NS}])`)),
			 expected);
}

async function checkModuleRoots(name) {
	const expected = {}, filters = { ignore: "spin" };

	for (const s of filtered(read(name), filters).filter(s => !isLost(s)))
		expected[s.stack.at(-1).module] = (expected[s.stack.at(-1).module] || 0) + s.count;
	await open(name, hashOf(filters, { group: "module" }));
	assert.deepEqual(Object.fromEntries(await value(`kiln.page.forest.children(0).map(i =>
		[kiln.page.profile.names[kiln.page.forest.frame[i]], kiln.page.forest.total[i] / ${NS}])`)),
			 expected);
}

async function checkRecursion(name) {
	const plain = filtered(read(name), {});
	const expected = plain.map(s => ({ ...s, stack: withoutRecursion(s.stack) }));

	await open(name, "#no-recursion=true&group=");
	assert.deepEqual(await shownFolded(), foldedOf(expected));
	assert.deepEqual(await shownSums(), sumsOf(plain), "figures do not change");
	await value(`kiln.page.set({ invert: true }, "view")`);
	assert.equal(await value("kiln.total()"), await value("kiln.page.view.total[0]"));
	for (const fn of await value("[...kiln.page.sums.total.keys()].slice(0, 5)")) {
		await value(`kiln.page.set({ view: "sandwich", fn: ${fn} })`);
		assert.deepEqual(await value("[kiln.page.callers, kiln.page.callees].map(g => g.tree.total[1])"),
				 Array(2).fill(await value(`kiln.page.sums.total[${fn}]`)));
	}
}

/* --- expressions ------------------------------------------------------------------------------ */

/* Random expressions and texts, against the browser's own. */
async function checkPatterns() {
	const differ = await value(`(() => {
		const atoms = ["a", "b", "ab", "[ab]", "[^a]", "[a-c_]", ".", "\\\\w", "\\\\d", "\\\\W", "\\\\b",
			       "\\\\B", "^", "$", "A", "\\\\.", "-", "\\u00e9"];
		const ends = ["*", "+", "?", "{2}", "{1,3}", "{0,}", "*?"], wrong = [];
		let seed = 5, compared = 0;
		const random = n => (seed = seed * 1103515245 + 12345 & 0x7fffffff, (seed >> 8) % n);
		const make = d => {
			if (d <= 0 || random(4) === 0)
				return atoms[random(atoms.length)];
			switch (random(4)) {
			case 0: return make(d - 1) + make(d - 1);
			case 1: return "(" + make(d - 1) + "|" + make(d - 1) + ")";
			case 2: return "(?:" + make(d - 1) + ")" + ends[random(ends.length)];
			}
			return make(d - 1) + make(d - 1) + make(d - 1);
		};
		for (let i = 0; i < 4000; i++) {
			const text = make(4), ignoreCase = i % 2 === 0;
			const theirs = new RegExp(text, ignoreCase ? "i" : "");
			const ours = new Pattern(text, { ignoreCase });
			for (let k = 0; k < 20; k++, compared++) {
				const name = Array.from({ length: random(9) },
					() => "abcA_ -.1\\u00c9"[random(10)]).join("");
				if (theirs.test(name) !== ours.test(name))
					wrong.push([text, name, ignoreCase]);
			}
		}
		return [compared, wrong.slice(0, 5)];
	})()`);

	assert.deepEqual(differ, [80000, []]);
}

/* What a wrong expression is told, and that nothing is filtered by it. */
const WRONG = [["(", /a \( without its \)/], ["a)", /a \) without its \(/], ["[a", /a \[ without/],
	       ["*a", /nothing to repeat/], ["a**", /nothing to repeat/], ["(?=a)", /not understood/],
	       ["(a)\\1", /not understood/], ["a{2,1}", /cannot be counted/], ["a\\", /at the end/],
	       ["((a{1000}){1000}){1000}", /too large/], ["((((){1000}){1000}){1000}){1000}", /too large/], ["x".repeat(3000), /longer than/]];

async function checkWrong() {
	for (const word of ["focus", "ignore", "show-from", "collapse"]) {
		for (const [text, why] of WRONG) {
			await open("inlined", `#${new URLSearchParams({ [word]: text })}`);
			assert.match(await value("document.querySelector('#wrong').textContent"), why);
			assert.equal(await value(`document.querySelector('[name="${word}"]')` +
				".ariaInvalid"), "true");
			assert.equal(await value("kiln.total()"), await value(
				"kiln.page.type.self.reduce((a, b) => a + b, kiln.page.type.rest)"));
			noErrors();
		}
	}
}

/* Expressions that take a browser's own years, on names that are made for it. */
async function checkCostly() {
	for (const text of ["(a+)+$", "(a|aa)+$", "(.*)*x$", "a*a*a*a*a*a*a*b", "(a|b|ab)*c{2}",
			    `(.*a){12}$`, `${"(a?)".repeat(60)}${"a".repeat(60)}b`]) {
		for (const word of ["focus", "collapse", "query"]) {
			const started = performance.now();

			await open("hostile", `#${new URLSearchParams({ [word]: text, view: "table" })}`);
			assert.ok(performance.now() - started < 15000, `${word} ${text}`);
			noErrors();
		}
	}
}

async function checkHostileWords() {
	for (const hash of ["#by=toString&group=valueOf&sort=toString", "#focus=%3Cimg%20src%3Dx%3E(",
			    "#by=%00&no-inline=yes&mode=hasOwnProperty&collapse=%E2%80%AE(",
			    "#is.__proto__=x&is.constructor=y&focus=%F0%9F%98%80"]) {
		await open("hostile", hash);
		assert.equal(await value("window.hacked"), undefined);
		assert.equal(await value("document.querySelectorAll('body img').length"), 0);
		assert.deepEqual(await value("[kiln.state().by, kiln.state().mode]"), ["function", "all"]);
		noErrors();
	}
	for (const word of ["constructor", "__proto__"]) {
		await open("hostile", `#view=table&by=${word}&group=${word}`);
		assert.ok((await value("kiln.page.table.sums.names")).includes(`[no ${word}]`));
		noErrors();
	}
	await open("hostile", "#view=table");
	for (let i = 0; i < 4; i++) {
		await value(`kiln.page.menuOfFunction(kiln.page.table.rows[${i}], { x: 1, y: 1 })`);
		assert.ok(await value(`document.querySelector("#menu").textContent.length < 2000`));
		assert.ok(await value(`document.querySelector("#menu").getBoundingClientRect().width <= 360`));
	}
	assert.equal(await value("document.querySelectorAll('#menu img').length"), 0);
}

/* --- by hand ---------------------------------------------------------------------------------- */

async function checkHand() {
	const all = () => value(`kiln.total() / ${NS}`);
	const summary = () => value("document.querySelector('#filters summary').textContent");

	await open("inlined");
	const before = await all();

	await browser.clickOn("#filters summary");
	await browser.clickOn("[name=focus]");
	await browser.type("f3");
	await browser.key("Enter");
	const focused = filtered(read("inlined"), { focus: "f3" }).reduce((n, s) => n + s.count, 0);

	assert.equal(await all(), focused);
	assert.equal(await summary(), "Frames: 1");
	assert.equal(await value("document.querySelector('#filtered').textContent"), "focus f3");
	assert.match(await value("location.hash"), /focus=f3/);
	await browser.clickOn("[name=no-inline]");
	assert.match(await value("location.hash"), /no-inline=true/);
	await browser.key("Escape");
	await open("inlined", await value("location.hash"));
	assert.equal(await all(), focused);
	assert.equal(await summary(), "Frames: 2");
	await browser.key("0");
	assert.equal(await all(), before);
	await value(`new Promise(done => {
		addEventListener("popstate", done, { once: true });
		history.back();
	})`);
	assert.equal(await all(), focused);
}

async function checkMenu() {
	const items = () => value("[...document.querySelectorAll('#menu button')].map(e => e.textContent)");
	const isOpen = () => value("!document.querySelector('#menu').hidden");

	await open("inlined", "#group=");
	await browser.key("ArrowDown");
	await browser.key("m");
	assert.ok(await isOpen());
	assert.deepEqual(await items(), ["Zoom into it", "Callers and callees",
		"Focus: only stacks with it", "Ignore: no stacks with it", "Show from it on",
		"Search for it", "Collapse calls within inl", "Copy the name", "Copy the stack",
		"Copy file and line"].filter(text => text !== "Copy file and line"));
	await browser.key("ArrowUp");
	await browser.key("Enter");
	assert.equal(await isOpen(), false);
	assert.equal(await value("kiln.page.copied"), "main (inl)\n");
	await browser.key("m");
	await browser.key("Escape");
	assert.equal(await isOpen(), false);
	assert.equal(await value("document.activeElement === kiln.page.graph.canvas"), true);
	/* By the other mouse button, in each view. */
	for (const [view, at] of [["icicle", "kiln.at(kiln.find('main'))"], ["table", null], ["tree", null]]) {
		await open("inlined", `#view=${view}`);
		const where = at ? await value(at) : await browser.where(
			`#${view} tbody tr:nth-child(3) td.name`);

		await browser.mouse("mousePressed", where, { button: "right", clickCount: 1 });
		await browser.mouse("mouseReleased", where, { button: "right", clickCount: 1 });
		await browser.frames();
		assert.ok(await isOpen(), view);
		assert.ok((await items()).includes("Copy the name"));
		await browser.click({ x: 5, y: 5 });
		assert.equal(await isOpen(), false, view);
		noErrors();
	}
	await open("inlined", "#view=table");
	await browser.clickOn("#table tbody tr:nth-child(2)");
	const name = await value("document.querySelector('#detail-name').textContent");

	await browser.clickOn("#more");
	await browser.click(await browser.where("#menu button:nth-child(3)"));
	assert.equal(await value("kiln.state().ignore"), `^${name}$`);
	noErrors();
}

/* Old addresses name labels by their keys. */
async function checkAddresses() {
	for (const [hash, group, by] of [["#group=comm&by=process", "command", "process"],
					 ["#group=thread_id&view=table", "thread", "function"],
					 ["#group=pid&mode=user", "process", "function"],
					 ["#group=&by=module", "", "module"]]) {
		await open("inlined", hash);
		assert.deepEqual(await value("[kiln.state().group, kiln.state().by]"), [group, by]);
	}
	assert.equal(await value("kiln.page.defaults.group"), "command");
}

async function checkDetails() {
	await open("inlined", "#view=table");
	await browser.clickOn("#table tbody tr:nth-child(1)");
	const before = await value("document.querySelector('#detail-values').textContent");

	await value(`kiln.page.setFrames({ ignore: "^f1$" })`);
	assert.notEqual(await value("document.querySelector('#detail-values').textContent"), before);
	assert.equal(await value("document.querySelector('#detail-name').textContent"), "all");
}

/* --- running ---------------------------------------------------------------------------------- */

const tests = [
	...Object.entries(CASES).flatMap(([name, cases]) => cases.map(filters =>
		[`${name}: ${JSON.stringify(filters)}`, () => checkFilters(name, filters)])),
	...PPROF.filter(([name, i]) => existsSync(`${directory}/${name}.${i}.top`)).map(([name, i, filters]) =>
		[`${name}: pprof ${JSON.stringify(filters)}`, () => checkPprof(name, i, filters)]),
	...Object.keys(GROUPS).map(by => [`by ${by}: table and roots`, () => checkGroup(by)]),
	["roots by module", async () => {
		for (const name of ["small", "inlined", "large"])
			await checkModuleRoots(name);
	}],
	["recursion collapsed", async () => {
		for (const name of ["recursive", "inlined"])
			await checkRecursion(name);
	}],
	["expressions match as the browser's own", checkPatterns],
	["a wrong expression is told", checkWrong],
	["no expression hangs the page", checkCostly],
	["hostile words and names", checkHostileWords],
	["the popup, the address, Back", checkHand],
	["the menu by keys and mouse", checkMenu],
	["old addresses", checkAddresses],
	["details follow the filters", checkDetails],
];
await runTests(tests.map(([name, run]) => ({ name, run })), browser);
