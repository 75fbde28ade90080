// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* What the page shows, and the same as the part of its address behind "#". */

const VIEWS = ["icicle", "flame", "sandwich", "table", "tree"];
const COLOURS = ["kind", "module", "name"];
const CUTS = ["end", "start"];
const SORTS = ["self", "self%", "total", "total%", "name", "module", "caller"];
/* Of a difference. */
const CHANGE_COLOURS = ["change", ...COLOURS];
const CHANGE_SORTS = ["change", "change%", "base", "now", "called", "name", "module", "caller"];
const DEFAULTS = {
	view: "icicle", type: 0, group: "", invert: false, zoom: 0, query: "",
	colour: "kind", cut: "end", sort: "self", by: "function",
	fn: NONE, ...NO_FILTERS,
};

function coloursOf(profile) {
	return profile.isDifference ? CHANGE_COLOURS : COLOURS;
}

/* Only what is not as usual. A function is told by name and module, all else by its value. */
function hashOfState(state, defaults, profile) {
	const params = new URLSearchParams();

	for (const [key, usual] of Object.entries(defaults))
		if (key !== "fn" && state[key] !== usual)
			params.set(key, state[key]);
	for (const [key, values] of state.filters)
		for (const value of values)
			params.append(`is.${key}`, value);
	if (state.fn !== NONE && state.view === "sandwich") {
		params.set("fn", profile.functionNames[state.fn]);
		params.set("in", profile.modules[profile.functions[state.fn]]);
	}
	const text = String(params);

	return text && `#${text}`;
}

/* Whatever the address says, a state that can be shown. */
function stateOfHash(hash, defaults, profile, labels) {
	const params = new URLSearchParams(hash.slice(1));
	const among = (key, choices) => choices.includes(params.get(key)) ? params.get(key)
		: defaults[key];
	const number = key => Math.max(0, Number.parseInt(params.get(key), 10) || 0);
	const fn = profile.functionIds.get(`${params.get("fn")}\0${params.get("in")}`);
	const filters = new Map();

	for (const [key, value] of params) {
		const label = key.startsWith("is.") ? key.slice(3) : null;

		if (labels.present.includes(label))
			filters.set(label, (filters.get(label) || new Set()).add(value));
	}
	const yes = key => params.get(key) === "true";
	const group = params.has("group") ? labels.wordOf(params.get("group")) : defaults.group;

	return {
		view: among("view", VIEWS),
		type: profile.trees[number("type")] ? number("type") : 0,
		group: ["", ...labels.words, ...ROOTS].includes(group) ? group : defaults.group,
		mode: among("mode", MODES.map(([mode]) => mode)),
		...Object.fromEntries(PATTERNS.map(([word]) => [word, params.get(word) || ""])),
		...Object.fromEntries(SWITCHES.map(([word]) => [word, yes(word)])),
		invert: yes("invert"), zoom: number("zoom"),
		query: params.get("query") || "", colour: among("colour", coloursOf(profile)),
		cut: among("cut", CUTS), sort: among("sort", profile.isDifference ? CHANGE_SORTS : SORTS),
		by: among("by", [...Object.keys(TABLES), ...labels.words]),
		fn: fn ?? NONE, filters,
	};
}
