// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
/* What the profile is summed up by: who ran, as labels tell, and what. The words are those of
 * `kiln report --by`, the rows too. */

/* Words for who ran. Other labels go by their keys. */
const WHO = ["command", "process", "thread", "cgroup"];
/* As in kiln report. */
const OF_PROCESSES = new Set(["command", "process", "thread"]), NO_PROCESS = "[no process]";
const CGROUP_LABELS = ["unit", "container", "cgroup"];
/* Words for what ran in the end, as roots above whole stacks. */
const ROOTS = ["module", "package", "directory", "file"];

/* The labels that tell who ran: which there are, how to call them, how to group by them. */
class Labels {
	constructor(profile) {
		const keys = profile.info.labels.keys;

		this.sets = profile.labelSets;
		this.keys = keys;
		this.titles = new Map([[keys.comm, "command"], [keys.pid, "process"],
				       [keys.tid, "thread"]]);
		this.present = [...new Set(this.sets.flatMap(set => [...set.keys()]))].filter(key => key !== keys.base);
		this.present.sort((a, b) => this.rank(a) - this.rank(b) || (a < b ? -1 : 1));
		this.filtered = this.present.filter(key =>
			new Set(this.sets.map(set => set.get(key))).size > 1);
		this.words = this.wordsPresent();
		/* By label set. */
		this.names = profile.info.labels.names.map(([process, command]) =>
			({ process: profile.info.strings[process],
			   command: profile.info.strings[command] }));
	}

	/* What can be grouped by. */
	wordsPresent() {
		const { comm, pid, tid } = this.keys, needs = { command: [comm, pid], process: [pid],
			thread: [tid], cgroup: CGROUP_LABELS };
		const has = key => this.present.includes(key);

		return [...WHO.filter(word => needs[word].some(has)), ...this.present.filter(key =>
			![comm, pid, tid, ...WHO, ...Object.keys(TABLES)].includes(key))];
	}

	/* Commands, processes and threads first: everybody has them. */
	rank(key) {
		const at = [this.keys.comm, this.keys.pid, this.keys.tid].indexOf(key);

		return at < 0 ? 3 : at;
	}

	title(key) {
		return this.titles.get(key) || key;
	}

	/* The word for a label's key. */
	wordOf(key) {
		return this.titles.get(key) || key;
	}

	/* What a label set is called when grouped by a word; undefined if it has no such label.
	 * Processes are comm-pid, threads comm-pid/tid, as in folded stacks. */
	text(i, word) {
		const { comm, pid, tid } = this.keys, set = this.sets[i], name = this.names[i];
		const task = first => [first, set.get(pid)].filter(Boolean).join("-") || undefined;

		switch (word) {
		case "command": return name.command || undefined;
		case "process": return task(name.process);
		case "thread": return set.has(tid) ? `${task(set.get(comm))}/${set.get(tid)}`
			: task(set.get(comm));
		case "cgroup": return CGROUP_LABELS.map(key => set.get(key)).find(Boolean);
		}
		return set.get(word);
	}

	values(key, weights) {
		const byValue = new Map(), { comm, pid, tid } = this.keys;

		this.sets.forEach((set, i) => {
			const value = set.get(key);

			if (value === undefined || !weights[i])
				return;
			const v = byValue.get(value) ||
				{ value, weight: 0, heaviest: 0, text: value };

			/* A number alone tells little: beside it stands what it mostly ran. */
			v.weight += weights[i];
			if (weights[i] > v.heaviest && (key === pid || key === tid)) {
				const name = key === pid ? this.names[i].process : set.get(comm) || "";

				v.heaviest = weights[i];
				v.text = `${value} ${name}`.trim();
			}
			byValue.set(value, v);
		});
		return [...byValue.values()].sort((a, b) =>
			b.weight - a.weight || (a.value < b.value ? -1 : 1));
	}
}

/* --- rows of the table ------------------------------------------------------------------------ */

/* Each gives { what, row: in words, names, modules, self, total, frames: for colours,
 * functions: whether rows are functions, callers: rows to blame, note }, and in a difference base: { self, total }, as far as it is known:
 * then self and total are of both together, else what changed. */
const TABLES = {
	function: page => {
		const { functions, functionNames, modules } = page.profile;

		return { what: "functions", row: "Function", names: functionNames, frames: functions,
			 modules: functions.map(frame => modules[frame]), functions: true,
			 callers: page.blamed ||= callersToBlame(page),
			 ...page.sums, base: page.baseSums };
	},
	line: page => {
		const { lines, strings } = page.profile.info;

		return { what: "lines", row: "Line", names: lines.name.map((name, i) =>
				strings[name] + strings[lines.at[i]]),
			 modules: lines.module.map(i => strings[i]),
			 self: lines.self, total: lines.total,
			 note: [page.isFiltered() || page.state.type
				? "of the whole profile, whatever the filters and the value" : "",
				lines.left ? `${formatCount(lines.left)} lighter ones are left out`
				: ""].filter(Boolean).join("; ") };
	},
	module: page => tableByOrigin(page, "module", "modules"),
	package: page => tableByOrigin(page, "package", "packages"),
	directory: page => tableByOrigin(page, "directory", "directories"),
	file: page => tableByOrigin(page, "file", "files"),
};

/* Where frames are from. */
function tableByOrigin(page, word, what) {
	const { profile } = page, ids = new Map(), frames = [];
	const of = profile.origins[word].map((name, frame) => {
		if (!ids.has(name))
			ids.set(name, frames.push(frame) - 1);
		return ids.get(name);
	});
	const names = [...ids.keys()];

	return { what, row: word[0].toUpperCase() + word.slice(1), names, modules: null, frames,
		 ...profile.sums(page.stacks, of, names.length),
		 base: page.baseStacks && profile.sums(page.baseStacks, of, names.length) };
}

/* Rows by a label are whole samples. */
function tableByLabel(page, word) {
	const { labels } = page, rows = new Map(), baseRows = new Map();
	const add = (to, weight, i) => {
		const text = i ? labels.text(i - 1, word) : undefined;
		const name = text || (OF_PROCESSES.has(word) ? NO_PROCESS : `[no ${word}]`);

		if (weight > 0)
			to.set(name, (to.get(name) || 0) + weight);
	};

	page.stacks.bySet.forEach((weight, i) => add(rows, weight, i));
	page.baseStacks?.bySet.forEach((weight, i) => add(baseRows, weight, i));
	const self = [...rows.values()], title = word[0].toUpperCase() + word.slice(1);
	const base = [...rows.keys()].map(name => baseRows.get(name) || 0);

	return { what: word === "process" ? "processes" : `${word}s`, row: title, names: [...rows.keys()], modules: null,
		 self, total: self, base: page.baseStacks && { self: base, total: base } };
}

function tableBy(page, word) {
	return Object.hasOwn(TABLES, word) ? TABLES[word](page) : tableByLabel(page, word);
}
