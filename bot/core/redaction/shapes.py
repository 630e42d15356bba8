"""What looks like a credential though nobody named it: the shapes of known tokens, and text without order.

A shape is looked for only where its anchor, a short fixed beginning, was found; the anchors are searched together
with the values, so that shapes cost nothing where there are none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """Anchors are in lower case. A group of the pattern, if one matched, is what is hidden; else all of it is."""

    anchors: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    def at(self, data: bytes, start: int) -> Span | None:
        """What to hide, for an anchor found at ``start``."""
        found = self.pattern.match(data, start)
        return found.span(found.lastindex or 0) if found else None


def _shape(pattern: bytes, *anchors: bytes) -> Shape:
    return Shape(anchors, re.compile(pattern))


_ALONE: Final = rb"(?<![A-Za-z0-9_])"

# Quantifiers are bounded and possessive: a hostile text must not make them slow.
SHAPES: Final = (
    _shape(rb"gh[pousr]_[A-Za-z0-9_]{20,1024}+", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
    _shape(rb"github_pat_[A-Za-z0-9_]{22,255}+", b"github_pat_"),
    _shape(rb"gl[a-z]{2,6}-[A-Za-z0-9_.-]{20,512}+", b"glpat-", b"gldt-", b"glrt-", b"glcbt-", b"glptt-", b"glft-"),
    _shape(rb"gl[a-z]{2,6}-[A-Za-z0-9_.-]{20,512}+", b"glsoat-", b"glagent-", b"gloas-", b"glimt-", b"glffct-"),
    _shape(rb"GR1348941[A-Za-z0-9_-]{20,255}+", b"gr1348941"),
    _shape(rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", b"akia", b"asia", b"abia", b"acca"),
    _shape(rb"xox[a-z]-[A-Za-z0-9-]{10,512}+", *(b"xox%c-" % each for each in b"abceoprs")),
    _shape(rb"xapp-[A-Za-z0-9-]{10,512}+", b"xapp-"),
    _shape(rb"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{10,255}+)", b"hooks.slack.com/"),
    _shape(
        rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}+\.[A-Za-z0-9_-]{8,4096}+(?:\.[A-Za-z0-9_-]{8,1024}+)?", b"eyj"
    ),
    _shape(rb"AIza[A-Za-z0-9_-]{35}", b"aiza"),
    _shape(rb"ya29\.[A-Za-z0-9_-]{20,1024}+", b"ya29."),
    _shape(rb"GOCSPX-[A-Za-z0-9_-]{20,64}+", b"gocspx-"),
    _shape(_ALONE + rb"[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}+", b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_"),
    _shape(_ALONE + rb"sk-(?:proj-|ant-|svcacct-)[A-Za-z0-9_-]{20,255}+", b"sk-proj-", b"sk-ant-", b"sk-svcacct-"),
    _shape(_ALONE + rb"npm_[A-Za-z0-9]{36,64}+", b"npm_"),
    _shape(rb"pypi-AgE[A-Za-z0-9_-]{30,1024}+", b"pypi-age"),
    _shape(_ALONE + rb"hv[sbr]\.[A-Za-z0-9_-]{20,512}+", b"hvs.", b"hvb.", b"hvr."),
    _shape(rb"\.atlasv1\.[A-Za-z0-9_-]{40,128}+", b".atlasv1."),
    _shape(rb"SG\.[A-Za-z0-9_-]{16,64}+\.[A-Za-z0-9_-]{16,64}+", b"sg."),
    _shape(rb"do[opr]_v1_[a-f0-9]{40,64}+", b"dop_v1_", b"doo_v1_", b"dor_v1_"),
    _shape(rb"dckr_[a-z]{3}_[A-Za-z0-9_-]{20,64}+", b"dckr_pat_", b"dckr_oat_"),
    _shape(rb"AGE-SECRET-KEY-1[A-Z0-9]{50,64}+", b"age-secret-key-1"),
    _shape(rb"(?i:accountkey)=([A-Za-z0-9+/]{40,128}+={0,2})", b"accountkey="),
    _shape(
        rb"://(?:[^\s/:@?#\"']{0,255}+:([^\s/@\"']{1,1024}+)@|([^\s/:@?#\"']{16,1024}+)@)",
        b"://",
    ),
    _shape(
        rb"(?i:authorization)[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?(?:(?i:bearer|basic|token|digest|apikey)[ \t]{1,8})?"
        rb"([^\s\"',]{1,8192}+)",
        b"authorization",
    ),
    _shape(rb"(?i:bearer)[ \t]{1,8}+([A-Za-z0-9._~+/-]{16,8192}+=*)", b"bearer ", b"bearer\t"),
    _shape(
        rb"(?i:private-token|job-token|x-api-key|x-vault-token|x-amz-security-token)[\"']?"
        rb"[ \t]{0,8}[:=][ \t]{0,8}[\"']?([^\s\"',&]{8,8192}+)",
        b"private-token",
        b"job-token",
        b"x-api-key",
        b"x-vault-token",
        b"x-amz-security-token",
    ),
)

# ------------------------------------------------------------------------------------- private keys

KEY_ANCHOR: Final = b"PRIVATE KEY"
_BEGIN: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = re.compile(rb"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BODY: Final = re.compile(
    rb"[ \t|>+~\"'-]{0,200}+(?:[A-Za-z0-9+/=\\]{1,}+|(?:Proc-Type|DEK-Info|Version|Comment)\s?:[^\n]*)?[ \t\r\"',]*"
)


def key_spans(data: bytes, inside: bool) -> tuple[list[Span], bool]:
    """What of a private key in PEM to hide, line by line, and whether the key goes on after this text.

    A key ends at its END, or at the first line that cannot be of it: a BEGIN alone must not swallow a log.
    """
    spans: list[Span] = []
    at = 0
    while at < len(data):
        if not inside:
            found = _BEGIN.search(data, at)
            if found is None:
                return spans, False
            stop, inside = _key_line(data, found.end(), begun=True)
            spans.append((found.start(), stop))
        else:
            start = at
            stop, inside = _key_line(data, at, begun=False)
            if stop > start:
                spans.append((start, stop))
        at = stop + 1 if data[stop : stop + 1] == b"\n" else stop
    return spans, inside


def _key_line(data: bytes, at: int, *, begun: bool) -> tuple[int, bool]:
    """Where the part of this line that belongs to the key ends, and whether the next line does too."""
    newline = data.find(b"\n", at)
    stop = len(data) if newline < 0 else newline
    end = _END.search(data, at, stop)
    if end is not None:
        return end.end(), False
    if begun or _BODY.fullmatch(data, at, stop):
        return stop, True
    return at, False


# ------------------------------------------------------------------------------------------ entropy

RUN: Final = 24
"""Characters. 18 random bytes in base64; the ids that clouds give to resources are shorter, or hexadecimal."""
_MARKED: Final = bytes(120 if chr(each).isascii() and (chr(each).isalnum() or chr(each) in "+/_-") else 32
                       for each in range(256))  # fmt: skip
_KINDS: Final = bytes(
    ord("u" if 65 <= each <= 90 else "l" if 97 <= each <= 122 else "d" if 48 <= each <= 57 else "-")
    for each in range(256)
)
_PARTS: Final = re.compile(rb"[-_/+]+")
_PLAIN: Final = re.compile(rb"(?:[A-Z]{0,8}+[a-z]{2,}+)*+[A-Z]{0,8}[0-9]*|[0-9a-fA-F]*")
"""Words, CamelCase, numbers, and everything hexadecimal: commit ids, digests, UUIDs, ids of resources."""
_NAMED: Final = re.compile(
    rb"(?:\bh1:|\bzh:|\bsha(?:1|256|384|512)[:-]|\bssh-[a-z0-9-]{3,20} |\becdsa-sha2-nistp\d{3} |\[id=)$"
    rb"|(?:hash|sha(?:1|256|384|512)|checksum|digest|fingerprint)\"?\s{0,40}[=:][^\n]{0,100}$",
    re.IGNORECASE,
)
"""What stands before a digest or a public key that is not hexadecimal: lock files, Lambda's source_code_hash."""
_NAMED_RUN: Final = re.compile(rb"(?:sha(?:1|256|384|512)-|AAAA[BCE]3Nza)", re.IGNORECASE)
_BEFORE: Final = 160


def disordered(data: bytes) -> Iterator[Span]:
    """Runs of letters and digits that only chance could have made, save digests and ids."""
    marked = data.translate(_MARKED)
    start = marked.find(b"x" * RUN)
    while start >= 0:
        end = marked.find(b" ", start)
        end = len(data) if end < 0 else end
        if _by_chance(data[start:end]) and not _NAMED_RUN.match(data, start):
            before = data[max(0, start - _BEFORE) : start]
            if not _NAMED.search(before[before.rfind(b"\n") + 1 :]):
                yield start, end
        start = marked.find(b"x" * RUN, end)


def _by_chance(run: bytes) -> bool:
    """Whether upper case, lower case and digits are mixed as no name mixes them."""
    text = b"".join(part for part in _PARTS.split(run) if not _PLAIN.fullmatch(part))
    size = len(text)
    if size < RUN - 6:
        return False
    kinds = text.translate(_KINDS)
    if min(kinds.count(b"u"), kinds.count(b"l")) * 100 < 15 * size or not kinds.count(b"d"):
        return False
    turns = sum(map(kinds.count, (b"ul", b"lu", b"ud", b"du", b"ld", b"dl")))
    return turns * 100 >= 40 * size and _entropy(text) >= 3.5


def _entropy(text: bytes) -> float:
    """Bits for each character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())
