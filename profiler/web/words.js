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
