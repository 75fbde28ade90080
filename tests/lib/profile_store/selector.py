# SPDX-License-Identifier: GPL-2.0-or-later
"""Label selectors as Pyroscope and Parca read them: {a="b",c=~"d.*","e.f"!="g"}."""
import re

PART = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')


class BadSelector(ValueError):
    pass


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text)


def parse(text):
    """[(name, operator, value)]"""
    text = text.strip()
    if text in ("", "{}"):
        return []
    if text[0] != "{" or text[-1] != "}":
        raise BadSelector(f"parse error: {text}")
    text, at, out = text[1:-1], 0, []
    while at < len(text):
        m = PART.match(text, at)
        if not m:
            raise BadSelector(f"parse error: {text[at:]}")
        name = unescape(m[1][1:-1]) if m[1][0] == '"' else m[1]
        try:
            value = re.compile(unescape(m[3])) if "~" in m[2] else unescape(m[3])
        except re.error as error:
            raise BadSelector(f"{m[3]}: {error}") from None
        out.append((name, m[2], value))
        at = m.end()
    return out


def matches(matchers, labels):
    for name, operator, value in matchers:
        own = labels.get(name, "")
        met = bool(value.fullmatch(own)) if "~" in operator else own == value
        if met == operator.startswith("!"):
            return False
    return True


def parca_matches(matchers, labels):
    """A label that is missing is only equal to "", and not unlike anything."""
    present = [m for m in matchers if m[0] in labels]
    return matches(present, labels) and all(m in present or m[1:] == ("=", "") for m in matchers)
