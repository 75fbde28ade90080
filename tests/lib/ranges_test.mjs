// SPDX-License-Identifier: GPL-2.0-or-later
// usage: ranges_test.mjs URL SINCE UNTIL REPORT
// In the agent's page: goes to other ranges by mouse and keys, and compares two of them. SINCE and UNTIL are times that
// are over, REPORT is what the report says of the range against the one before. Says nothing if all is well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Browser } from "./browser.mjs";

const [url, since, until, report] = process.argv.slice(2);
const browser = await Browser.start({ width: 1280, height: 800 });
const value = expression => browser.eval(expression);
const address = () => value("location.pathname + location.search + location.hash");
const summary = () => value("document.querySelector('#range summary').textContent");
const total = () => value("kiln.total()");

/* Does what leads to another page, and waits for it. */
async function leave(run) {
	const loaded = new Promise(resolve => { browser.loaded = resolve; });

	await run();
	await loaded;
	await browser.frames();
	assert.deepEqual(browser.errors, []);
}

async function typeInto(name, text) {
	await value(`(() => {
		const input = document.querySelector('#range [name="${name}"]');
		input.focus();
		input.select();
	})()`);
	if (!text)
		await browser.key("Backspace");
	await browser.call("Input.insertText", { text });
}

/* --- the control ------------------------------------------------------------------------------ */

async function links() {
	await browser.open(`${url}/#view=table&sort=total`);
	assert.equal(await summary(), "Last 1h");
	assert.equal(await value("document.querySelector('#range [aria-current]').textContent"), "1 h");
	/* With the keyboard: opened, to the first link, there. */
	await value("document.querySelector('#range summary').focus()");
	await browser.key("Enter");
	await browser.key("Tab");
	assert.equal(await value("document.activeElement.textContent"), "5 min");
	await leave(() => browser.key("Enter"));
	assert.equal(await address(), "/?since=5m#view=table&sort=total");
	assert.equal(await value("kiln.state().view"), "table");
	assert.equal(await summary(), "Last 5m");
}

async function fields() {
	await browser.clickOn("#range summary");
	await typeInto("since", since);
	await typeInto("until", until);
	await typeInto("where", "comm=shares");
	await leave(() => browser.key("Enter"));
	assert.equal(await address(), `/?since=${encodeURIComponent(since)}&until=${encodeURIComponent(until)
		}&where=comm%3Dshares#view=table&sort=total`);
	assert.equal(await summary(), `${since} to ${until} \u00b7 comm=shares`);
	assert.deepEqual(await value("kiln.page.labels.sets.map(s => s.get('comm')).filter(c => c && c !== 'shares')"), []);
	await browser.clickOn("#range summary");
	await typeInto("where", "");
	await value(`document.querySelector("#range [name='base']").value = "before"`);
	await leave(() => browser.clickOn("#range form button"));
	assert.equal(await value("new URLSearchParams(location.search).get('base')"), "before");
	assert.match(await summary(), / vs before$/);
	/* What is wrong is said, and nothing stored is a page that has the control, too. */
	browser.errors.length = 0;
	await browser.load(`${url}/?since=2d&until=1d`);
	assert.equal(await value("document.forms[0].elements.since.value"), "2d");
	await value("document.forms[0].elements.since.value = '1h', document.forms[0].elements.until.value = ''");
	browser.errors.length = 0;
	await leave(() => browser.clickOn("form button"));
	assert.match(await summary(), /^Last 1h$/);
}

/* --- the difference --------------------------------------------------------------------------- */

async function difference() {
	const expected = JSON.parse(readFileSync(report, "utf8"));
	const query = `since=${since}&until=${until}&base=before`;
	const rowsOf = rows => rows.filter(r => (r.self || r.total) && r.module !== "[kiln]").map(r =>
		[r.name, r.module, r.self, r.total].join("\t")).sort();

	await browser.open(`${url}/?${query}#view=table`);
	const shown = await value(`(() => {
		const { table } = kiln.page, { sums, rows } = table;
		return rows.map(i => ({ name: sums.names[i], module: sums.modules[i], self: table.valueOf(i, "change"),
			total: table.valueOf(i, "called") }));
	})()`);

	assert.ok(expected.rows.some(r => r.self));
	assert.deepEqual(rowsOf(shown), rowsOf(expected.rows));
	assert.equal(await value("kiln.page.forest.base[0]"), expected.difference.base);
	assert.equal(await total() - 2 * expected.difference.base, expected.total);
	assert.match(await value("document.querySelector('#summary').textContent"), /(than|as) the base's .* base: 20/);
	await browser.open(`${url}/?${query}`);
	/* Boxes have the colour of their change. */
	assert.ok(await value(`(() => {
		const g = kiln.page.graph, t = g.tree, node = t.children(0)[0], box = g.box(node);
		const [r, , b] = g.context.getImageData(box.x + box.width - 4, box.y + 3, 1, 1).data;
		const change = t.total[node] - 2 * t.base[node];
		return Math.abs(change) < 0.1 * t.total[node] || Math.sign(r - b) === Math.sign(change);
	})()`));
	assert.deepEqual(browser.errors, []);
}

try {
	await links();
	await fields();
	await difference();
} catch (e) {
	console.error(e);
	process.exitCode = 1;
}
await browser.close();
process.exit();
