# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong with a server, or with the network before it; set at run time by PUT /test/fault.

Each fault: {"kind": K, "dest": NAME, "path": PREFIX, "skip": N, "count": N, "every": N, "for_s": S, ...}
All but kind may be missing: any destination and path, from the first request on, until it is cleared. The
first of the list that applies is used for a request. "store": true lets the server take the request first.
Kinds:
  status         "status": 503, "retry_after": SECONDS or "date:SECONDS", "body": TEXT, "code": Connect's
  grpc           "code": 14, "message": TEXT, "retry_info_s": S: a status in the headers alone
  no_status      gRPC: 200 without grpc-status
  partial        OTLP: the request is taken, "rejected": N of it not; "message"
  html           200 and a page of HTML
  empty          200 and nothing
  junk           200, the right type, and a body of random bytes
  garbage        random bytes in place of HTTP
  content_type   the right answer as "type": TEXT
  redirect       302 to "to"
  slow_answer    after "seconds": S
  trickle        the answer byte by byte, each after "seconds": S
  cut_answer     Content-Length says more than is sent, then the connection is closed
  endless        an answer that does not end
  reset_answer   taken, then a reset after "bytes": N of the answer ("store": false: not taken)
  stall          the request is read and never answered
  stall_read     nothing is read behind "bytes": N of the body
  slow_read      "bytes_per_s": N
  reset_read     a reset behind "bytes": N of the body
  reset_accept   a reset as soon as the head has come
  close_after    the connection is closed after "requests": N, without a word before
  gone           nobody listens for "seconds": S; not in the list, happens at once
"""
import base64
import email.utils
import os
import threading
import time

from exchange import Drop, Response
from wire import put_bytes, put_number

READS = ("stall_read", "slow_read", "reset_read", "reset_accept")
KINDS = READS + ("status", "grpc", "no_status", "partial", "html", "empty", "junk", "garbage", "content_type",
                 "redirect", "slow_answer", "trickle", "cut_answer", "endless", "reset_answer", "stall",
                 "close_after", "gone")
CONNECT_CODES = {400: "invalid_argument", 401: "unauthenticated", 403: "permission_denied", 404: "not_found",
                 408: "deadline_exceeded", 429: "resource_exhausted", 500: "unknown", 503: "unavailable",
                 504: "deadline_exceeded"}
LONGEST_STALL_S = 7200
ENDLESS = 1 << 30


class Faults:
    def __init__(self):
        self.rules, self.lock, self.generation = [], threading.Lock(), 0

    def set(self, rules):
        for rule in rules:
            if rule.get("kind") not in KINDS:
                raise ValueError(f"no fault of kind {rule.get('kind')!r}: one of {', '.join(KINDS)}")
        with self.lock:
            self.generation += 1
            self.rules = [dict(rule, seen=0, used=0, until=time.monotonic() + rule["for_s"]
                               if "for_s" in rule else None) for rule in rules]

    def shown(self):
        with self.lock:
            return [{k: v for k, v in rule.items() if k != "until"} for rule in self.rules]

    def take(self, dest, path, served):
        if path.startswith("/test/"):
            return None
        with self.lock:
            for rule in self.rules:
                if not self.applies(rule, dest, path):
                    continue
                rule["seen"] += 1
                if rule["seen"] <= rule.get("skip", 0) or (rule["seen"] - 1) % rule.get("every", 1):
                    continue
                if rule["used"] >= rule.get("count", 1 << 62):
                    continue
                rule["used"] += 1
                return Fault(self, rule)
        return None

    @staticmethod
    def applies(rule, dest, path):
        return (rule.get("dest", dest) == dest and path.startswith(rule.get("path", "")) and
                (rule["until"] is None or time.monotonic() < rule["until"]))


def retry_after(value):
    if isinstance(value, str) and value.startswith("date:"):
        return email.utils.formatdate(time.time() + float(value[5:]), usegmt=True)
    return str(value)


def retry_info(code, message, seconds):
    """google.rpc.Status with google.rpc.RetryInfo, for grpc-status-details-bin."""
    whole, nanos = int(seconds), int((seconds % 1) * 1e9)
    info = put_bytes(1, put_number(1, whole) + put_number(2, nanos))
    status = put_number(1, code) + put_bytes(2, message) + put_bytes(
        3, put_bytes(1, "type.googleapis.com/google.rpc.RetryInfo") + put_bytes(2, info))
    return base64.b64encode(status).decode().rstrip("=")


class Fault:
    """One rule, for one request."""

    def __init__(self, all_faults, rule):
        self.all, self.rule, self.kind = all_faults, rule, rule["kind"]
        self.generation, self.began = all_faults.generation, time.monotonic()

    # While the request is read.
    def chunk(self):
        return max(1, self.rule.get("bytes_per_s", 4096) // 10) if self.kind == "slow_read" else 65536

    def has_read(self, size):
        limit = self.rule.get("bytes", 0)
        if self.kind == "reset_accept" or (self.kind == "reset_read" and size >= limit):
            raise Drop()
        if self.kind == "stall_read" and size >= limit:
            self.wait()
            raise Drop()
        if self.kind == "slow_read":
            ahead = size / self.rule.get("bytes_per_s", 4096) - (time.monotonic() - self.began)
            if ahead > 0:
                time.sleep(ahead)

    def wait(self):
        """Until the faults are set anew, or the rule's time is over."""
        end = self.rule["until"] or time.monotonic() + LONGEST_STALL_S
        while time.monotonic() < end and self.generation == self.all.generation:
            time.sleep(0.02)

    # The answer.
    def answer(self, request, handle):
        rule, kind = self.rule, self.kind
        taken = None
        if rule.get("store", kind in ("reset_answer", "partial", "content_type", "slow_answer", "trickle",
                                      "slow_read", "close_after", "cut_answer")):
            taken = handle(request)
        if kind == "stall":
            self.wait()
            raise Drop()
        if kind == "status":
            return self.status(request)
        if kind == "grpc":
            code, message = rule.get("code", 14), rule.get("message", "on purpose")
            headers = [("grpc-status", str(code)), ("grpc-message", message)]
            if "retry_info_s" in rule:
                headers.append(("grpc-status-details-bin", retry_info(code, message, rule["retry_info_s"])))
            return Response(200, content_type="application/grpc", headers=headers)
        if kind == "partial":
            return self.partial(request, taken)
        if kind == "html":
            return Response(200, "<!doctype html><html><body>Welcome</body></html>", "text/html")
        if kind == "redirect":
            return Response(302, headers=[("location", rule.get("to", "http://127.0.0.1:1/"))])
        if kind == "slow_answer":
            time.sleep(rule.get("seconds", 1))
        content_type = request.header("content-type") or "application/octet-stream"
        if kind == "no_status":
            return Response(200, b"", "application/grpc")
        if kind == "empty":
            return Response(200, b"", content_type)
        if kind == "junk":
            return Response(200, os.urandom(200), content_type)
        response = taken or Response(200, b"{}", content_type)
        if kind == "content_type":
            response.headers = [(n, v) for n, v in response.headers if n != "content-type"]
            response.headers.insert(0, ("content-type", rule.get("type", "text/plain")))
        if kind == "cut_answer":
            response.headers.append(("content-length", str(len(response.body) + 1000)))
        return response

    def status(self, request):
        rule, status = self.rule, self.rule.get("status", 503)
        headers = [("retry-after", retry_after(rule["retry_after"]))] if "retry_after" in rule else []
        if "body" in rule or request.is_grpc():
            return Response(status, rule.get("body", ""), rule.get("type", "text/plain"), headers)
        code = rule.get("code", CONNECT_CODES.get(status, "unknown"))
        return Response(status, f'{{"code":"{code}","message":"{rule.get("message", "on purpose")}"}}',
                        "application/json", headers)

    def partial(self, request, taken):
        part = put_number(1, self.rule.get("rejected", 1)) + put_bytes(2, self.rule.get("message", "on purpose"))
        body = put_bytes(1, part)
        if not request.is_grpc():
            return Response(200, body, "application/x-protobuf")
        body = b"\0" + len(body).to_bytes(4, "big") + body
        return Response(200, body, "application/grpc", trailers=[("grpc-status", "0")])

    # While the answer is sent.
    def send(self, stream, data):
        if self.kind == "garbage":
            stream.send(os.urandom(self.rule.get("bytes", 512)))
            raise Drop(is_reset=False)
        if self.kind == "reset_answer":
            if self.rule.get("bytes", 0):
                stream.send(data[:self.rule["bytes"]])
                time.sleep(0.05)
            raise Drop()
        if self.kind == "trickle":
            for byte in data:
                stream.send(bytes([byte]))
                time.sleep(self.rule.get("seconds", 0.01))
            return
        if self.kind == "endless":
            stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n\r\n")
            for _ in range(ENDLESS >> 16):
                stream.send(b"x" * 65536)
            raise Drop()
        stream.send(data)
        if self.kind == "cut_answer":
            raise Drop(is_reset=False)

    def before_frames(self, stream):
        """HTTP/2: instead of an answer's frames."""
        if self.kind == "garbage":
            stream.send(os.urandom(self.rule.get("bytes", 512)))
            raise Drop(is_reset=False)
        if self.kind == "reset_answer" and not self.rule.get("bytes", 0):
            raise Drop()
        if self.kind == "cut_answer":
            raise Drop(is_reset=False)

    def closes(self, served):
        return self.kind == "close_after" and served >= self.rule.get("requests", 1)
