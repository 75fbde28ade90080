# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug information, as Parca takes it by gRPC and Pyroscope by Connect's JSON and a plain POST.

What came is an object "debuginfo/BUILD_ID" of the destination. A file that is there is not wanted again.
"""
import json
import re

import grpc
import rules
from exchange import Response
from rules import Refused
from wire import Malformed, Message, put_bytes, put_number

PARCA = "/parca.debuginfo.v1alpha1.DebuginfoService/"
PYROSCOPE = "/debuginfo.v1alpha1.DebuginfoService/"
BUILD_ID = re.compile(r"[a-fA-F0-9]{2,40}")
MAX_FILE = 1 << 30
STRATEGY_GRPC = 1


class Debuginfo:
    def __init__(self, name, store):
        self.name, self.store, self.uploads = name, store, {}  # build id: the upload's id, or bytes

    def has(self, build_id):
        return (self.name, f"debuginfo/{build_id}") in self.store.objects

    def keep(self, build_id, body):
        self.store.put_object(self.name, f"debuginfo/{build_id}", body, "application/octet-stream")

    # Parca.
    def parca(self, request):
        method = request.path[len(PARCA):]
        if method == "Upload":
            return grpc.answer(request, self.upload, 64 << 20, is_stream=True)
        call = {"ShouldInitiateUpload": self.should, "InitiateUpload": self.initiate,
                "MarkUploadFinished": self.finish}.get(method)
        return grpc.answer(request, call, 4 << 20) if call else grpc.failure(12, f"unknown method {method}")

    @staticmethod
    def read(message):
        try:
            return Message(message)
        except Malformed as error:
            raise Refused("internal", f"grpc: error unmarshalling request: {error}") from None

    def should(self, request, message):
        m = self.read(message)
        build_id = m.text(1)
        if not build_id:
            rules.invalid("invalid build_id: empty")
        if self.has(build_id) and not m.number(3):
            return put_bytes(2, "Debuginfo already exists and is not marked as invalid")
        return put_number(1, 1) + put_bytes(2, "First time we see this Build ID")

    def initiate(self, request, message):
        m = self.read(message)
        build_id = m.text(1)
        if not m.number(2):
            rules.invalid("size must not be 0")
        if m.number(2) > MAX_FILE:
            rules.invalid("upload would exceed the size limit")
        if self.has(build_id) and not m.number(4):
            raise Refused("already_exists", "Debuginfo already exists")
        self.uploads[build_id] = upload_id = f"upload-{len(self.uploads) + 1}"
        return put_bytes(1, put_bytes(1, build_id) + put_bytes(2, upload_id) + put_number(3, STRATEGY_GRPC))

    def upload(self, request, messages):
        parts = [self.read(message) for message in messages]
        if not parts or not parts[0].all(1):
            rules.invalid("expects metadata in the first message")
        info = parts[0].message(1)
        build_id = info.text(1)
        if self.uploads.get(build_id) != info.text(2):
            rules.invalid("upload metadata not found")
        body = b"".join(part.bytes(2) for part in parts[1:])
        self.uploads[build_id] = body
        return put_bytes(1, build_id) + put_number(2, len(body))

    def finish(self, request, message):
        build_id = self.read(message).text(1)
        body = self.uploads.pop(build_id, None)
        if not isinstance(body, bytes):
            raise Refused("not_found", "upload not found")
        self.keep(build_id, body)
        return b""

    # Pyroscope.
    def pyroscope(self, request):
        method, _, build_id = request.path[len(PYROSCOPE):].partition("/")
        try:
            if method == "Upload" and build_id:
                return self.plain_upload(build_id, request)
            given = json.loads(request.body)
            if method == "ShouldInitiateUpload":
                return self.json_should(given.get("file", {}))
            if method == "UploadFinished":
                return self.json_finish(given.get("gnuBuildId", ""))
        except (ValueError, AttributeError) as error:
            return failed(400, "invalid_argument", str(error))
        return failed(404, "unimplemented", f"no method {method}")

    def json_should(self, file):
        build_id = file.get("gnuBuildId", "")
        if not BUILD_ID.fullmatch(build_id):
            return failed(400, "invalid_argument", f"invalid GNU build id {build_id!r}")
        if self.has(build_id):
            return answer({"reason": "Debuginfo already exists"})
        self.uploads[build_id] = file
        return answer({"shouldInitiateUpload": True, "reason": "First time we see this Build ID"})

    def plain_upload(self, build_id, request):
        if build_id not in self.uploads:
            return failed(400, "failed_precondition", "no upload was initiated")
        if len(request.body) > MAX_FILE:
            return failed(413, "resource_exhausted", "too large")
        self.uploads[build_id] = request.body
        return answer({})

    def json_finish(self, build_id):
        body = self.uploads.pop(build_id, None)
        if not isinstance(body, bytes):
            return failed(404, "not_found", "upload not found")
        self.keep(build_id, body)
        return answer({})


def answer(value):
    return Response(200, json.dumps(value), "application/json")


def failed(status, code, message):
    return Response(status, json.dumps({"code": code, "message": message}), "application/json")
