// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
const svgElement = document.documentElement;
const details = document.getElementById("details");
const summary = details.textContent;
const frames = Array.from(document.querySelectorAll("#frames > g"), g => {
	const [title, rect, text] = g.children;
	const at = name => Number(rect.getAttribute(name));

	return { g, rect, text, title: title.textContent, name: title.textContent.split("\n")[0],
		 x: at("x"), y: at("y"), width: at("width") };
});
let pattern = null;

function label(name, width) {
	const room = Math.floor((width - 2 * PAD) / CHAR);

	return room < 3 ? "" : shortName(name, room);
}

/* Whatever does not reach into the frame's columns is hidden; its callers fill the whole width. */
function zoom(to) {
	const scale = INNER / to.width;

	for (const f of frames) {
		const left = Math.max(MARGIN, MARGIN + (f.x - to.x) * scale);
		const right = Math.min(MARGIN + INNER, MARGIN + (f.x + f.width - to.x) * scale);

		f.g.style.display = right - left < 0.1 ? "none" : "";
		f.g.classList.toggle("dim", f.y < to.y);
		f.rect.setAttribute("x", left);
		f.rect.setAttribute("width", Math.max(0, right - left));
		f.text.setAttribute("x", left + PAD);
		f.text.textContent = label(f.name, right - left);
	}
}

/* The share counts a frame below another match once: frames stand in preorder. */
function search() {
	const wanted = prompt("Search for a regular expression; nothing ends the search",
			      pattern ? pattern.source : "");
	let covered = 0, end = -1, n = 0;

	if (wanted === null)
		return;
	try {
		pattern = wanted ? new RegExp(wanted, "i") : null;
	} catch (e) {
		details.textContent = "not a regular expression: " + wanted;
		return;
	}
	for (const f of frames) {
		const match = pattern !== null && pattern.test(f.name);

		f.g.classList.toggle("match", match);
		n += match ? 1 : 0;
		if (match && f.x >= end - 0.01) {
			covered += f.width;
			end = f.x + f.width;
		}
	}
	details.textContent = pattern
		? `${n} matches, ${(100 * covered / frames[0].width).toFixed(1)} % of all`
		: summary;
}

function addSearchLink() {
	const link = document.createElementNS("http://www.w3.org/2000/svg", "text");

	for (const [name, value] of Object.entries({ id: "search", class: "on-page", y: 26,
						      x: MARGIN + INNER, "text-anchor": "end" }))
		link.setAttribute(name, value);
	link.textContent = "Search (/)";
	link.addEventListener("click", search);
	svgElement.append(link);
}

document.getElementById("frames").classList.add("script");
addSearchLink();
for (const f of frames) {
	f.g.addEventListener("click", () => zoom(f));
	f.g.addEventListener("mouseenter", () => {
		details.textContent = f.title.replaceAll("\n", "  ");
	});
}
addEventListener("keydown", event => {
	if (event.key === "/" || (event.key === "f" && event.ctrlKey)) {
		event.preventDefault();
		search();
	} else if (event.key === "Escape") {
		zoom(frames[0]);
	}
});
