"use strict";
/*
 * A flame graph on a canvas. Only the rows and columns that can be seen are drawn, and boxes
 * narrower than a pixel are drawn once a pixel, so a draw costs what the window can show and not
 * what the profile holds. The canvas sticks to the top of a scrolling sheet of the graph's height:
 * a canvas that high would hit the browser's limit.
 */

const ROW = 20, BOX = ROW - 1, FONT_PX = 12, TEXT_PAD = 4;
const LEAST_BOX = 1; /* pixels */
const ZOOM_MS = 180;

function hashText(text) {
	let h = 0x811c9dc5;

	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
	h ^= h >>> 15;
	return Math.imul(h, 0x2c1b3c6d) >>> 8;
}

/* Colours of frames by kind, module or name, with a faded variant for what a search left out. */
class Palette {
	constructor(profile) {
		this.profile = profile;
		this.by = "kind";
		this.dark = false;
		this.reset();
	}

	set(by, dark) {
		this.by = by;
		this.dark = dark;
		this.reset();
	}

	reset() {
		const page = this.dark ? "#15171c" : "#ffffff";

		this.colours = [];
		this.page = page;
		this.match = this.dark ? "#c58bff" : "#d3a6ff";
		this.faded = this.dark ? "#33373f" : "#e6e8ec";
		this.fadedText = this.dark ? "#b3b8c2" : "#565b66";
		this.text = "#101216";
		this.outline = this.dark ? "#ffffff" : "#101216";
	}

	hsl(frame) {
		const { names, modules, classes, info } = this.profile;
		const c = info.classes[classes[frame]];
		const jitter = hashText(names[frame]);

		if (this.by === "kind" || c.key === "root")
			return [c.hue + jitter % (2 * info.hueJitter + 1) - info.hueJitter,
				c.saturation, c.lightness + (jitter >> 8) % (info.lightJitter + 1)];
		const hash = hashText(this.by === "module" ? modules[frame] : names[frame]);

		return [hash % 360, 55, 74];
	}

	of(frame) {
		let colour = this.colours[frame];

		if (colour === undefined) {
			const [h, s, l] = this.hsl(frame);

			/* Dark pages: calmer, but still light enough for dark text. */
			colour = this.dark ? `hsl(${h},${Math.round(s * 0.72)}%,${l - 6}%)`
				: `hsl(${h},${s}%,${l}%)`;
			this.colours[frame] = colour;
		}
		return colour;
	}
}

class Graph {
	/* up: the root at the bottom. on: { select(node), zoom(node), hover(node), timed(ms) } */
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

	/* --- where things are ------------------------------------------------------------------- */

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

		return { x: left, y: this.rowTop(this.tree.depth[node]), width: right - left, height: BOX };
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

	/* --- drawing ---------------------------------------------------------------------------- */

	redraw() {
		if (!this.pending)
			this.pending = requestAnimationFrame(() => this.draw());
	}

	draw() {
		const started = performance.now();
		const g = this.context;
		const first = this.depthAt(this.up ? this.height : 0);
		const last = this.depthAt(this.up ? 0 : this.height);

		if (this.pending)
			cancelAnimationFrame(this.pending);
		this.pending = 0;
		if (!this.tree || !this.width)
			return;
		g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
		g.fillStyle = this.palette.page;
		g.fillRect(0, 0, this.width, this.height);
		g.font = `${FONT_PX}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
		g.textBaseline = "middle";
		this.charWidth = this.charWidth || g.measureText("M").width;
		this.labels = [];
		for (let d = Math.max(this.base, first); d <= Math.min(this.tree.maxDepth, last); d++)
			this.drawLevel(d);
		this.drawLabels();
		this.outline(this.hovered, 1);
		if (document.activeElement === this.canvas)
			this.outline(this.focused, 2);
		this.on.timed(performance.now() - started);
	}

	drawLevel(depth) {
		const t = this.tree, g = this.context, scale = this.scale();
		const end = t.levelFirst[depth + 1], y = this.rowTop(depth);
		let at = t.findAt(depth, this.from, 0);

		this.run = null;
		while (at < end) {
			const node = t.level[at];
			const left = (t.start[node] - this.from) * scale;
			const right = left + t.total[node] * scale;

			if (left >= this.width)
				break;
			if (right - left < LEAST_BOX) {
				const pixel = Math.floor(Math.max(0, left));
				const next = t.findAt(depth, this.from + (pixel + 1) / scale, at + 1);

				this.addSliver(pixel, y, this.sliverColour(at, next));
				at = next;
				continue;
			}
			this.drawBox(node, Math.max(0, left), Math.min(this.width, right), y);
			at++;
		}
		this.flushRun();
		g.globalAlpha = 1;
	}

	colour(node) {
		const frame = this.tree.frame[node];

		if (frame === NONE)
			return this.palette.faded;
		if (this.matches && !this.matches[this.profile.functionOf[frame]])
			return this.palette.faded;
		return this.matches ? this.palette.match : this.palette.of(frame);
	}

	/* A match must not hide among what shares its pixel. */
	sliverColour(at, end) {
		for (let i = at; this.matches && i < end; i++)
			if (this.colour(this.tree.level[i]) === this.palette.match)
				return this.palette.match;
		return this.colour(this.tree.level[at]);
	}

	/* Neighbouring slivers become one box in the colour of the first. */
	addSliver(pixel, y, colour) {
		if (this.run && this.run.end === pixel && (this.run.colour === colour || !this.matches)) {
			this.run.end = pixel + 1;
			return;
		}
		this.flushRun();
		this.run = { start: pixel, end: pixel + 1, y, colour };
	}

	flushRun() {
		const r = this.run;

		if (!r)
			return;
		this.context.globalAlpha = 0.6;
		this.context.fillStyle = r.colour;
		this.context.fillRect(r.start, r.y, r.end - r.start, BOX);
		this.context.globalAlpha = 1;
		this.run = null;
	}

	drawBox(node, left, right, y) {
		const g = this.context, width = right - left;

		this.flushRun();
		g.fillStyle = this.colour(node);
		/* Callers of what is zoomed on are there to go back to, not to look at. */
		g.globalAlpha = this.tree.depth[node] < this.tree.depth[this.zoomed] ? 0.55 : 1;
		g.fillRect(left, y, width > 2 ? width - 0.6 : width, BOX);
		if (width > 3 * this.charWidth + 2 * TEXT_PAD)
			this.labels.push(node, left, y, width);
	}

	/* After all boxes: changing between boxes and text costs more than either. */
	drawLabels() {
		const g = this.context, l = this.labels;

		g.globalAlpha = 1;
		g.fillStyle = this.palette.text;
		for (const faded of this.matches ? [false, true] : [false]) {
			g.fillStyle = faded ? this.palette.fadedText : this.palette.text;
			for (let i = 0; i < l.length; i += 4) {
				if (this.matches && (this.colour(l[i]) === this.palette.faded) !== faded)
					continue;
				g.fillText(this.label(l[i], l[i + 3]), l[i + 1] + TEXT_PAD,
					   l[i + 2] + BOX / 2 + 0.5);
			}
		}
	}

	name(node) {
		const frame = this.tree.frame[node];

		return frame === NONE ? "all" : this.profile.names[frame];
	}

	label(node, width) {
		const name = this.name(node);
		const room = Math.floor((width - 2 * TEXT_PAD) / this.charWidth);

		/* The width of other scripts is not that of an M. */
		if (!/^[\x20-\x7e]*$/.test(name))
			return this.measuredLabel(name, width - 2 * TEXT_PAD);
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
		this.context.strokeStyle = this.palette.outline;
		this.context.lineWidth = width;
		this.context.strokeRect(b.x + width / 2, b.y + width / 2, Math.max(1, b.width - width),
					b.height - width);
	}

	/* --- moving about ----------------------------------------------------------------------- */

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

	/* Once there: as many rows as are below, and the zoomed one in sight. */
	settle(node) {
		this.resize();
		this.scrollTo(node);
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
		const at = t.findAt(t.depth[node], t.start[node], 0) + (key === "ArrowRight" ? 1 : -1);
		const next = at >= first && at < end ? t.level[at] : NONE;

		return next !== NONE && this.box(next).width > 0 ? next : NONE;
	}

	/* --- as a picture ------------------------------------------------------------------------- */

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
		tall.draw();
		tall.canvas.toBlob(done, "image/png");
	}
}
