// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* What stands around the views: crumbs, filter chips, help, and how far to trust it all. */

/* Share of recorded stacks or frames from which on a profile is good or only fair, and of samples
 * lost up to which it is. */
const GOOD = { complete: 0.95, named: 0.9, lost: 0.01 };
const FAIR = { complete: 0.7, named: 0.6, lost: 0.1 };
const CHOICES_SHOWN = 200;
const CRUMB_COLUMNS = 36;
const CRUMBS_SHOWN = 9;

/* --- crumbs ----------------------------------------------------------------------------------- */

function showCrumbs(parent, texts, current, go) {
	const last = texts.length - 1;
	const head = texts.length > CRUMBS_SHOWN ? 2 : texts.length;
	const items = [];

	texts.forEach((text, i) => {
		if (i >= head && i <= last - (CRUMBS_SHOWN - head)) {
			if (i === head)
				items.push(element("span", { class: "gap" },
						   `\u203a ${last - CRUMBS_SHOWN + 1} more`));
			return;
		}
		if (i)
			items.push(element("span", { class: "gap", "aria-hidden": "true" },
					   "\u203a"));
		items.push(element("button", {
			title: text, "aria-current": i === current ? "location" : null,
			onclick: () => go(i),
		}, shortName(text, CRUMB_COLUMNS)));
	});
	parent.replaceChildren(...items);
}

/* --- filter chips ----------------------------------------------------------------------------- */

/* Moves what opens below a chip so far to the left that it can be seen. */
function keepInSight(box) {
	box.style.left = "0";
	const out = box.getBoundingClientRect().right + 8 - document.documentElement.clientWidth;

	if (out > 0)
		box.style.left = `${-out}px`;
}

class Chips {
	/* on.filter(key, Set of values or null for all) */
	constructor(parent, labels, on) {
		this.parent = parent;
		this.labels = labels;
		this.on = on;
		document.addEventListener("click", e => this.closeOthers(e.target));
		document.addEventListener("keydown", e => {
			const open = e.key === "Escape" && e.target.closest("details.chip[open]");

			if (open) {
				open.open = false;
				open.querySelector("summary").focus();
				e.stopPropagation();
			}
		});
	}

	closeOthers(target) {
		for (const chip of document.querySelectorAll("details.chip[open]"))
			if (!chip.contains(target))
				chip.open = false;
	}

	/* weights: by label set, what it costs. */
	show(filters, weights) {
		this.filters = filters;
		this.parent.replaceChildren(...this.labels.filtered.map(key =>
			this.chip(key, this.labels.values(key, weights))));
	}

	chip(key, values) {
		const title = this.labels.title(key);
		const summary = element("summary", {});
		const chip = element("details", { class: "chip" }, summary);

		this.showSummary(chip, key, title);
		chip.addEventListener("toggle", () => {
			if (chip.open && chip.children.length === 1)
				chip.append(this.choices(chip, key, title, values));
			if (chip.open)
				keepInSight(chip.lastChild);
		});
		return chip;
	}

	showSummary(chip, key, title) {
		const chosen = this.filters.get(key);
		const some = chosen && (chosen.size > 1 ? `${chosen.size} chosen` : [...chosen][0]);

		chip.firstChild.textContent = `${title}: ${some || "all"}`;
		chip.classList.toggle("active", Boolean(chosen));
	}

	choices(chip, key, title, values) {
		const sum = values.reduce((a, v) => a + v.weight, 0);
		const boxes = [];
		const changed = () => {
			const chosen = boxes.filter(b => b.checked).map(b => b.value);

			this.on.filter(key, chosen.length ? new Set(chosen) : null);
			this.showSummary(chip, key, title);
		};
		const rows = values.slice(0, CHOICES_SHOWN).map(v => {
			const box = element("input", {
				type: "checkbox", value: v.value, onchange: changed,
			});

			box.checked = Boolean(this.filters.get(key)?.has(v.value));
			boxes.push(box);
			return element("label", { title: v.text }, box,
				       element("span", { class: "what" }, v.text),
				       element("span", { class: "share" },
					       formatShare(v.weight, sum)));
		});
		const left = values.length - rows.length;

		return element("div", { class: "choices" },
			element("button", { class: "all", onclick: () => {
				boxes.forEach(b => { b.checked = false; });
				changed();
			} }, "All"), ...rows,
			left ? element("p", {}, `${left} smaller ones are not listed`) : null);
	}
}

/* --- quality ---------------------------------------------------------------------------------- */

const share = (part, whole) => whole > 0 ? part / whole : 1;
/* As the text says it: what lacks a little is not all. */
const percent = s => s === 0 || s === 1 ? `${100 * s} %`
	: s > 0.9995 ? ">99.9 %" : s < 0.0005 ? "<0.1 %" : `${(100 * s).toFixed(1)} %`;

/* Shares by kiln's own counts. Of another's profile only the names can be judged: a stack that was
 * cut short looks like any other. */
function qualityOf(profile, stacks) {
	const q = profile.info.quality;

	if (q) {
		const stacks = q.user_complete + q.user_truncated + q.user_missing;
		const lost = q.lost.reduce((a, l) => a + l.samples, 0);

		return { complete: share(q.user_complete, stacks),
			 named: share(q.frames_named, q.frames),
			 lost: lost / Math.max(1, q.recorded + lost) };
	}
	const named = Uint8Array.from(profile.names, (_, frame) => profile.isNamed(frame) ? 1 : 0);
	let frames = 0, good = 0;

	for (let i = 1; i < stacks.n; i++) {
		if (profile.modules[stacks.frame[i]] === "")
			continue;
		frames += stacks.total[i];
		good += named[stacks.frame[i]] * stacks.total[i];
	}
	return { named: share(good, frames),
		 ...stacks.lost ? { lost: stacks.lost / stacks.total[0] } : {} };
}

function gradeOf(value, key) {
	const within = limit => key === "lost" ? value <= limit[key] : value >= limit[key];

	return within(GOOD) ? "good" : within(FAIR) ? "fair" : "poor";
}

function worstGrade(s) {
	const grades = Object.keys(s).map(key => gradeOf(s[key], key));

	return ["poor", "fair", "good"].find(g => grades.includes(g));
}

function qualityMeter(title, value, key, text) {
	const bar = element("i", { class: gradeOf(value, key) });

	bar.style.width = `${100 * value}%`;
	return [element("div", {}, element("b", {}, `${percent(value)} `), title,
			text ? element("span", { class: "quiet" }, ` ${text}`) : null),
		element("div", { class: "meter", "aria-hidden": "true" }, bar)];
}

function plainTable(head, rows) {
	const heading = text => element("th", { scope: "col" }, text);
	const cell = content => typeof content === "number"
		? element("td", { class: "number" }, formatCount(content))
		: element("td", {}, content);

	return element("table", { class: "plain" },
		element("thead", {}, element("tr", {}, ...head.map(heading))),
		element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map(cell)))));
}

function accounting(q) {
	const lost = q.lost.reduce((a, l) => a + l.samples, 0);
	const rows = [["expected: timer periods on all sampled CPUs", q.expected],
		      ["idle", -q.idle], ["not asked for", -q.filtered],
		      ["recorded in this profile", -q.recorded], ["lost, see below", -lost],
		      ["unaccounted for", q.unaccounted]];

	return rows.filter(([, n], i) => n || i === 0 || i === rows.length - 1)
		.map(([text, n]) => [text, n === 0 ? 0 : n]);
}

function qualityPanel(profile, shares) {
	const q = profile.info.quality;
	const starts = q && q.frames_fde
		? `(${formatCount(q.frames_fde)} more are named by their function's start)` : "";
	const named = qualityMeter("of frames have a name", shares.named, "named", starts);

	const lost = shares.lost === undefined ? []
		: qualityMeter("of samples were lost", shares.lost, "lost", "");

	if (!q)
		return [...named, ...lost, element("p", {}, "Another program made this profile. It does not " +
			"say how many stacks were cut short or samples lost.")];
	const parts = [
		...qualityMeter("of stacks are complete", shares.complete, "complete",
				`(${formatCount(q.user_truncated)} cut, ` +
				`${formatCount(q.user_missing)} missing)`),
		...named, ...lost,
	];

	if (q.where)
		parts.unshift(element("p", {}, `This profile shows what matches ${q.where}. Shares ` +
			"and losses are of everything that was recorded in that time."));

	if (q.rootless)
		parts.unshift(element("p", {}, `Taken without root: ${q.rootless}.`));
	parts.push(element("h3", {}, "Where the samples went"),
		   plainTable(["", "Samples"], accounting(q)));
	if (q.lost.length)
		parts.push(element("h3", {}, "Lost, why, and the cure"),
			   plainTable(["Because", "Samples", "What to do"],
				      q.lost.map(l => [l.text, l.samples, l.cure])));
	if (q.kernel_missing || q.sideband_lost)
		parts.push(element("p", {},
			`${formatCount(q.kernel_missing)} kernel stacks are missing; ` +
			`${formatCount(q.sideband_lost)} mapping events were lost.`));
	if (q.blame.length)
		parts.push(element("h3", {}, "Binaries that could do better"),
			   plainTable(["Binary", "Frames", "Unnamed", "Stacks that end in it",
				       "What to do"],
				      q.blame.map(b => [b.module, b.frames, b.unnamed, b.broken,
							b.hint])));
	return parts;
}

function showQualityButton(button, s, whole) {
	button.className = worstGrade(s);
	button.textContent = s.complete === undefined ? `Names ${percent(s.named)}, stacks unknown`
		: `Stacks ${percent(s.complete)} complete, names ${percent(s.named)}`;
	button.textContent += (s.lost > 0 ? `, ${percent(s.lost)} lost` : "") +
		(whole ? ", of everything recorded then" : "");
}

/* --- help ------------------------------------------------------------------------------------- */

function showHelp(keys, legend, profile, actions) {
	keys.replaceChildren(...actions.filter(a => a.help).map(a => element("tr", {},
		element("td", {}, ...a.keys.map(key => element("kbd", {}, key))),
		element("td", {}, a.help))));
	legend.replaceChildren(...profile.info.classes.map(c => {
		const swatch = element("span", { class: "swatch" });

		swatch.style.backgroundColor = `hsl(${c.hue},${c.saturation}%,${c.lightness}%)`;
		return element("li", {}, swatch, c.label);
	}));
	if (profile.isDifference)
		legend.prepend(...[["grew", GREW], ["shrank", SHRANK]].map(([text, rgb]) => {
			const swatch = element("span", { class: "swatch" });

			swatch.style.backgroundColor = css(rgb);
			return element("li", {}, swatch, `${text} since the base`);
		}));
}

/* --- saving ----------------------------------------------------------------------------------- */

/* Folded stacks, root to leaf: "main;work;spin 40"; in a difference the base's number comes first. */
function foldedText(profile, tree, lost, unit) {
	const stack = node => tree.path(node).slice(1).map(i =>
		profile.names[tree.frame[i]].replaceAll(";", ":")).join(";");
	const number = v => Math.round(v / unit);
	const numbers = i => tree.base ? `${number(tree.baseSelf[i])} ${number(tree.self[i] - tree.baseSelf[i])}`
		: number(tree.self[i]);
	const lines = lost ? [`${LOST_SAMPLES} ${Math.round(lost / unit)}\n`] : [];

	for (let i = 1; i < tree.n; i++)
		if (tree.self[i])
			lines.push(`${stack(i)} ${numbers(i)}\n`);
	return lines.join("");
}

function saveAs(title, suffix, blob) {
	const url = URL.createObjectURL(blob);

	element("a", {
		href: url, download: `kiln-${title.replace(/[^\w.-]+/g, "-")}.${suffix}`,
	}).click();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}
