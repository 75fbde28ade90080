# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/1.1 and HTTP/2 (prior knowledge, or ALPN) on one port, with faults between the bytes.

Debian's python3-h2 speaks HTTP/2. http.server is not used: it hides the socket, and the faults are in there.
"""
import email.utils
import http
import socket
import ssl
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from exchange import Drop, Request

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_HEAD = 64 << 10
MAX_BODY = 300 << 20


class Gone(Exception):
    """The other side closed."""


class Stream:
    """A socket that faults can slow down or cut, and that counts."""

    def __init__(self, sock):
        self.sock, self.buffer, self.received = sock, b"", 0

    def more(self, most=65536):
        try:
            got = self.sock.recv(most)
        except (OSError, ssl.SSLError) as error:
            raise Gone(str(error)) from None
        if not got:
            raise Gone("closed")
        self.received += len(got)
        return got

    def until(self, mark):
        while mark not in self.buffer:
            if len(self.buffer) > MAX_HEAD:
                raise Gone("a head too long")
            self.buffer += self.more()
        got, _, self.buffer = self.buffer.partition(mark)
        return got

    def take(self, size, fault=None):
        out = bytearray()
        while len(out) < size:
            if not self.buffer:
                self.buffer = self.more(min(65536, fault.chunk() if fault else 65536))
            part, self.buffer = self.buffer[:size - len(out)], self.buffer[size - len(out):]
            out += part
            if fault:
                fault.has_read(len(out))
        return bytes(out)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (OSError, ssl.SSLError) as error:
            raise Gone(str(error)) from None

    def reset(self):
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def close(self):
        try:
            if not isinstance(self.sock, ssl.SSLSocket):
                self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.sock.close()


def body_of(stream, request, fault):
    if request.header("expect").lower() == "100-continue":
        stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if fault:
        fault.has_read(0)
    if "chunked" in request.header("transfer-encoding").lower():
        out = b""
        while True:
            size = int(stream.until(b"\r\n").split(b";")[0], 16)
            if len(out) + size > MAX_BODY:
                raise Gone("a body too long")
            out += stream.take(size, fault)
            stream.until(b"\r\n")
            if not size:
                return out
    size = int(request.header("content-length", "0"))
    if not 0 <= size <= MAX_BODY:
        raise Gone("a body too long")
    return stream.take(size, fault)


def reason(status):
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def serve_http1(stream, port):
    served = 0
    while True:
        lines = stream.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, version = (lines[0].split(" ") + ["", "", ""])[:3]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        request = Request(method, target, headers, version)
        fault = port.fault_of(request, served)
        request.body = body_of(stream, request, fault)
        request.took_s = (time.time_ns() - request.began_ns) / 1e9
        response = port.answer(request, fault)
        head = [("date", email.utils.formatdate(usegmt=True))] + response.headers
        if response.status not in (204, 304) and not any(n == "content-length" for n, _ in head):
            head.append(("content-length", str(len(response.body))))
        closes = headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
        if closes:
            head.append(("connection", "close"))
        data = f"HTTP/1.1 {response.status} {reason(response.status)}\r\n".encode()
        data += b"".join(f"{n}: {v}\r\n".encode("latin-1") for n, v in head) + b"\r\n"
        if method != "HEAD":
            data += response.body
        fault.send(stream, data) if fault else stream.send(data)
        served += 1
        if closes or (fault and fault.closes(served)):
            return


class Http2:
    """One connection. Each request is answered in a thread of its own; `lock` guards the state of h2."""

    def __init__(self, stream, port):
        self.stream, self.port = stream, port
        self.lock, self.room = threading.RLock(), threading.Condition()
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.state = h2.connection.H2Connection(config=config)
        self.requests, self.served, self.is_over = {}, 0, False

    def flush(self):
        data = self.state.data_to_send()
        if data:
            self.stream.send(data)

    def run(self, first):
        with self.lock:
            self.state.initiate_connection()
            self.state.increment_flow_control_window(64 << 20)
            self.flush()
        data = first
        try:
            while not self.is_over:
                with self.lock:
                    try:
                        events = self.state.receive_data(data)
                    except h2.exceptions.ProtocolError:
                        self.flush()
                        return
                    for event in events:
                        self.on(event)
                    self.flush()
                with self.room:
                    self.room.notify_all()
                data = self.stream.more()
        finally:
            self.is_over = True
            with self.room:
                self.room.notify_all()

    def on(self, event):
        number = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            headers = {k: v for k, v in event.headers}
            request = Request(headers.pop(":method", ""), headers.pop(":path", ""), headers, "HTTP/2")
            fault = self.port.fault_of(request, self.served)
            self.requests[number] = (request, fault, bytearray())
            if fault:
                fault.has_read(0)
        elif isinstance(event, h2.events.DataReceived):
            request, fault, body = self.requests[number]
            body += event.data
            if len(body) > MAX_BODY:
                raise Gone("a body too long")
            if fault:
                fault.has_read(len(body))
            if event.flow_controlled_length:
                self.state.acknowledge_received_data(event.flow_controlled_length, number)
        elif isinstance(event, h2.events.StreamEnded):
            request, fault, body = self.requests.pop(number)
            request.body = bytes(body)
            request.took_s = (time.time_ns() - request.began_ns) / 1e9
            threading.Thread(target=self.respond, args=(number, request, fault), daemon=True).start()
        elif isinstance(event, h2.events.StreamReset):
            self.requests.pop(number, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.is_over = True

    def respond(self, number, request, fault):
        try:
            response = self.port.answer(request, fault)
            if fault:
                fault.before_frames(self.stream)
            headers = [(":status", str(response.status))] + response.headers
            body, trailers = response.body, response.trailers
            with self.lock:
                self.state.send_headers(number, headers, end_stream=not body and trailers is None)
                self.flush()
            self.send_body(number, body, trailers is None)
            if fault and fault.kind == "reset_answer":
                raise Drop()
            if trailers is not None:
                with self.lock:
                    self.state.send_headers(number, trailers, end_stream=True)
                    self.flush()
            self.served += 1
            if fault and fault.closes(self.served):
                raise Drop(is_reset=False)
        except Drop as drop:
            self.is_over = True
            self.stream.reset() if drop.is_reset else self.stream.close()
        except (Gone, h2.exceptions.ProtocolError):
            pass

    def send_body(self, number, body, ends):
        at = 0
        while at < len(body) and not self.is_over:
            with self.lock:
                size = min(self.state.local_flow_control_window(number), self.state.max_outbound_frame_size,
                           len(body) - at)
                if size > 0:
                    at += size
                    self.state.send_data(number, body[at - size:at], end_stream=ends and at == len(body))
                    self.flush()
                    continue
            with self.room:
                self.room.wait(0.2)


class Port:
    """Listens for one destination. gone(seconds) makes it disappear for a while."""

    def __init__(self, name, handle, faults, log, number=0, tls=None):
        self.name, self.handle, self.faults, self.log, self.tls = name, handle, faults, log, tls
        self.connections, self.lock = set(), threading.Lock()
        self.number, self.back_at, self.sock = number, 0, None
        self.accepted = 0
        self.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def listen(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.number))
        sock.listen(256)
        self.number, self.sock = sock.getsockname()[1], sock

    def gone(self, seconds):
        self.back_at = time.monotonic() + seconds
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        with self.lock:
            connections = list(self.connections)
        for stream in connections:
            stream.reset()

    def back(self):
        self.back_at = 0

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                self.sock.close()
                while time.monotonic() < self.back_at:
                    time.sleep(0.02)
                self.listen_again()
                continue
            self.accepted += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def listen_again(self):
        while True:
            try:
                return self.listen()
            except OSError:
                time.sleep(0.05)

    def fault_of(self, request, served):
        return self.faults.take(self.name, request.path, served)

    def answer(self, request, fault):
        self.log(self.name, request)
        return fault.answer(request, self.handle) if fault else self.handle(request)

    def serve(self, sock):
        stream = Stream(sock)
        try:
            if self.tls:
                sock.settimeout(20)
                stream.sock = self.tls.wrap_socket(sock, server_side=True)
                stream.sock.settimeout(None)
            with self.lock:
                self.connections.add(stream)
            first = stream.more()
            while len(first) < len(PREFACE) and PREFACE.startswith(first):
                first += stream.more()
            if first.startswith(PREFACE):
                Http2(stream, self).run(first)
            else:
                stream.buffer = first
                serve_http1(stream, self)
        except Drop as drop:
            if drop.is_reset:
                stream.reset()
        except (Gone, ValueError, OSError):
            pass
        finally:
            with self.lock:
                self.connections.discard(stream)
            stream.close()


def tls_context(cert, key, client_ca=None, least=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if least:
        context.minimum_version = getattr(ssl.TLSVersion, least)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context
