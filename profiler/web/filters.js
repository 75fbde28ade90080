// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* The filters on frames: regular expressions and switches, as `kiln report` has them as options.
 * Each is a part of the state by its word. */

const PATTERNS = [
	["focus", "Focus", "only stacks with a frame that matches"],
	["ignore", "Ignore", "no stacks with a frame that matches"],
	["show-from", "Show from", "stacks from the first frame that matches on"],
	["collapse", "Collapse", "frames that match and call each other as one"],
];
const SWITCHES = [
	["no-inline", "No inlined calls", "their time is that of the function they are part of"],
	["no-recursion", "Collapse recursion",
	 "in graphs and trees, calls of a function that runs already; figures in tables stay"],
];
const MODES = [["all", "User and kernel frames"], ["user", "User frames"],
	       ["kernel", "Kernel frames"]];
const NO_FILTERS = Object.fromEntries([["mode", "all"], ...PATTERNS.map(([word]) => [word, ""]),
				       ...SWITCHES.map(([word]) => [word, false])]);

class Filters {
	/* on.set(change) */
	constructor(parent, profile, on) {
		this.profile = profile;
		this.on = on;
		this.matches = new Map(); /* by text: by frame, or the Error that says why not */
		this.summary = element("summary", {});
		this.chip = element("details", { class: "chip", id: "filters" }, this.summary,
			element("div", { class: "choices" }, this.modes(), ...PATTERNS.map(p => this.field(...p)),
				...SWITCHES.map(s => this.switch(...s)),
				element("p", { class: "quiet" },
					"Regular expressions for parts of names of functions or modules."),
				element("button", { class: "all", onclick: () => on.set(NO_FILTERS) },
					"Clear")));
		this.chip.addEventListener("toggle", () => {
			if (this.chip.open)
				keepInSight(this.chip.lastChild);
		});
		parent.append(this.chip);
	}

	modes() {
		return element("select", { name: "mode", "aria-label": "Frames",
					   onchange: e => this.on.set({ mode: e.target.value }) },
			...MODES.map(([value, text]) => element("option", { value }, text)));
	}

	input(word) {
		return this.chip.querySelector(`[name="${word}"]`);
	}

	field(word, label, help) {
		return element("label", { class: "pattern" }, element("span", {}, label),
			element("input", {
				name: word, type: "text", title: help, placeholder: help,
				maxlength: LONGEST_PATTERN, spellcheck: "false", autocomplete: "off",
				onchange: e => this.on.set({ [word]: e.target.value }),
			}), element("output", { class: "wrong" }));
	}

	switch(word, label, help) {
		return element("label", { title: help }, element("input", {
			type: "checkbox", name: word,
			onchange: e => this.on.set({ [word]: e.target.checked }),
		}), element("span", { class: "what" }, label));
	}

	/* By frame, 1 for a match; null for no filter, or for one that is wrong. */
	framesOf(text) {
		const n = this.profile.functions.length, old = this.matches.get(text);

		if (!text)
			return null;
		if (!old || old.n !== n)
			this.matches.set(text, { n, ...this.find(text) });
		return this.matches.get(text).frames;
	}

	find(text) {
		try {
			return { frames: this.profile.matchingFrames(new Pattern(text)) };
		} catch (e) {
			return { frames: null, wrong: e.message };
		}
	}

	wrong(text) {
		this.framesOf(text);
		return text ? this.matches.get(text).wrong : undefined;
	}

	/* What Selection takes. */
	of(state) {
		return {
			focus: this.framesOf(state.focus), ignore: this.framesOf(state.ignore),
			from: this.framesOf(state["show-from"]),
			collapse: this.framesOf(state.collapse), noInline: state["no-inline"],
			mode: state.mode,
		};
	}

	/* In words what is on, or "". */
	words(state) {
		const { mode } = state, words = mode === "all" ? [] : [`${mode} frames`];

		for (const [word] of PATTERNS)
			if (state[word] && !this.wrong(state[word]))
				words.push(`${word} ${state[word]}`);
		return [...words, ...SWITCHES.map(([word]) => word).filter(word => state[word])]
			.join(", ");
	}

	/* In words what is wrong, or "". */
	complaint(state) {
		return PATTERNS.filter(([word]) => this.wrong(state[word])).map(([word, label]) =>
			`${label} is left out: ${this.wrong(state[word])}`).join("; ");
	}

	show(state) {
		const active = Object.keys(NO_FILTERS).filter(word => state[word] !== NO_FILTERS[word]);

		/* As wide with filters as without, or the bar would wrap. */
		this.summary.textContent = `Frames: ${active.length || "all"}`;
		this.chip.classList.toggle("active", active.length > 0);
		this.chip.classList.toggle("bad", this.complaint(state) !== "");
		for (const [word] of PATTERNS) {
			const input = this.input(word), wrong = this.wrong(state[word]);

			if (input.value !== state[word])
				input.value = state[word];
			input.setAttribute("aria-invalid", String(Boolean(wrong)));
			input.nextSibling.textContent = wrong || "";
		}
		this.input("mode").value = state.mode;
		for (const [word] of SWITCHES)
			this.input(word).checked = state[word];
	}
}
