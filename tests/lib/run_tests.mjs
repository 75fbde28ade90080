// SPDX-License-Identifier: GPL-2.0-or-later
// Runs tests in a browser one after the other, and says in TAP what became of them.

// tests: [{name, run}]. Ends this process.
export async function runTests(tests, browser) {
	let failed = 0;

	console.log(`1..${tests.length}`);
	for (const [i, { name, run }] of tests.entries()) {
		try {
			await run();
			console.log(`ok ${i + 1} - ${name}`);
		} catch (e) {
			failed++;
			console.log(`# ${String(e.stack || e).split("\n").slice(0, 12).join("\n# ")}`);
			console.log(`not ok ${i + 1} - ${name}`);
		}
	}
	await browser.close();
	console.log(`# ${tests.length - failed} passed, ${failed} failed`);
	process.exit(failed ? 1 : 0);
}
