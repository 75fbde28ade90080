// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/*
 * The page: its state, which the address bar holds too, and what keys and clicks do to it. A
 * change of state recomputes what depends on it, once: forest (filters), view (inverted), drawing.
 */

const TIMINGS_KEPT = 1000;

const byId = id => document.getElementById(id);

class Page {
	constructor(data) {
		this.profile = new Profile(data);
		this.labels = new Labels(this.profile);
		this.palette = new Palette(this.profile);
		this.timings = { draws: [] };
		this.defaults = { ...DEFAULTS, group: this.labels.words.find(word =>
			word === "command") || "" };
		if (this.profile.isDifference)
			Object.assign(this.defaults, { colour: "change", sort: "change" });
		this.state = { ...this.defaults, filters: new Map() };
		this.stale = "forest";
		this.motion = matchMedia("(prefers-reduced-motion: reduce)");
		this.theme = matchMedia("(prefers-color-scheme: dark)");
		this.search = new Search(this);
		this.keys = new Keys(this);
		this.details = new Details(this);
		this.makeViews();
		this.makeTools();
		this.listen();
	}

	start() {
		this.readHash();
		this.showStatic();
		this.update();
		this.timings.firstPaintMs = performance.now();
	}

	/* --- building ------------------------------------------------------------------------- */

	makeGraph(id, up, label) {
		const graph = new Graph(byId(id), {
			profile: this.profile, palette: this.palette, up, label,
			on: { hover: node => this.details.showNode(graph.tree, node),
			      select: node => this.details.selectNode(graph.tree, node),
			      zoom: node => this.zoom(graph, node),
			      menu: (node, at) => this.menuOfNode(graph.tree, node, at),
			      timed: ms => this.timed(ms) },
		});

		return graph;
	}

	makeViews() {
		this.graph = this.makeGraph("graph", false, "Flame graph");
		this.callers = this.makeGraph("callers", true, "Callers");
		this.callees = this.makeGraph("callees", false, "Callees");
		for (const g of [this.callers, this.callees])
			g.canvas.addEventListener("dblclick", e => {
				const node = g.nodeAt(e.offsetX, e.offsetY);

				if (node > 0)
					this.openFunction(this.functionAt(g.tree, node));
			});
		this.table = new FunctionTable(byId("table"), this.profile, this.palette, {
			select: fn => this.details.selectFunction(fn), open: fn => this.openFunction(fn),
			sorted: key => this.set({ sort: key }), by: by => this.set({ by }),
			menu: (fn, at) => this.menuOfFunction(fn, at),
		}, [...Object.keys(TABLES), ...this.labels.words]);
		this.tree = new TreeList(byId("tree"), this.profile, this.palette, {
			select: node => this.details.selectNode(this.view, node),
			zoom: node => this.set({ view: "icicle", zoom: node }, "view", true),
			menu: (node, at) => this.menuOfNode(this.view, node, at),
		});
		this.chips = new Chips(byId("chips"), this.labels, {
			filter: (key, values) => this.filter(key, values),
		});
		this.filters = new Filters(byId("frames"), this.profile, {
			set: change => this.setFrames(change),
		});
		this.menu = new Menu(document.body);
		if (this.profile.info.asks)
			this.range = new Range(byId("asks"), this.labels, address => { location.href = address; });
	}

	makeTools() {
		const option = (value, text) => element("option", { value }, text);

		byId("views").append(...VIEWS.map(view => element("button", {
			"data-view": view, "aria-pressed": "false", onclick: () => this.show(view),
		}, view[0].toUpperCase() + view.slice(1))));
		byId("type").append(...this.profile.trees.map((t, i) =>
			option(i, t.name || `value ${i}`)));
		for (const choice of [...byId("colour").options])
			if (!coloursOf(this.profile).includes(choice.value))
				choice.remove();
		byId("type").hidden = this.profile.trees.length < 2;
		byId("group").append(option("", "No roots"), ...[...this.labels.words, ...ROOTS]
			.map(word => option(word, `By ${word}`)));
	}

	listen() {
		const on = (id, event, run) => byId(id).addEventListener(event, run);

		on("invert", "click", () => this.invert());
		on("search", "input", e => this.search.set(e.target.value));
		on("search", "keydown", e => this.search.key(e));
		on("type", "change", e =>
			this.set({ type: Number(e.target.value), zoom: 0 }, "forest"));
		on("group", "change", e => this.set({ group: e.target.value, zoom: 0 }, "forest"));
		on("colour", "change", e => this.set({ colour: e.target.value }));
		on("cut", "change", e => this.set({ cut: e.target.value }));
		on("help", "click", () => byId("help-dialog").showModal());
		on("quality", "click", () => byId("quality-dialog").showModal());
		on("to-sandwich", "click", () => this.openFunction(this.details.shown?.fn ?? NONE));
		on("copy-name", "click", () => this.copyName());
		on("more", "click", () => this.openMenu(pointBelow(byId("more"))));
		on("save-png", "click", () => this.savePicture());
		on("save-folded", "click", () => this.saveFolded());
		on("reset-filters", "click", () => this.resetFilters());
		document.addEventListener("keydown", e => this.keys.press(e));
		addEventListener("popstate", () => this.followHash());
		addEventListener("hashchange", () => this.followHash());
		this.theme.addEventListener("change", () => this.update());
	}

	showStatic() {
		const { info } = this.profile;

		byId("title").textContent = info.title;
		showHelp(byId("keys"), byId("legend"), this.profile, this.keys.actions);
	}

	/* --- state ---------------------------------------------------------------------------- */

	/* stale: what has to be computed anew, "forest" or "view". visit: Back comes back here. */
	set(change, stale, visit) {
		const old = location.hash;

		Object.assign(this.state, change);
		this.stale = stale || this.stale;
		this.update();
		const hash = hashOfState(this.state, this.defaults, this.profile);

		if (hash !== old)
			history[visit ? "pushState" : "replaceState"](null, "", hash || "#");
	}

	readHash() {
		this.state = stateOfHash(location.hash, this.defaults, this.profile, this.labels);
		this.stale = "forest";
	}

	followHash() {
		if (hashOfState(this.state, this.defaults, this.profile) === location.hash)
			return;
		this.readHash();
		this.update();
	}

	/* --- computing ------------------------------------------------------------------------ */

	get type() {
		return this.profile.trees[this.state.type];
	}

	/* The root frame for a label set, or null for one that is filtered out. */
	groups() {
		const { filters, group } = this.state;
		const frames = this.profile.labelSets.map((set, i) => {
			for (const [key, values] of filters)
				if (!values.has(set.get(key)))
					return null;
			const text = group ? this.labels.text(i, group) : undefined;

			return text ? this.profile.groupFrame(text) : NONE;
		});

		return set => set !== NONE ? frames[set] : filters.size ? null : NONE;
	}

	/* Roots that stand for what ran in the end. */
	rooted(stacks) {
		const { group } = this.state, { origins } = this.profile;

		return ROOTS.includes(group) ? rootedByLeaf(stacks, frame => origins[group][frame]
			? this.profile.groupFrame(origins[group][frame]) : NONE) : stacks;
	}

	isFiltered() {
		return this.state.filters.size > 0 ||
			Object.keys(NO_FILTERS).some(word => word !== "no-recursion" &&
				this.state[word] !== NO_FILTERS[word]);
	}

	select(tree) {
		return new Selection(this.profile, tree, { groups: this.groups(), ...this.filters.of(this.state) }).run();
	}

	/* What is drawn; figures come from the stacks. */
	shapeOf(stacks) {
		const rooted = this.rooted(stacks);

		return this.state["no-recursion"] ? this.profile.withoutRecursion(rooted) : rooted;
	}

	/* What shares are of in a difference, as in `kiln report`; undefined: it is none. */
	whole() {
		const { base, total } = this.forest;

		return base && (this.profile.hasBase ? base[0] : total[0]);
	}

	/* Of what is so much of both together in a difference. */
	words(both, base) {
		return (this.profile.hasBase ? formatDifference : formatNet)(this.type, both - base, base);
	}

	/* A tree that is made of stacks, in a difference with what its nodes were in the base. */
	compared(make, stacks, baseStacks) {
		const tree = make(stacks);

		return baseStacks ? tree.compareWith(make(baseStacks), this.profile.hidden) : tree;
	}

	compute() {
		const s = this.state, p = this.profile;
		const kept = this.view && s.zoom < this.view.n && s.zoom > 0
			? this.view.path(s.zoom).slice(1).map(i => this.view.frame[i]) : null;

		if (this.stale === "forest") {
			this.stacks = this.select(this.type);
			this.baseStacks = p.isDifference ? this.select({ ...this.type, ...this.type.base }) : null;
			this.shape = this.shapeOf(this.stacks);
			this.baseShape = this.baseStacks && this.shapeOf(this.baseStacks);
			this.forest = this.compared(shape => p.merged(shape), this.shape, this.baseShape);
			this.sums = p.functionSums(this.stacks);
			this.blamed = null; /* until the table asks */
			this.baseSums = this.baseStacks && p.functionSums(this.baseStacks);
		}
		if (this.stale) {
			this.view = s.invert ? this.compared(shape => p.inverted(shape), this.shape, this.baseShape)
				: this.forest;
			if (kept && this.stale === "forest")
				s.zoom = this.view.follow(kept);
			this.details.stale = true;
		}
		s.zoom = s.zoom < this.view.n ? s.zoom : 0;
		this.stale = "";
	}

	/* --- showing -------------------------------------------------------------------------- */

	update() {
		const started = performance.now();

		this.palette.set(this.state.colour, this.theme.matches);
		this.compute();
		this.search.compute(this.state.query);
		this.timings.computeMs = performance.now() - started;
		this.showTools();
		this.search.show();
		this.showView();
		this.showCrumbs();
		if (this.details.stale)
			this.details.showNode(this.view, this.state.zoom);
		this.timings.updateMs = performance.now() - started;
	}

	showTools() {
		const s = this.state, total = this.forest.total[0];

		for (const b of byId("views").children)
			b.setAttribute("aria-pressed", String(b.dataset.view === s.view));
		byId("invert").setAttribute("aria-pressed", String(s.invert));
		byId("invert").disabled = s.view === "sandwich" || s.view === "table";
		for (const id of ["type", "group", "colour", "cut"])
			byId(id).value = s[id];
		if (byId("search").value !== s.query)
			byId("search").value = s.query;
		const base = this.forest.base?.[0];
		const said = base === undefined ? formatMeasure(this.type, total, total)
			.replace(/,? ?100\.0 %/, "").replace(" ()", "") : this.words(total, base);

		const hidden = this.forest.hiddenBelow &&
			`boxes up to ${formatShare(this.forest.hiddenBelow, total)} are drawn as one`;

		const lost = this.stacks.lost && `${this.type.perSample
			? formatSamples(this.stacks.lost / this.type.perSample)
			: formatValue(this.type, this.stacks.lost)} lost`;

		const time = this.profile.info.time &&
			element("span", { class: "whole" }, this.profile.info.time);

		const against = this.profile.info.base &&
			element("span", { class: "whole" }, `base: ${this.profile.info.base}`);

		byId("summary").replaceChildren(...[said, lost, time, against, hidden]
			.filter(Boolean).flatMap((part, i) => i ? [" \u00b7 ", part] : [part]));
		if (!this.qualityShown) {
			const shares = qualityOf(this.profile, this.stacks);

			showQualityButton(byId("quality"), shares, this.profile.info.quality?.where);
			byId("quality-body").replaceChildren(...qualityPanel(this.profile, shares));
			this.qualityShown = true;
		}
		if (this.chipsFor !== s.type || this.chips.filters !== s.filters) {
			this.chips.show(s.filters, this.profile.weights(this.type));
			this.chipsFor = s.type;
		}
		this.range?.show(hashOfState({ ...s, zoom: 0 }, this.defaults, this.profile));
		this.filters.show(s);
		byId("wrong").textContent = this.filters.complaint(s);
		byId("filtered").textContent = this.filters.words(s);
		byId("filtered").title = byId("filtered").textContent;
	}

	showView() {
		const { view } = this.state;
		const empty = !(this.forest.total[0] > 0);

		byId("nothing").hidden = !empty;
		byId("graph").hidden = empty || (view !== "icicle" && view !== "flame");
		for (const id of ["sandwich", "table", "tree"])
			byId(id).hidden = empty || view !== id;
		if (empty)
			return;
		if (view === "sandwich")
			this.showSandwich();
		else if (view === "table")
			this.showTable();
		else if (view === "tree")
			this.tree.show({ tree: this.type, base: this.whole(), view: this.view, matches: this.search.matches,
					 focused: this.state.zoom });
		else
			this.showGraph();
	}

	showTable() {
		const { by, sort } = this.state, sums = tableBy(this, by);

		this.table.show({ tree: this.type, total: this.stacks.total[0], base: this.whole(), sums, by, sort,
				  matches: sums.functions ? this.search.matches
					: this.search.matching(sums.names),
				  selected: this.details.selected });
	}

	showGraph() {
		const g = this.graph, { zoom, view, cut } = this.state;
		const up = view === "flame";

		g.cutStart = cut === "start";
		g.matches = this.search.matches;
		if (g.tree !== this.view || g.up !== up) {
			g.up = up;
			g.setTree(this.view, zoom);
		} else if (g.zoomed !== zoom) {
			g.zoom(zoom, !this.motion.matches);
		} else {
			g.draw();
		}
	}

	showSandwich() {
		const s = this.state, p = this.profile;

		if (s.fn === NONE || !(this.sums.total[s.fn] > 0))
			s.fn = this.sums.self.reduce((best, v, fn) =>
				v > this.sums.self[best] && this.isCode(fn) ? fn : best, 0);
		const name = p.functionNames[s.fn], key = `${s.fn}`;

		const short = shortName(name, LONG_NAME);

		byId("callers-title").textContent = `Callers of ${short}`;
		byId("callees-title").textContent = `Callees of ${short}`;
		for (const [g, trees] of [[this.callers, "callers"], [this.callees, "callees"]]) {
			g.cutStart = s.cut === "start";
			g.matches = this.search.matches;
			g.base = 1;
			if (g.shownFor !== key || g.shownStacks !== this.stacks) {
				g.shownFor = key;
				g.shownStacks = this.stacks;
				g.setTree(this.compared(stacks => this.once(p[trees](stacks, s.fn)), this.stacks,
							this.baseStacks), 1);
			} else {
				g.resize();
			}
		}
		byId("callers").style.maxHeight = `${(this.callers.tree.maxDepth) * ROW}px`;
		this.details.selectFunction(s.fn);
	}

	once(tree) {
		return this.state["no-recursion"] ? this.profile.merged(tree, true) : tree;
	}

	showCrumbs() {
		const s = this.state, v = this.view;

		if (s.view === "sandwich") {
			const name = this.profile.functionNames[s.fn] || "";

			showCrumbs(byId("crumbs"), ["all functions", name], 1,
				   i => i || this.show("table"));
			return;
		}
		const path = v.path(s.zoom);

		showCrumbs(byId("crumbs"), path.map(i => this.graph.name.call({
			tree: v, profile: this.profile }, i)), path.length - 1,
			   i => this.set({ zoom: path[i] }, "", true));
	}

	/* --- speaking ------------------------------------------------------------------------- */

	say(text) {
		byId("live").textContent = text;
	}

	sayNode(graph) {
		const t = graph.tree, node = graph.focused, frame = t.frame[node];
		const where = frame === NONE ? "" : `, ${this.profile.modules[frame]}`;
		const n = t.children(node).length;

		const value = t.base ? this.words(t.total[node], t.base[node])
			: formatMeasure(this.type, t.total[node], this.forest.total[0]);

		this.say(`${graph.name(node)}${where}, ${value}, level ${t.depth[node] + 1}, ${
			n === 1 ? "1 callee" : `${n} callees`}`);
	}

	timed(ms) {
		const { draws } = this.timings;

		draws.push(ms);
		if (draws.length > TIMINGS_KEPT)
			draws.shift();
	}

	/* --- doing ---------------------------------------------------------------------------- */

	show(view) {
		this.details.stale = true;
		this.set({ view }, "", true);
		this.say(`${view} view`);
	}

	zoom(graph, node) {
		if (graph === this.graph)
			this.set({ zoom: node }, "", true);
		else
			graph.zoom(Math.max(1, node), !this.motion.matches);
	}

	zoomOut() {
		const g = this.activeGraph();
		const parent = g ? g.tree.parent[g.zoomed] : this.view.parent[this.state.zoom];

		if (parent === NONE)
			return;
		if (g)
			g.focused = Math.max(g.base, parent);
		if (g && g !== this.graph)
			this.zoom(g, parent);
		else
			this.set({ zoom: parent }, "", true);
	}

	invert() {
		this.set({ invert: !this.state.invert, zoom: 0 }, "view", true);
		this.say(this.state.invert ? "inverted: leaf first" : "root first");
	}

	filter(key, values) {
		if (values)
			this.state.filters.set(key, values);
		else
			this.state.filters.delete(key);
		this.set({}, "forest");
	}

	/* What `filters` knows. */
	setFrames(change) {
		this.set(change, "forest", true);
		this.say(byId("wrong").textContent || byId("filtered").textContent || "all frames");
	}

	resetFilters() {
		this.set({ filters: new Map(), ...NO_FILTERS }, "forest");
	}

	reset() {
		this.set({ zoom: 0, query: "", filters: new Map(), ...NO_FILTERS, invert: false },
			 "forest", true);
	}

	/* Not what stands for a label, nor for everything. */
	isCode(fn) {
		return fn !== undefined && this.profile.modules[this.profile.functions[fn]] !== "";
	}

	functionAt(tree, node) {
		const frame = tree.frame[node];

		return frame === NONE ? NONE : this.profile.functionOf[frame];
	}

	openFunction(fn) {
		if (fn === NONE || !this.isCode(fn))
			fn = this.state.fn;
		this.set({ view: "sandwich", fn }, "", true);
	}

	activeGraph() {
		const { view } = this.state;

		if (view === "icicle" || view === "flame")
			return this.graph;
		if (view !== "sandwich")
			return null;
		return document.activeElement === this.callers.canvas ? this.callers : this.callees;
	}

	/* --- saving --------------------------------------------------------------------------- */

	copyName() {
		const name = byId("detail-name");

		getSelection().selectAllChildren(name);
		this.copy(name.textContent, "name");
	}

	copy(text, what) {
		copyText(text);
		this.copied = text;
		this.say(`${what} copied`);
	}

	/* at: { x, y } in the window. */
	menuOfNode(tree, node, at) {
		this.details.selectNode(tree, node);
		this.openMenu(at);
	}

	menuOfFunction(fn, at) {
		this.details.selectFunction(fn);
		this.openMenu(at);
	}

	/* Of what the details show. */
	openMenu(at) {
		const { shown } = this.details;

		if (shown && shown.fn !== NONE)
			this.menu.open(menuActions(this, shown), at);
	}

	savePicture() {
		const g = this.activeGraph() || this.graph;

		if (g.tree)
			g.picture(blob => saveAs(this.profile.info.title, "png", blob));
	}

	/* Samples where their number is known, else the value. */
	folded() {
		return foldedText(this.profile, this.forest, this.stacks.lost, this.type.perSample || 1);
	}

	saveFolded() {
		saveAs(this.profile.info.title, "folded",
		       new Blob([this.folded()], { type: "text/plain" }));
	}
}
