// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* Values in words. */

function formatCount(n) {
	return Math.round(n).toLocaleString("en-US");
}

function formatNs(ns) {
	const [scale, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"]
		: ns >= 1e3 ? [1e3, "us"] : [1, "ns"];
	const v = ns / scale;

	return `${v.toFixed(unit === "ns" ? 0 : v < 10 ? 2 : v < 100 ? 1 : 0)} ${unit}`;
}

function formatBytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let i = 0;

	for (; n >= 1024 && i + 1 < units.length; i++)
		n /= 1024;
	return `${n.toFixed(i && n < 100 ? 1 : 0)} ${units[i]}`;
}

function formatShare(v, total) {
	const share = total > 0 ? 100 * v / total : 0;

	return `${share.toFixed(share > 0 && share < 0.1 ? 3 : 1)} %`;
}

/* "1.02 s", "101": the number alone, as in a column. */
function formatValue(tree, v) {
	if (tree.unit === "ns")
		return formatNs(v * tree.scale);
	return tree.unit === "bytes" ? formatBytes(v * tree.scale) : formatCount(v);
}

function formatSamples(n) {
	return `${formatCount(n)} ${Math.round(n) === 1 ? "sample" : "samples"}`;
}

/* "1.02 s CPU (101 samples, 12.3 %)" */
function formatMeasure(tree, v, total) {
	const samples = tree.perSample ? formatSamples(v / tree.perSample) + ", " : "";
	const value = tree.unit === "count" && /^samples?$/.test(tree.name)
		? formatSamples(v) : `${formatValue(tree, v)} ${tree.name}`.trim();

	return `${value} (${samples}${formatShare(v, total)})`;
}

/* "+1.02 s", "\u2212101" */
function formatSigned(tree, v) {
	const sign = v < 0 ? "\u2212" : v > 0 ? "+" : "";

	return `${sign}${formatValue(tree, Math.abs(v))}`;
}

/* base: all that the base took. */
function formatChangeShare(v, base) {
	const sign = v < 0 ? "\u2212" : v > 0 ? "+" : "";

	return base > 0 ? `${sign}${formatShare(Math.abs(v), base)}` : v ? "new" : formatShare(0, 1);
}

/* "\u22122 B space: 5 B grew, 7 B shrank" */
function formatNet(tree, grew, shrank) {
	return `${formatSigned(tree, grew - shrank)} ${tree.name}: ${formatValue(tree, grew)} grew, ${
		formatValue(tree, shrank)} shrank`;
}

/* "3.15 s CPU, 1.24 s less than the base's 4.39 s (\u221228.3 %)" */
function formatDifference(tree, now, base) {
	const change = Math.abs(now - base) * 2000 < base ? 0 : now - base, name = tree.name ? ` ${tree.name}` : "";
	const by = change ? `${formatValue(tree, Math.abs(change))} ${change < 0 ? "less" : "more"} than`
		: "as much as";

	return `${formatValue(tree, now)}${name}, ${by} the base's ${formatValue(tree, base)}` +
		(change ? ` (${formatChangeShare(change, base)})` : "");
}
