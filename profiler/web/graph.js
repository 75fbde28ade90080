// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/*
 * A flame graph on a canvas. Only the rows and columns that can be seen are drawn, and boxes
 * narrower than a pixel are drawn once a pixel, so a draw costs what the window can show and not
 * what the profile holds. Boxes are written as pixels, a line for each row: tens of thousands of
 * fillRect() calls take ten times as long. The canvas sticks to the top of a scrolling sheet of
 * the graph's height, since a canvas that high would hit the browser's limit.
 */

const ROW = 20, BOX = ROW - 1, TEXT_PAD = 4;
const FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const ZOOM_MS = 180;
/* Pixels from which on a box leaves one of them free beside its neighbour. */
const GAP_FROM = 6;
/* Callers that stay in sight above what is zoomed on. */
const CALLERS_SHOWN = 2;

function hashText(text) {
	let h = 0x811c9dc5;

	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
	h ^= h >>> 15;
	return Math.imul(h, 0x2c1b3c6d) >>> 8;
}

/* CSS Color 4, section 7, but to [red, green, blue] of 0 to 255. */
function hslToRgb(hue, saturation, lightness) {
	const l = lightness / 100, a = saturation / 100 * Math.min(l, 1 - l);

	return [0, 8, 4].map(n => {
		const k = (n + hue / 30 + 12) % 12;

		return Math.round(255 * (l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
	});
}

const mix = (rgb, page, share) => rgb.map((c, i) => Math.round(c * share + page[i] * (1 - share)));
/* As the bytes of a canvas lie in memory: red first, little-endian as browsers' machines are. */
const pixel = ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0;
const css = ([r, g, b]) => `rgb(${r},${g},${b})`;

/* soft: how much of a colour is left, against the page's, in boxes that share a pixel and in
 * callers of what is zoomed on, which are there to go back to and not to look at. */
const THEMES = {
	light: { soft: 0.7, page: [255, 255, 255], all: [222, 225, 231],
		 match: [211, 166, 255],
		 faded: [230, 232, 236], fadedText: [86, 91, 102], outline: [16, 18, 22] },
	dark: { soft: 0.8, page: [21, 23, 28], all: [150, 156, 168],
		match: [197, 139, 255],
		faded: [51, 55, 63], fadedText: [179, 184, 194], outline: [255, 255, 255] },
};
const BOX_TEXT = [16, 18, 22];
/* Of what grew and shrank, as strong as the share of it that did; half of it is all red or blue. Steps on each side. */
const GREW = [242, 96, 84], SHRANK = [84, 150, 245], UNCHANGED = { light: [228, 230, 235], dark: [150, 156, 168] };
const CHANGE_STEPS = 16, ALL_CHANGED = 0.5;

/* Colours of frames by kind, module or name, as pixels, plain and soft. */
class Palette {
	constructor(profile) {
		this.profile = profile;
		this.set("kind", false);
	}

	set(by, dark) {
		if (this.by === by && this.dark === dark)
			return;
		this.by = by;
		this.dark = dark;
		this.theme = THEMES[dark ? "dark" : "light"];
		for (const key of ["page", "match", "faded", "all"]) {
			this[key] = pixel(this.theme[key]);
			this[`${key}Soft`] = this.softened(this.theme[key]);
		}
		this.plain = [];
		this.soft = [];
		this.changes = Array.from({ length: 2 * CHANGE_STEPS + 1 }, (_, i) => this.changeStep(i - CHANGE_STEPS));
	}

	changeStep(step) {
		const rgb = mix(step < 0 ? SHRANK : GREW, UNCHANGED[this.dark ? "dark" : "light"],
				Math.abs(step) / CHANGE_STEPS);

		return { css: css(rgb), plain: pixel(rgb), soft: this.softened(rgb) };
	}

	/* The colour of what was so much in the base, and is so much of both together. */
	change(base, both) {
		const share = both > 0 ? (both - 2 * base) / both / ALL_CHANGED : 0;

		return this.changes[CHANGE_STEPS + Math.round(CHANGE_STEPS * Math.max(-1, Math.min(1, share)))];
	}

	/* For CSS, of a node's box. */
	cssOf(tree, node) {
		return this.by === "change" ? this.change(tree.base[node], tree.total[node]).css
			: this.css(tree.frame[node]);
	}

	softened(rgb) {
		return pixel(mix(rgb, this.theme.page, this.theme.soft));
	}

	/* Dark pages: calmer, but still light enough for dark text. */
	rgb(frame) {
		const { names, modules, classes, info } = this.profile;
		const c = info.classes[classes[frame]];
		const jitter = hashText(names[frame]);
		const text = this.by === "module" ? modules[frame] : names[frame];
		let hsl = [hashText(text) % 360, 55, 78];

		if (this.by === "kind" || c.key === "root")
			hsl = [c.hue + jitter % (2 * info.hueJitter + 1) - info.hueJitter,
			       c.saturation, c.lightness + (jitter >> 8) % (info.lightJitter + 1)];
		return this.dark ? hslToRgb(hsl[0], hsl[1] * 0.72, hsl[2] - 3) : hslToRgb(...hsl);
	}

	css(frame) {
		return css(this.rgb(frame));
	}

	of(frame, soft) {
		if (this.plain[frame] === undefined) {
			const rgb = this.rgb(frame);

			this.plain[frame] = pixel(rgb);
			this.soft[frame] = this.softened(rgb);
		}
		return soft ? this.soft[frame] : this.plain[frame];
	}
}

/* Narrower boxes show the beginning of a name this short. */
const LEAST_LABEL = 12;

class Graph {
	/* up: the root at the bottom.
	 * on: { select(node), zoom(node), hover(node), menu(node, at), timed(ms) } */
	constructor(sheet, { profile, palette, up, label, on }) {
		this.profile = profile;
		this.palette = palette;
		this.up = up;
		this.on = on;
		this.scroller = sheet;
		this.sheet = sheet.appendChild(document.createElement("div"));
		this.canvas = this.sheet.appendChild(document.createElement("canvas"));
		this.canvas.tabIndex = 0;
		this.canvas.setAttribute("role", "application");
		this.canvas.setAttribute("aria-label", label);
		this.canvas.setAttribute("aria-describedby", "graph-keys");
		this.context = this.canvas.getContext("2d", { alpha: false });
		this.context.font = FONT;
		this.charWidth = this.context.measureText("M").width;
		this.hovered = this.focused = NONE;
		this.matches = null;
		this.base = 0; /* first level shown */
		this.cutStart = false;
		this.listen();
	}

	listen() {
		const c = this.canvas;

		this.scroller.addEventListener("scroll", () => this.redraw());
		c.addEventListener("mousemove", e => this.hover(this.nodeAt(e.offsetX, e.offsetY)));
		c.addEventListener("mouseleave", () => this.hover(NONE));
		c.addEventListener("click", e => this.click(this.nodeAt(e.offsetX, e.offsetY)));
		c.addEventListener("contextmenu", e => {
			const pointed = e.pointerType || e.button === 2;

			e.preventDefault();
			this.openMenu(pointed ? this.nodeAt(e.offsetX, e.offsetY) : this.focused,
				      pointed ? { x: e.clientX, y: e.clientY } : null);
		});
		c.addEventListener("focus", () => this.redraw());
		c.addEventListener("blur", () => this.redraw());
		new ResizeObserver(() => this.resize()).observe(this.scroller);
	}

	setTree(tree, zoom) {
		this.tree = tree;
		this.hovered = NONE;
		this.focused = zoom;
		this.zoomed = zoom;
		this.from = this.tree.start[zoom];
		this.to = this.from + this.tree.total[zoom];
		this.resize();
		this.scroller.scrollTop = this.up ? this.scroller.scrollHeight : 0;
		if (this.width)
			this.reveal(zoom);
	}

	resize() {
		const ratio = window.devicePixelRatio || 1;

		if (!this.tree || !this.scroller.clientWidth)
			return;
		this.width = this.scroller.clientWidth;
		this.height = this.scroller.clientHeight;
		this.rows = this.tree.reach[this.zoomed] + 1 - this.base;
		this.sheet.style.height = `${Math.max(this.rows * ROW, this.height)}px`;
		this.canvas.style.width = `${this.width}px`;
		this.canvas.style.height = `${this.height}px`;
		this.canvas.width = Math.round(this.width * ratio);
		this.canvas.height = Math.round(this.height * ratio);
		this.ratio = ratio;
		this.draw();
	}

	/* --- where things are ----------------------------------------------------------------- */

	sheetHeight() {
		return Math.max(this.rows * ROW, this.height);
	}

	/* Top of a level's row on the canvas. */
	rowTop(depth) {
		const onSheet = this.up ? this.sheetHeight() - (depth - this.base + 1) * ROW
			: (depth - this.base) * ROW;

		return onSheet - this.scroller.scrollTop;
	}

	depthAt(y) {
		const onSheet = y + this.scroller.scrollTop;

		return Math.floor((this.up ? this.sheetHeight() - onSheet : onSheet) / ROW) +
			this.base;
	}

	scale() {
		return this.to > this.from ? this.width / (this.to - this.from) : 0;
	}

	/* The node's box on the canvas, cut at the edges. */
	box(node) {
		const scale = this.scale();
		const left = Math.max(0, (this.tree.start[node] - this.from) * scale);
		const right = Math.min(this.width, (this.tree.start[node] + this.tree.total[node] -
						    this.from) * scale);

		return { x: left, y: this.rowTop(this.tree.depth[node]), width: right - left,
			 height: BOX };
	}

	nodeAt(x, y) {
		const depth = this.depthAt(y), t = this.tree;
		const value = this.from + x / this.scale();

		if (depth < this.base || depth > t.maxDepth)
			return NONE;
		const at = t.findAt(depth, value, 0);
		const node = at < t.levelFirst[depth + 1] ? t.level[at] : NONE;

		return node !== NONE && t.start[node] <= value ? node : NONE;
	}

	/* --- drawing -------------------------------------------------------------------------- */

	redraw() {
		if (!this.pending)
			this.pending = requestAnimationFrame(() => this.draw());
	}

	draw() {
		const started = performance.now();

		if (this.pending)
			cancelAnimationFrame(this.pending);
		this.pending = 0;
		if (!this.tree || !this.width)
			return;
		this.drawRows();
		this.drawLabels();
		this.outline(this.hovered, 1);
		if (document.activeElement === this.canvas)
			this.outline(this.focused, 2);
		this.on.timed(performance.now() - started);
	}

	/* The levels in sight, each as one line of pixels that is copied down its row. */
	drawRows() {
		const width = this.canvas.width, height = this.canvas.height;
		const first = this.depthAt(this.up ? this.height : 0);
		const last = Math.min(this.depthAt(this.up ? 0 : this.height), this.tree.maxDepth);

		if (!this.image || this.image.width !== width || this.image.height !== height) {
			this.image = this.context.createImageData(width, height);
			this.pixels = new Uint32Array(this.image.data.buffer);
			this.line = new Uint32Array(width);
		}
		this.pixels.fill(this.palette.page);
		this.labels = [];
		for (let d = Math.max(this.base, first); d <= last; d++) {
			const y = this.rowTop(d);
			const bottom = Math.min(height, Math.round((y + BOX) * this.ratio));

			this.drawLine(d, y);
			for (let row = Math.max(0, Math.round(y * this.ratio)); row < bottom; row++)
				this.pixels.set(this.line, row * width);
		}
		this.context.setTransform(1, 0, 0, 1, 0, 0);
		this.context.putImageData(this.image, 0, 0);
	}

	drawLine(depth, y) {
		const t = this.tree, width = this.canvas.width, from = this.from;
		const scale = this.scale() * this.ratio, end = t.levelFirst[depth + 1];
		const above = depth < t.depth[this.zoomed];
		const wide = (3 * this.charWidth + 2 * TEXT_PAD) * this.ratio;

		this.line.fill(this.palette.page);
		for (let at = t.findAt(depth, from, 0); at < end;) {
			const left = Math.max(0, (t.left[at] - from) * scale);
			const right = Math.min(width, (t.right[at] - from) * scale);

			if (left >= width)
				break;
			if (right - left < 1) {
				const x = Math.floor(left);
				const next = t.findAt(depth, from + (x + 1) / scale, at + 1);

				this.line[x] = this.sliverColour(at, next);
				at = next;
				continue;
			}
			const node = t.level[at++], x = Math.round(left);
			const room = Math.round(right) - x, gap = room < GAP_FROM ? 0 : 1;

			this.line.fill(this.colour(node, above), x, x + room - gap);
			if (room > wide)
				this.labels.push(node, x / this.ratio, y, room / this.ratio);
		}
	}

	isFaded(node) {
		const frame = this.tree.frame[node];

		return this.matches !== null &&
			(frame === NONE || !this.matches[this.profile.functionOf[frame]]);
	}

	colour(node, soft) {
		const frame = this.tree.frame[node], p = this.palette;

		if (this.isFaded(node))
			return soft ? p.fadedSoft : p.faded;
		if (this.matches && frame !== NONE)
			return soft ? p.matchSoft : p.match;
		if (p.by === "change")
			return p.change(this.tree.base[node], this.tree.total[node])[soft ? "soft" : "plain"];
		if (frame === NONE)
			return soft ? p.allSoft : p.all;
		return p.of(frame, soft);
	}

	/* The heaviest stands for all that share a pixel, but a match must not hide among them. */
	sliverColour(at, end) {
		for (let i = at; this.matches && i < end; i++)
			if (!this.isFaded(this.tree.level[i]))
				return this.palette.match;
		return this.colour(this.tree.level[at], true);
	}

	textIsFaded(node) {
		return this.matches !== null && this.isFaded(node);
	}

	drawLabels() {
		const g = this.context, l = this.labels;

		g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
		g.font = FONT;
		g.textBaseline = "middle";
		for (const faded of this.matches ? [false, true] : [false]) {
			g.fillStyle = css(faded ? this.palette.theme.fadedText : BOX_TEXT);
			for (let i = 0; i < l.length; i += 4)
				if (this.textIsFaded(l[i]) === faded)
					g.fillText(this.label(l[i], l[i + 3]), l[i + 1] + TEXT_PAD,
						   l[i + 2] + BOX / 2 + 0.5);
		}
	}

	name(node) {
		const frame = this.tree.frame[node];

		return frame === NONE ? "all" : this.profile.names[frame];
	}

	label(node, width) {
		const room = Math.floor((width - 2 * TEXT_PAD) / this.charWidth);
		let name = this.name(node);

		/* The width of other scripts is not that of an M. */
		if (!/^[\x20-\x7e]*$/.test(name))
			return this.measuredLabel(name, width - 2 * TEXT_PAD);
		if (name.length > room)
			name = shortName(name, Math.max(room, LEAST_LABEL));
		if (name.length <= room)
			return name;
		return this.cutStart ? "\u2026" + name.slice(name.length - room + 1)
			: name.slice(0, room - 1) + "\u2026";
	}

	measuredLabel(name, room) {
		const width = text => this.context.measureText(text).width;
		let low = 0, high = name.length;

		if (width(name) <= room)
			return name;
		while (low < high) {
			const mid = low + high + 1 >> 1;

			if (width(name.slice(0, mid) + "\u2026") <= room)
				low = mid;
			else
				high = mid - 1;
		}
		/* Not half a surrogate pair. */
		return name.slice(0, low).replace(/[\ud800-\udbff]$/, "") + "\u2026";
	}

	outline(node, width) {
		if (node === NONE)
			return;
		const b = this.box(node);

		if (b.width <= 0)
			return;
		this.context.strokeStyle = css(this.palette.theme.outline);
		this.context.lineWidth = width;
		this.context.strokeRect(b.x + width / 2, b.y + width / 2,
					Math.max(1, b.width - width), b.height - width);
	}

	/* --- moving about --------------------------------------------------------------------- */

	hover(node) {
		if (node === this.hovered)
			return;
		this.hovered = node;
		this.canvas.style.cursor = node === NONE ? "" : "pointer";
		this.redraw();
		if (node !== NONE)
			this.on.hover(node);
	}

	click(node) {
		if (node === NONE)
			return;
		this.focused = node;
		this.on.select(node);
		this.on.zoom(node);
	}

	/* at: a point in the window, or null for the node's box. */
	openMenu(node, at) {
		if (node === NONE)
			return;
		const box = this.box(node), r = this.canvas.getBoundingClientRect();

		this.focused = node;
		this.redraw();
		this.on.menu(node, at || { x: r.left + box.x, y: r.top + box.y + ROW });
	}

	focus(node) {
		this.focused = node;
		this.scrollTo(node);
		this.redraw();
		this.on.select(node);
	}

	scrollTo(node) {
		const y = this.rowTop(this.tree.depth[node]);

		if (y < 0)
			this.scroller.scrollTop += y - ROW;
		else if (y + ROW > this.height)
			this.scroller.scrollTop += y + 2 * ROW - this.height;
	}

	zoom(node, animate) {
		const to = { from: this.tree.start[node],
			     to: this.tree.start[node] + this.tree.total[node] };
		const old = { from: this.from, to: this.to };
		const started = performance.now();

		this.zoomed = node;
		this.zooming = (this.zooming || 0) + 1;
		const turn = this.zooming;
		const step = now => {
			const t = Math.min(1, Math.max(0, (now - started) / ZOOM_MS));
			const eased = t * (2 - t);

			if (turn !== this.zooming)
				return;
			this.from = old.from + (to.from - old.from) * eased;
			this.to = old.to + (to.to - old.to) * eased;
			this.draw();
			if (t < 1)
				requestAnimationFrame(step);
			else
				this.settle(node);
		};

		if (animate)
			requestAnimationFrame(step);
		else
			step(started + ZOOM_MS);
	}

	/* Once there: as many rows as there are left, and as many of them in sight as fit. */
	settle(node) {
		this.resize();
		this.reveal(node);
	}

	/* Scrolls no further than needed to see what is below the node, and the node itself. */
	reveal(node) {
		const { base, up, height, scroller, tree } = this;
		const near = (tree.depth[node] - base - CALLERS_SHOWN) * ROW;
		const far = (tree.reach[node] - base + 1) * ROW;
		/* As if the root were on top: how much of the sheet lies before the window. */
		const flip = top => up ? this.sheetHeight() - height - top : top;
		const least = Math.max(flip(scroller.scrollTop), far - height);

		scroller.scrollTop = flip(Math.max(0, Math.min(near, least)));
	}

	/* The node an arrow key leads to, or NONE. */
	neighbour(node, key) {
		const t = this.tree;
		const outwards = this.up ? "ArrowUp" : "ArrowDown";

		if (key === "ArrowUp" || key === "ArrowDown") {
			if (key !== outwards)
				return t.parent[node];
			return node + 1 < t.end[node] ? node + 1 : NONE;
		}
		const first = t.levelFirst[t.depth[node]], end = t.levelFirst[t.depth[node] + 1];
		const here = t.findAt(t.depth[node], t.start[node], 0);
		const at = key === "ArrowRight" ? here + 1 : here - 1;
		const next = at >= first && at < end ? t.level[at] : NONE;

		return next !== NONE && this.box(next).width > 0 ? next : NONE;
	}

	/* --- as a picture --------------------------------------------------------------------- */

	/* All rows of what is zoomed on, as far as a canvas can be high. */
	picture(done) {
		const tall = Object.create(this);

		tall.canvas = document.createElement("canvas");
		tall.context = tall.canvas.getContext("2d", { alpha: false });
		tall.width = Math.max(1200, this.width);
		tall.height = Math.min(this.rows * ROW, 16000);
		tall.scroller = { scrollTop: this.up ? this.rows * ROW - tall.height : 0 };
		tall.ratio = 1;
		tall.hovered = NONE;
		tall.canvas.width = tall.width;
		tall.canvas.height = tall.height;
		tall.pending = 0;
		tall.image = null;
		tall.draw();
		tall.canvas.toBlob(done, "image/png");
	}
}
