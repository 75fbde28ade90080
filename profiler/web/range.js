// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* What a page that the agent serves is of: a range of time, conditions, what it is compared with. All of it stands in
 * the address, so the control only goes to others. */

const LAST = [["5m", "5 min"], ["1h", "1 h"], ["24h", "24 h"]], USUAL_RANGE = "1h";
const BASES = [["", "nothing"], ["before", "the time right before"], ["1d", "a day earlier"],
	       ["7d", "a week earlier"]];
const ASKED = ["since", "until", "where", "base"];
/* Of values of labels that are offered as conditions. */
const OFFERED = 200;

class Range {
	/* labels: of Labels; go(address) */
	constructor(parent, labels, go) {
		this.asked = new URLSearchParams(location.search);
		this.go = go;
		this.summary = element("summary", { title: "Range of time" }, this.words());
		this.links = LAST.map(([since, text]) => element("a", {
			"data-since": since,
			"aria-current": this.isLast(since) ? "true" : null,
		}, text));
		this.form = element("form", { onsubmit: e => this.submit(e) },
			this.field("since", "From", USUAL_RANGE), this.field("until", "To", "now"),
			this.field("where", "Where", "comm=x,unit=~web.*"),
			element("datalist", { id: "conditions" }, ...this.conditions(labels)
				.map(text => element("option", { value: text }))),
			this.bases(), element("button", { class: "all" }, "Show"));
		this.chip = element("details", { class: "chip", id: "range" }, this.summary,
			element("div", { class: "choices" },
				element("p", { class: "last" }, "Last", ...this.links), this.form,
				element("p", { class: "quiet" }, "Times: 3h (so long ago), 03:10, " +
					"yesterday 03:10, 2026-11-22 03:10, as the host's clock has them.")));
		this.chip.classList.toggle("active", this.asked.has("where") || this.asked.has("base"));
		this.chip.addEventListener("toggle", () => {
			if (this.chip.open)
				keepInSight(this.chip.lastChild);
		});
		parent.append(this.chip);
	}

	value(name) {
		return this.asked.get(name) || "";
	}

	isLast(since) {
		return !this.value("until") && (this.value("since") || USUAL_RANGE) === since;
	}

	words() {
		const since = this.value("since") || USUAL_RANGE, until = this.value("until");
		const base = this.value("base"), ago = /^\d[\w.]*$/.test(until) ? " ago" : "";
		const range = until || !/^\d/.test(since) || /[-:]/.test(since)
			? `${since} to ${until || "now"}${ago}` : `Last ${since}`;

		return [range, base && `vs ${base === "before" ? base : `${base} earlier`}`,
			this.value("where")].filter(Boolean).join(" \u00b7 ");
	}

	field(name, label, usual) {
		return element("label", { class: "pattern" }, element("span", {}, label),
			element("input", {
				name, type: "text", placeholder: usual, value: this.value(name),
				list: name === "where" ? "conditions" : null,
				spellcheck: "false", autocomplete: "off",
			}));
	}

	bases() {
		const now = this.value("base"), known = BASES.some(([value]) => value === now);
		const options = known ? BASES : [...BASES, [now, `${now} earlier`]];

		return element("label", { class: "pattern" }, element("span", {}, "Against"),
			element("select", { name: "base", "aria-label": "Compare with" },
				...options.map(([value, text]) => element("option",
					{ value, selected: value === now }, text))));
	}

	conditions(labels) {
		const all = new Set(labels.sets.flatMap(set => [...set].filter(([key, value]) =>
			labels.filtered.includes(key) && !/[\s",]/.test(value))
			.map(([key, value]) => `${key}=${value}`)));

		return [...all].slice(0, OFFERED);
	}

	/* Of this page with other parameters; those that are "" are left out. */
	address(change) {
		const params = new URLSearchParams();

		for (const name of ASKED) {
			const value = name in change ? change[name] : this.value(name);

			if (value)
				params.set(name, value);
		}
		return `?${params}${this.hash}`;
	}

	submit(e) {
		e.preventDefault();
		this.go(this.address(Object.fromEntries(ASKED.map(name =>
			[name, this.form.elements[name].value.trim()]))));
	}

	/* hash: of what other ranges show. */
	show(hash) {
		this.hash = hash;
		for (const link of this.links)
			link.href = this.address({ since: link.dataset.since, until: "" });
	}
}
