# SPDX-License-Identifier: GPL-2.0-or-later
"""What real stores accept and refuse of a pprof profile. Each rule was seen with a real server."""
import re

from wire import Malformed


class Refused(Exception):
    """code is Connect's name of it; gRPC and HTTP numbers follow from the name."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


# Connect's codes: number in gRPC, status of HTTP for Connect, status of HTTP for grpc-gateway.
CODES = {"canceled": (1, 499, 499), "unknown": (2, 500, 500), "invalid_argument": (3, 400, 400),
         "deadline_exceeded": (4, 504, 504), "not_found": (5, 404, 404), "already_exists": (6, 409, 409),
         "permission_denied": (7, 403, 403), "resource_exhausted": (8, 429, 429),
         "failed_precondition": (9, 400, 400), "aborted": (10, 409, 409), "out_of_range": (11, 400, 400),
         "unimplemented": (12, 501, 501), "internal": (13, 500, 500), "unavailable": (14, 503, 503),
         "data_loss": (15, 500, 500), "unauthenticated": (16, 401, 401)}

LIMITS = {"profile_bytes": 4 << 20, "samples": 16000, "labels": 30, "label_name": 1024, "label_value": 2048,
          "depth": 1000, "symbol": 65535, "sample_labels": 100, "rate": 4 << 20, "burst": 2 << 20,
          "past_s": 3600, "future_s": 600, "body": 256 << 20}


def invalid(message):
    raise Refused("invalid_argument", message)


def check_labels(labels, limits=None):
    """labels: [(name, value)] with texts. Rules that Pyroscope and Parca share."""
    names = [name for name, _ in labels]
    if "__name__" not in names:
        invalid("profile name is required: label __name__ is missing")
    if len(set(names)) != len(names):
        invalid("profile with labels has duplicate label name")
    if any(not name for name in names):
        invalid("empty label name")
    if not limits:
        return
    if len(labels) > limits["labels"]:
        invalid(f"profile series has {len(labels)} label names; limit {limits['labels']}")
    for name, value in labels:
        if len(name) > limits["label_name"]:
            invalid(f"label name too long: {name[:64]}")
        if len(value) > limits["label_value"]:
            invalid(f"label value too long of {name}")


def check_shape(profile):
    """Rules of google/pprof that both servers have."""
    if not profile.strings or profile.strings[0] != b"":
        invalid("string 0 should be empty string")
    for index in profile.string_indexes():
        if index >= len(profile.strings):
            invalid(f"string index {index} out of range")
    for _, values, _ in profile.samples:
        if len(values) != len(profile.types):
            invalid(f"sample has {len(values)} values, the profile {len(profile.types)} types")


def check_pyroscope(profile, raw, limits, now_ns):
    """Raises Refused; returns a function that says of a sample whether it is kept."""
    if len(raw) > limits["profile_bytes"]:
        invalid(f"the profile of {len(raw)} bytes exceeds the size limit (max_profile_size_byte, "
                f"actual: {len(raw)}, limit: {limits['profile_bytes']})")
    if len(profile.samples) > limits["samples"]:
        invalid(f"the profile has {len(profile.samples)} samples: exceeds the limit of {limits['samples']}")
    for text in profile.strings:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            invalid(f"invalid utf8 string hex: {text.hex()[:64]}")
        if len(text) > limits["symbol"]:
            invalid(f"a symbol of {len(text)} bytes exceeds the limit of {limits['symbol']}")
    if any(location[0] == 0 for location in profile.locations):
        invalid("profile location id is zero")
    check_shape(profile)
    for name, _ in profile.type_names():
        if "-" in name:
            invalid(f"invalid profile type {name}: contains '-'")
    for _, _, labels in profile.samples:
        if len(labels) > limits["sample_labels"]:
            invalid("the profile has a sample with too many labels")
    if profile.time_ns:
        if profile.time_ns < now_ns - limits["past_s"] * 10**9:
            invalid("profile is outside of the ingestion window: too old")
        if profile.time_ns > now_ns + limits["future_s"] * 10**9:
            invalid("profile is outside of the ingestion window: in the future")
    return keeps(profile)


def keeps(profile):
    """Pyroscope drops samples whose stack it cannot follow, and those without a value."""
    twice = profile.duplicate_locations()
    functions = {f[0] for f in profile.functions if f[0]}
    bad = {location[0] for location in profile.locations if location[0] in twice or
           any(function not in functions for function, _ in location[3])}
    known = {location[0] for location in profile.locations} - bad

    def keep(locations, values):
        return (all(one in known for one in locations) and any(values) and
                all(value >= 0 for value in values))
    return keep


def check_parca(profile, labels):
    """Raises Refused; returns what is wrong with it all the same: [text]."""
    name = dict(labels).get("__name__", "")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise Refused("unknown", f"profile type must not contain '-' or '.': {name}")
    check_shape(profile)
    for kind, _ in profile.type_names():
        if re.search(r"[-.]", kind):
            raise Refused("unknown", f"sample type must not contain '-' or '.': {kind}")
    for what, table in (("mapping", profile.mappings), ("function", profile.functions),
                        ("location", profile.locations)):
        for i, one in enumerate(table):
            if one[0] != i + 1:
                invalid(f"{what} id is not sequential: {one[0]} at {i}")
    crashes = []
    for _, mapping, _, lines in profile.locations:
        if mapping > len(profile.mappings):
            invalid(f"location has an invalid mapping id {mapping}")
        for function, _ in lines:
            if function > len(profile.functions):
                invalid(f"line has an invalid function id {function}")
            if function == 0:
                crashes.append("a line with a nil function: the next TOP query kills the server")
    for locations, _, _ in profile.samples:
        for one in locations:
            if not 0 < one <= len(profile.locations):
                invalid(f"sample has an invalid location id {one}")
    return crashes


def is_utf8(profile):
    try:
        for text in profile.strings:
            text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def parse(raw):
    """Malformed for what is no profile: zstd and other junk, and what has no field of one."""
    from pprof import Profile
    profile = Profile(raw)
    if not raw:
        raise Malformed("empty profile")
    return profile


# The first string that begins or ends so says the language of a whole profile.
LANGUAGES = {"go": (b".go", b"/usr/local/go/"), "java": (b"java/", b"sun/"), "ruby": (b".rb", b"gems/"),
             "nodejs": (b"./node_modules/", b".js"), "dotnet": (b"System.", b"Microsoft."), "python": (b".py",),
             "rust": (b"main.rs", b"core.rs")}


def language(strings):
    for string in strings:
        for name, marks in LANGUAGES.items():
            if string.startswith(marks) or string.endswith(marks):
                return name
    return "unknown"


def without_shape(string):
    """x[go.shape.int].f is x.f; brackets inside go, too."""
    begin = string.find(b"[go.shape.")
    if begin < 0:
        return string
    depth = 0
    for end in range(begin, len(string)):
        depth += {b"[": 1, b"]": -1}.get(string[end:end + 1], 0)
        if not depth:
            return string[:begin] + without_shape(string[end + 1:])
    return string


def as_pyroscope_names(profile):
    """In a profile of Go the instances of a generic function become one."""
    if language(profile.strings) == "go":
        profile.strings = [without_shape(s) for s in profile.strings]


def warnings(profile, raw):
    """What readers other than the server in question would stumble over: [text]."""
    out = []
    if profile.times > 1:
        out.append("time_nanos occurs twice: concatenated profiles")
    if not profile.duration_ns:
        out.append("duration_nanos is 0")
    if not is_utf8(profile):
        out.append("a string that is no UTF-8")
    for name, table in (("mapping", profile.mappings), ("function", profile.functions),
                        ("location", profile.locations)):
        if any(one[0] != i + 1 for i, one in enumerate(table)):
            out.append(f"ids of the table {name} are not sequential")
    functions = {f[0] for f in profile.functions}
    if any(f not in functions for location in profile.locations for f, _ in location[3]):
        out.append("a line without a function")
    symbolized = {m[0] for m in profile.mappings if m[6]}
    if any(not location[3] and location[1] in symbolized for location in profile.locations):
        out.append("a nameless frame in a mapping with has_functions")
    if any(not location[3] for location in profile.locations):
        out.append("a nameless frame")
    if len(raw) > LIMITS["burst"]:
        out.append(f"{len(raw)} bytes: over a burst of {LIMITS['burst']}")
    return out
