#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that answer well, wrongly, slowly or not at all, as the path of a request says.

usage: net_server.py   in a directory with server.pem, server.key and ca.pem (tests/lib/net_server.h makes them)

Writes the file `ports`: a line each for http, https, mtls (wants a client's certificate), tls11 (speaks nothing
newer than TLS 1.1), h2c (HTTP/2 by prior knowledge), h2 (the same with TLS), h2once (the same, for
one request a connection), both (HTTP/1, and HTTP/2 that is answered half a second after the
first request), empty (HTTP/2 without data), updates (frames of HTTP/2 that concern no request, for a
minute), proxy, proxy407 and nobody.
"""
import gzip
import socket
import ssl
import struct
import threading
import time
import warnings

GZIP_BOMB = gzip.compress(b"\0" * (64 << 20))


def read_request(sock):
    """Head and body, or None when the client is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = sock.recv(65536)
        if not more:
            return None
        body += more
    return head, body


def reply(status, body=b"", *headers, length=None):
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines + list(headers)).encode() + b"\r\n\r\n" + body


def chunked(headers, trailers):
    return ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + "".join(h + "\r\n" for h in headers) +
            "\r\n5\r\nhello\r\n0\r\n" + "".join(t + "\r\n" for t in trailers) + "\r\n").encode()


ANSWERS = {
    "/ok": reply(200, b"hello", "Content-Type: text/plain"),
    "/seconds": reply(429, b"slow down", "Retry-After: 17"),
    "/date": reply(503, b"", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"),
    "/past": reply(503, b"", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"),
    "/soon": reply(503, b"", "Retry-After: soon"),
    "/grpc": reply(200, b"", "Content-Type: application/grpc", "grpc-status: 7", "grpc-message: no%20entry%0A%C3%A9%FF"),
    "/trailers": chunked(["Content-Type: application/grpc"], ["Grpc-Status: 0", "Grpc-Message: fine"]),
    "/gzip": reply(200, gzip.compress(b"inflated"), "Content-Encoding: gzip"),
    "/broken-gzip": reply(200, b"this is none", "Content-Encoding: gzip"),
    "/bomb": reply(200, GZIP_BOMB, "Content-Encoding: gzip"),
    "/interim": b"HTTP/1.1 103 Early\r\nRetry-After: 5\r\ngrpc-status: 1\r\n\r\n" + reply(200, b"hello"),
    "/redirect": reply(302, b"", "Location: /ok"),
    "/cut": reply(200, b"half", length=1000),
    "/garbage": b"\x00\x01\x02 this is no HTTP\r\n\r\n",
    "/empty": b"",
    "/malformed": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n: no name\r\ngrpc-status: 99999999999\r\n"
                  b"Retry-After:\r\nContent-Type: \x1b[31mred\xff\r\n\r\nhello",
    "/html": reply(200, b"<html>Welcome</html>", "Content-Type: text/html"),
}


def serve_http(sock):
    while (request := read_request(sock)) is not None:
        head, body = request
        target = head.split(b" ")[1].decode("latin-1")
        path = target.partition("?")[0]
        if path in ANSWERS:
            sock.sendall(ANSWERS[path])
            if path in ("/cut", "/garbage", "/empty"):
                return
        elif path.startswith("/status/"):
            sock.sendall(reply(path[8:], head + b"\r\n\r\n", "Content-Type: text/plain"))
        elif path == "/huge":
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                sock.sendall(b"x" * 65536)
        elif path == "/empty-blocks":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03")
            while True:
                sock.sendall(b"\0\0\0\xff\xff" * 10000)
        elif path == "/headers":
            sock.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                sock.sendall(b"X-More: " + b"x" * 8000 + b"\r\n")
        elif path == "/never":
            time.sleep(30)
        elif path == "/stalls":
            sock.sendall(reply(200, b"half", length=1000))
            time.sleep(30)
        else:  # /echo, and whatever a proxy is asked for
            sock.sendall(reply(200, head + b"\r\n\r\n" + body, "Content-Type: text/plain"))


# --- HTTP/2 (RFC 9113), as much as one request a stream needs ------------------------------------------


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def answer_stream(sock, stream, body):
    sock.sendall(frame(1, 4, stream, b"\x88" + literal(b"content-type", b"application/grpc")))
    sock.sendall(frame(0, 0, stream, body))
    sock.sendall(frame(1, 5, stream, literal(b"grpc-status", b"0") + literal(b"grpc-message", b"by%20trailer")))


def serve_empty(sock):
    """An answer that never gets on: frames without data."""
    read_exactly(sock, 24)
    sock.sendall(frame(4, 0, 0) + frame(4, 1, 0) + frame(1, 4, 1, b"\x88"))
    while True:
        sock.sendall(frame(0, 0, 1) * 10000)


def serve_updates(sock):
    """Frames that concern no request, for a minute and as fast as it goes."""
    read_exactly(sock, 24)
    sock.sendall(frame(4, 0, 0) + frame(4, 1, 0))
    updates = frame(8, 0, 0, b"\0\0\0\1") * 20000
    end = time.monotonic() + 60
    while time.monotonic() < end:
        sock.sendall(updates)


def serve_h2_once(sock):
    """The first request gets an answer, and the second one on that connection frames without data."""
    serve_h2(sock, once=True)


def serve_both(sock):
    if sock.recv(3, socket.MSG_PEEK) == b"PRI":
        time.sleep(0.5)
        serve_h2(sock)
    else:
        serve_http(sock)


def serve_h2(sock, once=False):
    read_exactly(sock, 24)
    answered = 0
    sock.sendall(frame(4, 0, 0))
    bodies = {}
    while True:
        head = read_exactly(sock, 9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = read_exactly(sock, length)
        if kind == 4 and not flags & 1:
            sock.sendall(frame(4, 1, 0))
        elif kind == 6 and not flags & 1:
            sock.sendall(frame(6, 1, 0, payload))
        elif kind == 0:
            bodies[stream] = bodies.get(stream, b"") + payload
        if once and answered and kind == 1:
            sock.sendall(frame(1, 4, stream, b"\x88"))
            while True:
                sock.sendall(frame(0, 0, stream) * 1000)
        if kind in (0, 1) and flags & 1:
            answered += 1
            answer_stream(sock, stream, bodies.pop(stream, b""))


# --- proxies ----------------------------------------------------------------------------------------------


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_proxy(sock):
    """A tunnel for CONNECT; another request is answered with what the proxy was asked."""
    request = read_request(sock)
    if request is None:
        return
    method, target = request[0].split(b" ")[:2]
    if method != b"CONNECT":
        sock.sendall(reply(200, b"by proxy: " + request[0], "Content-Type: text/plain"))
        return
    host, _, port = target.decode().rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as other:
        sock.sendall(b"HTTP/1.1 200 Connected\r\nRetry-After: 99\r\n\r\n")
        threading.Thread(target=pump, args=(other, sock), daemon=True).start()
        pump(sock, other)


def serve_proxy407(sock):
    read_request(sock)
    sock.sendall(reply(407))


# --- listening ----------------------------------------------------------------------------------------------


def tls(version=None, verify=False, alpn=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if version:
        warnings.simplefilter("ignore")
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    context.load_cert_chain("server.pem", "server.key")
    if verify:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations("ca.pem")
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def serve(sock, handler, context):
    try:
        with sock:
            handler(context.wrap_socket(sock, server_side=True) if context else sock)
    except (OSError, EOFError):
        pass


def accept(listener, handler, context):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, handler, context), daemon=True).start()


def listen(name, handler, context=None):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener, handler, context), daemon=True).start()
    return f"{name} {listener.getsockname()[1]}\n"


def main():
    nobody = socket.create_server(("127.0.0.1", 0))
    ports = f"nobody {nobody.getsockname()[1]}\n"
    nobody.close()
    ports += listen("http", serve_http)
    ports += listen("https", serve_http, tls())
    ports += listen("mtls", serve_http, tls(verify=True))
    ports += listen("tls11", serve_http, tls(version=ssl.TLSVersion.TLSv1_1))
    ports += listen("h2c", serve_h2)
    ports += listen("both", serve_both)
    ports += listen("h2", serve_h2, tls(alpn="h2"))
    ports += listen("h2once", serve_h2_once, tls(alpn="h2"))
    ports += listen("empty", serve_empty)
    ports += listen("updates", serve_updates)
    ports += listen("proxy", serve_proxy)
    ports += listen("proxy407", serve_proxy407)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("socket")
    unix.listen()
    threading.Thread(target=accept, args=(unix, serve_http, None), daemon=True).start()
    with open("ports", "w") as f:
        f.write(ports + "end 0\n")
    threading.Event().wait()


main()
