# SPDX-License-Identifier: GPL-2.0-or-later
"""S3, path-style: PUT, GET, HEAD, DELETE and ListObjectsV2, with AWS Signature Version 4 really verified.

As strict as versitygw was seen to be: the signature covers the path as it was sent, X-Amz-Content-Sha256 is
wanted and verified, and so are the region, the time and the session token.
"""
import datetime
import hashlib
import hmac
import urllib.parse
import xml.sax.saxutils

from exchange import Response

UNRESERVED = "-_.~"
SKEW_S = 900


class Denied(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret, day, region, service):
    key = digest(("AWS4" + secret).encode(), day)
    for part in (region, service, "aws4_request"):
        key = digest(key, part)
    return key


def canonical_query(query):
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    quoted = [(urllib.parse.quote(k, UNRESERVED), urllib.parse.quote(v, UNRESERVED)) for k, v in pairs]
    return "&".join(f"{k}={v}" for k, v in sorted(quoted))


def canonical_path(path):
    return urllib.parse.quote(urllib.parse.unquote(path), "/" + UNRESERVED)


def canonical_request(method, path, query, headers, signed, payload):
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed)
    return "\n".join([method, canonical_path(path), canonical_query(query), lines, ";".join(signed), payload])


def signature(secret, at, scope, canonical):
    day, region, service, _ = scope.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(signing_key(secret, day, region, service), text.encode(), hashlib.sha256).hexdigest()


def split(keys, prefix, delimiter):
    """Keys, and the common beginnings of those that have the delimiter behind the prefix."""
    if not delimiter:
        return keys, []
    inner = [key for key in keys if delimiter in key[len(prefix):]]
    folders = sorted({key[:key.index(delimiter, len(prefix)) + len(delimiter)] for key in inner})
    return [key for key in keys if key not in set(inner)], folders


class S3:
    def __init__(self, name, store, settings):
        self.name, self.store, self.settings = name, store, settings

    def setting(self, key, default):
        return self.settings.get(key, default)

    def handle(self, request):
        try:
            self.verify(request)
            return self.serve(request)
        except Denied as denied:
            self.store.refuse(self.name, denied.code)
            message = xml.sax.saxutils.escape(str(denied))
            return Response(denied.status, '<?xml version="1.0" encoding="UTF-8"?>\n'
                            f"<Error><Code>{denied.code}</Code><Message>{message}</Message></Error>",
                            "application/xml")

    def verify(self, request):
        scheme, _, rest = request.header("authorization").partition(" ")
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        if scheme != "AWS4-HMAC-SHA256" or {"Credential", "SignedHeaders", "Signature"} - set(fields):
            raise Denied(403, "AccessDenied", "Access Denied")
        key, _, scope = fields["Credential"].partition("/")
        signed, at = fields["SignedHeaders"].split(";"), request.header("x-amz-date")
        self.check_scope(key, scope, at)
        self.check_body(request, signed)
        headers = dict(request.headers)
        headers.setdefault("host", headers.get(":authority", ""))
        canonical = canonical_request(request.method, request.path, request.query, headers, signed,
                                      request.header("x-amz-content-sha256"))
        wanted = signature(self.setting("secret", "SK"), at, scope, canonical)
        if not hmac.compare_digest(wanted, fields["Signature"]):
            raise Denied(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")

    def check_scope(self, key, scope, at):
        parts = scope.split("/")
        if key != self.setting("key", "AK"):
            raise Denied(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist")
        if len(parts) != 4 or parts[1] != self.setting("region", "us-east-1"):
            raise Denied(400, "AuthorizationHeaderMalformed", f"the region is wrong; expecting "
                         f"'{self.setting('region', 'us-east-1')}'")
        if parts[2:] != ["s3", "aws4_request"]:
            raise Denied(400, "AuthorizationHeaderMalformed", "the service is wrong")
        try:
            when = datetime.datetime.strptime(at, "%Y%m%dT%H%M%SZ")
        except ValueError:
            raise Denied(403, "AccessDenied", "X-Amz-Date is missing or wrong") from None
        if not at.startswith(parts[0]):
            raise Denied(403, "SignatureDoesNotMatch", "the scope's date is another")
        if abs((datetime.datetime.utcnow() - when).total_seconds()) > SKEW_S:
            raise Denied(403, "RequestTimeTooSkewed", "The difference between the request time and now is too large")

    def check_body(self, request, signed):
        payload = request.header("x-amz-content-sha256")
        if not payload:
            raise Denied(400, "MissingContentSha256", "x-amz-content-sha256 is missing")
        for name in ("host", "x-amz-date", "x-amz-content-sha256"):
            if name not in signed:
                raise Denied(403, "AccessDenied", f"{name} is not signed")
        for name in request.headers:
            if name.startswith("x-amz-") and name not in signed:
                raise Denied(403, "AccessDenied", f"There were headers present which were not signed: {name}")
        if payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(request.body).hexdigest():
            raise Denied(400, "XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 does not match")
        token = self.setting("session_token", "")
        if token != request.header("x-amz-security-token"):
            raise Denied(403, "InvalidToken", "The provided token is malformed or otherwise invalid")

    def serve(self, request):
        bucket, _, key = urllib.parse.unquote(request.path.lstrip("/")).partition("/")
        if bucket != self.setting("bucket", "prof"):
            raise Denied(404, "NoSuchBucket", "The specified bucket does not exist")
        if not key:
            if request.method not in ("GET", "HEAD"):
                raise Denied(405, "MethodNotAllowed", "The specified method is not allowed")
            return self.list(request.arguments())
        if request.method == "PUT":
            self.store.put_object(self.name, key, request.body, request.header("content-type"))
            return Response(200, headers=[("etag", f'"{hashlib.md5(request.body).hexdigest()}"')])
        if (self.name, key) not in self.store.objects:
            raise Denied(404, "NoSuchKey", "The specified key does not exist")
        if request.method == "DELETE":
            del self.store.objects[self.name, key]
            return Response(204)
        if request.method not in ("GET", "HEAD"):
            raise Denied(405, "MethodNotAllowed", "The specified method is not allowed")
        body, _, kind = self.store.objects[self.name, key]
        if request.method == "HEAD":
            return Response(200, b"", kind or "binary/octet-stream", [("content-length", str(len(body)))])
        return Response(200, body, kind or "binary/octet-stream")

    def list(self, arguments):
        """ListObjectsV2; a continuation token is the last key."""
        prefix, after = arguments.get("prefix", ""), arguments.get("continuation-token", arguments.get("start-after", ""))
        most = min(int(arguments.get("max-keys", "1000")), 1000)
        keys = sorted(key for dest, key in self.store.objects
                      if dest == self.name and key.startswith(prefix) and key > after)
        keys, folders = split(keys, prefix, arguments.get("delimiter", ""))
        shown, escape = keys[:most], xml.sax.saxutils.escape
        out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns='
               f'"http://s3.amazonaws.com/doc/2006-03-01/"><Name>{self.setting("bucket", "prof")}</Name>'
               f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount><MaxKeys>{most}</MaxKeys>"
               f"<IsTruncated>{'true' if len(keys) > most else 'false'}</IsTruncated>"]
        for key in shown:
            body, at_ns, _ = self.store.objects[self.name, key]
            at = datetime.datetime.utcfromtimestamp(at_ns // 10**9).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            out.append(f"<Contents><Key>{escape(key)}</Key><LastModified>{at}</LastModified>"
                       f'<ETag>"{hashlib.md5(body).hexdigest()}"</ETag><Size>{len(body)}</Size></Contents>')
        out += [f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders]
        if len(keys) > most:
            out.append(f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>")
        return Response(200, "".join(out) + "</ListBucketResult>", "application/xml")
