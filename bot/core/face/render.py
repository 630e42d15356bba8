"""A face as pages of Markdown. What people must see comes first and is never cut; details share what is left.

Details degrade by resource, never by byte: all attributes, attribute names, addresses, counts; and it is always
said how many of how many are shown.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import Final

from bot.core.effectset import EffectSet
from bot.core.face.effects import Detail, blocks, headline
from bot.core.face.markdown import block, code, inside_comment
from bot.core.face.model import Danger, Face, Row, Section
from bot.core.face.words import counted

RESERVE: Final = 600
"""Characters kept free on a page for its marker, the page's number and closing tags."""

_MARKER: Final = re.compile(r"<!-- headgate:[^\n]{1,300}? -->")
OPEN_BELOW: Final = 12
"""A section with fewer lines than this is shown open."""


def render(face: Face, *, limit: int, max_pages: int, instance: str, detail: Detail = Detail.FULL) -> tuple[str, ...]:
    """Pages of at most ``limit`` characters each, at most ``max_pages`` of them, with that much detail if it fits."""
    budget = limit - RESERVE
    dangers = _danger_lines(face)
    first, rest = _fitting(dangers, budget - len(_frame(face, "", "")) - RESERVE)
    pages, left = _danger_pages(rest, budget, max_pages - 1)
    missing = len(left)
    notice = f"\n> … and {missing} more{_elsewhere(', ', 'all of them here', face.link)}" if missing else ""
    box = _danger_box(first, len(dangers)) + notice
    frame = _frame(face, box, "")
    details = _details(face, budget - len(frame) - 40, detail)
    bodies = [_frame(face, box, details), *pages]
    return tuple(
        _numbered(body, number, len(bodies), instance, face.link)[:limit] for number, body in enumerate(bodies, 1)
    )


def dangers_fit(dangers: tuple[Danger, ...], *, limit: int, max_pages: int) -> bool:
    """Whether every destroyed thing can be named over that many pages; where not, the gate denies.

    The first page is left out of the count: how much room it has depends on everything else it says.
    """
    lines = [_danger_line(danger) for danger in dangers]
    return not _danger_pages(lines, limit - RESERVE, max(max_pages - 1, 1))[1]


def marker(instance: str, number: int) -> str:
    """The hidden first line by which a page is found again; scoped, so that two installations do not fight."""
    return f"<!-- headgate:{inside_comment(instance)}:page:{number} -->"


def marker_of(body: str) -> str:
    """The marker on a comment's first line; empty when it has none. A marker further down is only text."""
    first = body.partition("\n")[0].strip()
    return first if _MARKER.fullmatch(first) else ""


def body_digest(body: str) -> str:
    """Identifies a page's text, to see whether what stands is what should."""
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _numbered(body: str, number: int, count: int, instance: str, link: str) -> str:
    page = f"\n<sub>Page {number} of {count}{_elsewhere(' · ', 'details', link)}</sub>" if count > 1 else ""
    return f"{marker(instance, number)}\n{body}{page}"


def _frame(face: Face, dangers: str, details: str) -> str:
    """Everything of page 1, in the order of importance."""
    head = face.headline + (f"\n{face.subline}" if face.subline else "")
    parts = [head, *face.notices, dangers, _table(face.rows), details]
    if face.next:
        parts.append(f"**Next:** {face.next}")
    if face.footer:
        parts.append(f"<sub>{face.footer}</sub>")
    return "\n\n".join(part for part in parts if part)


# ------------------------------------------------------------------------------------------ dangers


def _danger_lines(face: Face) -> list[str]:
    return [_danger_line(danger) for danger in face.dangers]


def _danger_line(danger: Danger) -> str:
    effect = danger.effect
    word = "Destroyed" if effect.action.value == "delete" else "Replaced"
    _, _, why = headline(effect).partition("   (")
    reason = f" — {code(why.removesuffix(')'), 120)}" if why else ""
    return f"**{word}** {code(effect.address, 200)} in **{danger.project}**{reason}"


def _danger_box(lines: list[str], total: int) -> str:
    if not lines and not total:
        return ""
    return "\n".join(f"> ⚠ {line}  " for line in lines)


def _fitting(lines: list[str], budget: int) -> tuple[list[str], list[str]]:
    """As many lines as fit, and the others."""
    used = 0
    for position, line in enumerate(lines):
        used += len(line) + 8
        if used > budget:
            return lines[:position], lines[position:]
    return lines, []


def _danger_pages(lines: list[str], budget: int, pages: int) -> tuple[list[str], list[str]]:
    found: list[str] = []
    while lines and len(found) < pages:
        fitting, rest = _fitting(lines, budget)
        if not fitting:
            break
        found.append("\n".join(f"> ⚠ {line}  " for line in fitting))
        lines = rest
    return found, lines


# -------------------------------------------------------------------------------------------- table


def _table(rows: tuple[Row, ...]) -> str:
    if not rows:
        return ""
    lines = ["| project | environment | result | rules |", "|---|---|---|---|"]
    lines += [f"| {', '.join(row.projects)} | {row.environment} | {row.result} | {row.rules} |" for row in rows[:100]]
    if len(rows) > 100:
        lines.append(f"| … and {len(rows) - 100} more | | | |")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------ details


def _details(face: Face, budget: int, most: Detail) -> str:
    """Every section at the highest level at which all of them fit; then cut on a resource's border."""
    sections = [section for section in face.sections if not section.effects.empty or section.notes]
    if not sections or budget < 200:
        return _left_out(len(sections), face.link)
    levels = dict.fromkeys(range(len(sections)), most)
    texts = {number: _section(section, most, face.link) for number, section in enumerate(sections)}
    while sum(len(text) + 2 for text in texts.values()) > budget:
        number = max(
            (each for each in texts if levels[each] is not Detail.COUNTS),
            key=lambda each: len(texts[each]),
            default=-1,
        )
        if number < 0:
            return _cut(list(texts.values()), budget, face.link)
        levels[number] = Detail(levels[number] - 1)
        texts[number] = _section(sections[number], levels[number], face.link)
    return "\n\n".join(texts.values())


def _left_out(count: int, link: str) -> str:
    return f"Details of {count} projects do not fit here{_elsewhere(': ', 'all of them', link)}" if count else ""


def _cut(texts: list[str], budget: int, link: str) -> str:
    used = itertools.accumulate((len(text) + 2 for text in texts), initial=120)
    kept = [text for text, so_far in zip(texts, itertools.islice(used, 1, None), strict=True) if so_far <= budget]
    return "\n\n".join([*kept, f"Shown {len(kept)} of {len(texts)} projects{_elsewhere(': ', 'all of them', link)}"])


def _section(section: Section, detail: Detail, link: str) -> str:
    lines = [line for each in blocks(section.effects, detail) for line in each]
    shown = "" if detail >= Detail.FULL else _degraded(section.effects, detail, link)
    body = [block(lines)] if lines else []
    few = len(lines) + len(section.notes) < OPEN_BELOW
    opened = " open" if (section.open or few) and detail >= Detail.FULL else ""
    inner = "\n\n".join([*section.notes, *body, *([shown] if shown else [])])
    return f"<details{opened}><summary>{section.summary}</summary>\n\n{inner}\n\n</details>"


def _degraded(effects: EffectSet, detail: Detail, link: str) -> str:
    count, everything = len(effects.resources), _elsewhere(": ", "all of it", link)
    match detail:
        case Detail.NAMES:
            return f"Shown {count} of {count} resources, without values{everything}"
        case Detail.ADDRESSES:
            return f"Shown {count} of {count} resources, addresses only{everything}"
        case _:
            return f"Shown 0 of {count} resources ({counted(effects.counts())}){everything}"


def _elsewhere(before: str, words: str, link: str) -> str:
    """A link after what is left out here, where there is anything to link to."""
    return f"{before}[{words}]({link})" if link else ""
