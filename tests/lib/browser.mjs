// SPDX-License-Identifier: GPL-2.0-or-later
// A headless Chromium driven over the DevTools protocol with nothing but node (18 and newer).
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Socket } from "./websocket.mjs";

const FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--hide-scrollbars", "--remote-debugging-port=0"];
const START_MS = 60000;

/* The code of a key that is not a letter, as a keyboard would send it. */
const KEY_CODES = { Enter: 13, Backspace: 8, Escape: 27, Tab: 9, ArrowLeft: 37, ArrowUp: 38,
		    ArrowRight: 39, ArrowDown: 40 };

export class Browser {
	static async start({ width = 1280, height = 800 } = {}) {
		const browser = new Browser();

		browser.profile = mkdtempSync(join(tmpdir(), "kiln-browser-"));
		browser.process = spawn(process.env.CHROMIUM || "chromium", [...FLAGS,
			`--user-data-dir=${browser.profile}`, `--window-size=${width},${height}`,
			"about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
		browser.port = new URL(await browser.address()).port;
		await browser.connect();
		return browser;
	}

	/* Chromium says on stderr where it listens. */
	address() {
		return new Promise((resolve, reject) => {
			let said = "";

			const stop = why => reject(new Error(`${why}\n${said}`));
			const timer = setTimeout(stop, START_MS, "chromium did not start");
			this.process.on("exit", code => stop(`chromium exited: ${code}`));
			this.process.stderr.on("data", data => {
				said += data;
				const found = /DevTools listening on (ws:\S+)/.exec(said);

				if (found) {
					clearTimeout(timer);
					resolve(found[1]);
				}
			});
		});
	}

	async connect() {
		const list = await (await fetch(`http://127.0.0.1:${this.port}/json/list`)).json();

		this.socket = new Socket(list.find(t => t.type === "page").webSocketDebuggerUrl);
		this.calls = new Map();
		this.errors = [];
		this.requests = [];
		this.nextId = 1;
		this.socket.onmessage = e => this.receive(JSON.parse(e.data));
		await new Promise((resolve, reject) => {
			this.socket.onopen = resolve;
			this.socket.onerror = reject;
		});
		for (const domain of ["Page", "Runtime", "Network", "Log"])
			await this.call(`${domain}.enable`);
	}

	receive(message) {
		const { id, method, params } = message;

		if (id) {
			const { resolve, reject } = this.calls.get(id);

			this.calls.delete(id);
			if (message.error)
				reject(new Error(message.error.message));
			else
				resolve(message.result);
		} else if (method === "Runtime.exceptionThrown") {
			this.errors.push(params.exceptionDetails.exception?.description ||
					 params.exceptionDetails.text);
		} else if (method === "Runtime.consoleAPICalled" && params.type !== "log") {
			this.errors.push(params.args.map(a => a.value ?? a.description).join(" "));
		} else if (method === "Log.entryAdded" && params.entry.level !== "verbose") {
			this.errors.push(params.entry.text);
		} else if (method === "Network.requestWillBeSent") {
			this.requests.push(params.request.url);
		} else if (method === "Page.loadEventFired" && this.loaded) {
			this.loaded();
		}
	}

	call(method, params = {}) {
		const id = this.nextId++;

		this.socket.send(JSON.stringify({ id, method, params }));
		return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject }));
	}

	/* Opens an address from scratch, also one that differs in its fragment only. */
	async open(url) {
		await this.load("about:blank");
		this.errors.length = this.requests.length = 0;
		await this.load(url);
	}

	async load(url) {
		const loaded = new Promise(resolve => { this.loaded = resolve; });

		await this.call("Page.navigate", { url });
		await loaded;
	}

	/* The value of an expression in the page; promises are waited for. */
	async eval(expression) {
		const { result, exceptionDetails } = await this.call("Runtime.evaluate", {
			expression, awaitPromise: true, returnByValue: true });

		if (exceptionDetails)
			throw new Error(exceptionDetails.exception?.description ||
					exceptionDetails.text);
		return result.value;
	}

	/* Two frames: what was asked for is drawn, and what that asked for too. */
	frames() {
		return this.eval(`new Promise(done =>
			requestAnimationFrame(() => requestAnimationFrame(done)))`);
	}

	async key(key, { shift = false } = {}) {
		const code = KEY_CODES[key] ?? key.toUpperCase().charCodeAt(0);
		const text = key.length === 1 ? key : key === "Enter" ? "\r" : undefined;
		const common = { key, windowsVirtualKeyCode: code, modifiers: shift ? 8 : 0 };

		await this.call("Input.dispatchKeyEvent", { type: "keyDown", text, ...common });
		await this.call("Input.dispatchKeyEvent", { type: "keyUp", ...common });
		await this.frames();
	}

	async type(text) {
		for (const c of text)
			await this.key(c);
	}

	async mouse(type, { x, y }, extra = {}) {
		await this.call("Input.dispatchMouseEvent", { type, x, y, ...extra });
	}

	async click(at) {
		await this.mouse("mouseMoved", at);
		await this.mouse("mousePressed", at, { button: "left", clickCount: 1 });
		await this.mouse("mouseReleased", at, { button: "left", clickCount: 1 });
		await this.frames();
	}

	/* The middle of an element. */
	where(selector) {
		return this.eval(`(() => {
			const e = document.querySelector(${JSON.stringify(selector)});
			const r = e.getBoundingClientRect();
			return { x: r.left + r.width / 2, y: r.top + r.height / 2 };
		})()`);
	}

	async clickOn(selector) {
		await this.click(await this.where(selector));
	}

	/* features: { "prefers-color-scheme": "dark", ... } */
	emulate(features) {
		return this.call("Emulation.setEmulatedMedia", {
			features: Object.entries(features).map(([name, value]) =>
				({ name, value })) });
	}

	resize(width, height) {
		return this.call("Emulation.setDeviceMetricsOverride", {
			width, height, deviceScaleFactor: 1, mobile: false });
	}

	async screenshot() {
		const { data } = await this.call("Page.captureScreenshot", { format: "png" });

		return Buffer.from(data, "base64");
	}

	async close() {
		const ended = new Promise(resolve => this.process.once("exit", resolve));

		this.socket.close();
		this.process.removeAllListeners("exit");
		this.process.kill();
		await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 3000))]);
		this.process.kill("SIGKILL");
		rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
	}
}
