// SPDX-License-Identifier: GPL-2.0-or-later
// As much of a WebSocket client (RFC 6455) as talking to Chromium on this host takes: Debian 12's
// node 18 has none. Text messages only; the other end neither fragments control frames nor compresses.
import { randomBytes } from "node:crypto";
import { connect } from "node:net";

const TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;

export class Socket {
	constructor(url) {
		const { hostname, port, pathname } = new URL(url);

		this.received = Buffer.alloc(0);
		this.parts = [];
		this.isOpen = false;
		this.stream = connect(Number(port), hostname, () => this.stream.write(
			`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
			"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
			`Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`));
		this.stream.on("data", data => {
			this.received = Buffer.concat([this.received, data]);
			this.isOpen ? this.readFrames() : this.readHandshake();
		});
		this.stream.on("error", error => this.onerror?.(error));
		this.stream.on("close", () => this.onclose?.());
	}

	readHandshake() {
		const end = this.received.indexOf("\r\n\r\n");

		if (end < 0)
			return;
		if (!this.received.subarray(0, end).toString().startsWith("HTTP/1.1 101")) {
			this.onerror?.(new Error(this.received.subarray(0, end).toString()));
			return;
		}
		this.received = this.received.subarray(end + 4);
		this.isOpen = true;
		this.onopen?.();
		this.readFrames();
	}

	// One frame at the front of what was received: {final, opcode, payload}, or undefined.
	takeFrame() {
		const b = this.received;
		let at = 2, length = b.length > 1 ? b[1] & 127 : 0;

		if (b.length < 2 || (length > 125 && b.length < 10))
			return undefined;
		if (length === 126)
			length = b.readUInt16BE(2), at = 4;
		else if (length === 127)
			length = Number(b.readBigUInt64BE(2)), at = 10;
		if (b.length < at + length)
			return undefined;
		this.received = b.subarray(at + length);
		return { final: b[0] >> 7, opcode: b[0] & 15, payload: b.subarray(at, at + length) };
	}

	readFrames() {
		for (let frame; (frame = this.takeFrame());) {
			if (frame.opcode === PING) {
				this.write(PONG, frame.payload);
			} else if (frame.opcode === CLOSE) {
				this.stream.end();
			} else if (frame.opcode !== PONG) {
				this.parts.push(frame.payload);
				if (!frame.final)
					continue;
				this.onmessage?.({ data: Buffer.concat(this.parts.splice(0)).toString() });
			}
		}
	}

	// Clients mask what they send (RFC 6455, 5.3).
	write(opcode, payload) {
		const head = Buffer.alloc(10), mask = randomBytes(4), n = payload.length;
		const masked = Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3]));
		let size = 2;

		head[0] = 0x80 | opcode;
		if (n < 126) {
			head[1] = 0x80 | n;
		} else if (n < 65536) {
			head[1] = 0x80 | 126;
			size = head.writeUInt16BE(n, 2);
		} else {
			head[1] = 0x80 | 127;
			size = head.writeBigUInt64BE(BigInt(n), 2);
		}
		this.stream.write(Buffer.concat([head.subarray(0, size), mask, masked]));
	}

	send(text) {
		this.write(TEXT, Buffer.from(text));
	}

	close() {
		this.stream.end();
	}
}
