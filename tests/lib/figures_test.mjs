// SPDX-License-Identifier: GPL-2.0-or-later
// usage: figures_test.mjs DIRECTORY    with the files that tests/e2e/test_figures.sh makes
// Compares what page and picture say of each profile with what the report says. Prints TAP.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.mjs";
import { runTests } from "./run_tests.mjs";

const directory = process.argv[2];
const PROFILES = ["small", "large", "recursive", "wide"];
const BYS = ["function", "line", "module", "process"];
const ORIGINS = ["package", "directory", "file", "command", "thread"];
const NS = 1e7; /* a sample */
const MAX_LINES = 10000; /* rows by line that a page has */
/* Bytes: what a browser and a mail can take. */
const MAX_PAGE = 4e6, MAX_PICTURE = 4e6;

const browser = await Browser.start({ width: 1280, height: 800 });
const value = expression => browser.eval(expression);
const report = (name, by) =>
	JSON.parse(readFileSync(`${directory}/${name}.${by}.json`, "utf8"));

async function open(name, hash) {
	await browser.open(`${pathToFileURL(`${directory}/${name}.html`)}${hash}`);
	await value(`new Promise((done, fail) => {
		const look = () => window.kiln ? done() : setTimeout(look, 20);
		setTimeout(() => fail(new Error("the page does not start")), 20000);
		look();
	})`);
	await browser.frames();
	assert.deepEqual(browser.errors, []);
}

/* Lost samples are no function in the page. */
const isLost = r => r.module === "[kiln]" || ["[kiln]", "[no process]"].includes(r.name);

/* Rows as text: name, module, self, total, the caller to blame. A process is told by its number. */
function expectedRows({ rows }, by) {
	return rows.filter(r => !isLost(r)).map(r => [by === "process" ? r.name.replace(/^.*-(?=\d+$)/, "") : r.name,
			      by === "function" || by === "line" ? r.module : "",
			      r.self, r.total, by === "function" ? r.caller || "" : ""].join("\t"));
}

async function checkTable(name, by) {
	await open(name, `#view=table&by=${by}`);
	const shown = await value(`(() => {
		const { sums, rows } = kiln.page.table;
		return rows.filter(i => !sums.modules || sums.modules[i] !== "[kiln]").map(i => [${by === "process"} ? sums.names[i].replace(/^.*-(?=\\d+$)/, "")
			: sums.names[i], sums.modules ? sums.modules[i] : "",
			sums.self[i], sums.total[i], kiln.page.table.callerOf(i)].join("\\t"));
	})()`);
	const all = expectedRows(report(name, by), by);
	const expected = by === "line" ? all.slice(0, MAX_LINES) : all;

	assert.ok(expected.length > 0);
	assert.deepEqual(shown.sort(), expected.sort());
	if (expected.length < all.length)
		assert.match(await value("kiln.page.table.said.textContent"),
			     /; 1,201 lighter ones are left out$/);
	/* What is on the screen: the same rows in the same order, as shares. */
	const cells = await value(`[...document.querySelectorAll(".functions tbody tr")].map(tr =>
		[tr.querySelector(".name").title, tr.cells[1].textContent, tr.cells[3].textContent])`);
	const { total } = report(name, by);
	const share = v => `${(100 * v / total).toFixed(v && v / total < 0.001 ? 3 : 1)} %`;

	if (by === "line" && name === "small")
		return;
	report(name, by).rows.filter(r => !isLost(r)).slice(0, 200).forEach((r, i) =>
		assert.deepEqual(cells[i].slice(1), [share(r.self), share(r.total)], r.name));
	if (by === "function")
		assert.equal(cells[0][0], report(name, by).rows[0].name);
}

/* A function on top of the inverted view has its own time. */
async function checkInverted(name) {
	await open(name, "#invert=true&group=");
	const shown = await value(`(() => {
		const { view, profile } = kiln.page, sums = {};
		for (const i of view.children(0)) {
			const fn = profile.functionOf[view.frame[i]];
			const key = profile.functionNames[fn] + "\\t" +
				profile.modules[profile.functions[fn]];
			sums[key] = (sums[key] || 0) + view.total[i];
		}
		return sums;
	})()`);
	const expected = Object.fromEntries(report(name, "function").rows
		.filter(r => r.self && !isLost(r))
		.map(r => [`${r.name}\t${r.module}`, r.self]));

	assert.deepEqual(shown, expected);
	assert.ok(await value("kiln.nodes() <= 400001"), "more than can be drawn");
}

async function checkSandwich(name) {
	const rows = report(name, "function").rows.filter(r => !isLost(r));

	await open(name, "#view=sandwich");
	for (const r of [...rows.slice(0, 8), ...rows.slice(-4)]) {
		const [above, below, own] = await value(`(() => {
			const { profile, stacks } = kiln.page;
			const fn = profile.functionIds.get(${JSON.stringify(`${r.name}\0${r.module}`)});
			const callers = profile.callers(stacks, fn);
			const callees = profile.callees(stacks, fn);
			return [callers.total[1], callees.total[1], callers.n > 1 && callees.n > 1];
		})()`);

		assert.deepEqual([above, below, own], [r.total, r.total, true], r.name);
	}
}

async function checkSearch(name) {
	const { rows: all, total } = report(name, "function"), rows = all.filter(r => !isLost(r));

	for (const r of [rows[0], rows[rows.length >> 1], rows.at(-1)]) {
		const same = rows.filter(other => other.name === r.name);
		const query = `^${r.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;

		await open(name, `#query=${encodeURIComponent(query)}`);
		if (same.length === 1)
			assert.equal(await value("kiln.matchedShare()"), r.total / total, r.name);
	}
}

/* Boxes of the picture: [{name, module, samples, x, y, width}], callers before callees. */
function boxesOf(svg) {
	const text = s => s.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"')
		.replace(/&#39;|&apos;/g, "'").replace(/&amp;/g, "&");
	const pattern =
		/<g><title>([^<]*)<\/title><rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g;

	return [...svg.matchAll(pattern)].map(([, title, x, y, width]) => {
		const lines = text(title).split("\n");
		const samples = /([\d,]+) samples?/.exec(lines.at(-1))[1].replaceAll(",", "");

		return { name: lines[0], module: lines.length > 2 ? lines[1] : "",
			 samples: Number(samples), x: Number(x), y: Number(y),
			 width: Number(width) };
	});
}

const HIDDEN = /^\+\d+ hidden$/;
const functionOf = b => `${/^\[.*\](\+0x[0-9a-f]+)?$/.test(b.name)
	? b.name.replace(/\+0x[0-9a-f]+$/, "") : b.name}\t${b.module}`;

/* A function's outermost boxes add up to its time, but for what is hidden. */
function checkPicture(name) {
	const svg = readFileSync(`${directory}/${name}.svg`, "utf8"), boxes = boxesOf(svg);
	const sums = new Map(), ends = new Map(), open = [];
	const { rows, total } = report(name, "function");
	let hidden = 0;

	assert.equal(boxes[0].samples * NS, total);
	for (const b of boxes) {
		while (open.length && open.at(-1).y >= b.y)
			open.pop();
		const key = functionOf(b);

		if (HIDDEN.test(b.name))
			hidden += b.samples;
		else if (!open.some(above => functionOf(above) === key))
			sums.set(key, (sums.get(key) || 0) + b.samples);
		open.push(b);
	}
	for (const r of rows) {
		const drawn = sums.get(`${r.name}\t${r.module}`) || 0, own = r.total / NS;

		assert.ok(drawn <= own && own <= drawn + hidden,
			  `${r.name}: ${drawn} + at most ${hidden} drawn of ${own}`);
		ends.set(r.name, drawn);
	}
	assert.ok(name === "small" ? hidden === 0 : hidden > 0, `${hidden} hidden`);
	assert.ok(statSync(`${directory}/${name}.svg`).size < MAX_PICTURE);
}

/* --- differences ------------------------------------------------------------------------------- */

const named = (by, name) => by === "process" ? name.replace(/^.*-(?=\d+$)/, "") : name;

/* Of a page: [[name, module, change of its own, with what it called, base, now], ...]. */
const changesShown = by => value(`(() => {
	const { table } = kiln.page, { sums, rows } = table;
	return rows.filter(i => !sums.modules || sums.modules[i] !== "[kiln]").map(i =>
		[sums.names[i], sums.modules ? sums.modules[i] : "",
		 ...["change", "called", "base", "now"].map(key => table.valueOf(i, key)), table.callerOf(i)]);
})()`).then(rows => rows.map(r => [named(by, r[0]), ...r.slice(1)]));

async function checkChanges(name, by, now, base) {
	await open(name, `#view=table&by=${by}`);
	const shown = await changesShown(by), changed = shown.filter(r => r[2] || r[3]);
	const expected = report(name, by).rows.filter(r => !isLost(r) && (r.self || r.total));

	assert.ok(expected.some(r => r.self));
	assert.deepEqual(changed.map(r => r.slice(0, 4).join("\t")).sort(), expected.map(r =>
		[named(by, r.name), by === "function" || by === "line" ? r.module : "", r.self, r.total].join("\t")).sort());
	if (by === "function")
		assert.deepEqual(changed.map(r => [r[0], r[1], r[6]].join("\t")).sort(), expected.map(r =>
			[r.name, r.module, r.caller || ""].join("\t")).sort());
	/* In the report's order, with its shares. */
	const cells = await value(`[...document.querySelectorAll(".functions tbody tr")].map(tr => tr.cells[3].textContent)`);
	const share = v => `${v < 0 ? "\u2212" : "+"}${(Math.abs(100 * v / report(name, by).difference.base))
		.toFixed(Math.abs(v) / report(name, by).difference.base < 0.001 ? 3 : 1)} %`;

	expected.filter(r => r.self).slice(0, 100).forEach((r, i) => assert.equal(cells[i], share(r.self), r.name));
	if (by === "line")
		return;
	/* Each side alone. */
	for (const [column, profile] of [[4, base], [5, now]])
		assert.deepEqual(shown.filter(r => r[column]).map(r => [r[0], r[1], r[column]].join("\t")).sort(),
			report(profile, by).rows.filter(r => !isLost(r) && r.self).map(r =>
				[named(by, r.name), by === "function" ? r.module : "", r.self].join("\t")).sort());
}

/* What a tree's nodes were in the base adds up, however it is drawn. */
async function checkChangedTrees(name) {
	const { difference, total, rows } = report(name, "function");
	const lost = rows.filter(isLost).reduce((sum, r) => sum + r.self, 0); /* of the base */

	for (const hash of ["#", "#invert=true", "#no-recursion=true", "#group=file", "#no-inline=true"]) {
		const left = hash === "#invert=true" ? lost : 0;

		await open(name, hash);
		const [all, base, more, sums] = await value(`(() => {
			const { view } = kiln.page, kids = i => view.children(i).reduce((sum, k) => sum + view.base[k], 0);
			const every = [...view.base.keys()];
			return [view.total[0], view.base[0], every.filter(i => view.base[i] > view.total[i]).length,
				every.filter(i => view.children(i).length < 1000 &&
					kids(i) + view.baseSelf[i] !== view.base[i]).length];
		})()`);

		assert.deepEqual([base, all - 2 * base, more, sums], [difference.base + left, total - left, 0, 0], hash);
	}
}

async function checkChangedSandwich(name) {
	const rows = report(name, "function").rows.filter(r => !isLost(r));

	await open(name, "#view=sandwich");
	for (const r of [...rows.slice(0, 8), ...rows.slice(-4)]) {
		await value(`kiln.page.openFunction(kiln.page.profile.functionIds.get(${
			JSON.stringify(`${r.name}\0${r.module}`)}))`);
		const changes = await value(`[kiln.page.callers.tree, kiln.page.callees.tree].map(t =>
			t.total[1] - 2 * t.base[1])`);

		assert.deepEqual(changes, [r.total, r.total], r.name);
	}
}

/* --- running ---------------------------------------------------------------------------------- */

const tests = PROFILES.flatMap(name => [
	...BYS.map(by => [`${name}: the table by ${by} is the report's`, () => checkTable(name, by)]),
	[`${name}: the inverted view`, () => checkInverted(name)],
	[`${name}: callers and callees`, () => checkSandwich(name)],
	[`${name}: a search`, () => checkSearch(name)],
	[`${name}: the picture`, () => checkPicture(name)],
	[`${name}: the page is no larger than need be`, () =>
		assert.ok(statSync(`${directory}/${name}.html`).size < MAX_PAGE)],
]);
for (const by of [...BYS, ...ORIGINS])
	tests.push([`inlined: the table by ${by} is the report's`, () => checkTable("inlined", by)]);
for (const by of [...BYS, ...ORIGINS])
	tests.push([`a difference: the table by ${by} is the report's`, () => checkChanges("changed", by, "inlined", "before")]);
for (const name of ["changed", "grown"])
	tests.push([`${name}: trees of a difference`, () => checkChangedTrees(name)],
		   [`${name}: callers and callees in a difference`, () => checkChangedSandwich(name)]);
await runTests(tests.map(([name, run]) => ({ name, run })), browser);
