"""Commands in comments: read line by line, never raising, and silent about what was not meant for us.

A command begins its line: ``/verb``, ``@bot verb``, or ``headgate verb``; case does not matter. Code, quotes and
hidden comments say nothing. After a bare slash an unknown word is somebody else's command. After ``@bot`` it is
answered. After the plain word ``headgate`` it is answered only in a line of at most six words whose second word is
nearly a verb: "headgate is great" is prose, "headgate plam" a slip. Nor does "headgate plan looks good to me" plan
anything: after the plain word, two or more words that all could be prose are no names of projects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.core.config.document import shown
from bot.core.nearest import did_you_mean, nearest
from bot.core.record import Command, Verb

MAX_BODY: Final = 100_000
"""Characters of a comment that are read; more than any host's comment has."""
MAX_COMMANDS: Final = 20
MAX_WORDS: Final = 50
MAX_REASON: Final = 500
PROSE: Final = 6
"""A line of more words than this that begins with ``headgate`` and no verb is prose."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that is no verb. ``addressed`` says that we were meant, so that it should be answered."""

    word: str
    suggestion: str = ""
    addressed: bool = False


@dataclass(frozen=True, slots=True)
class Malformed:
    """A verb whose words or options make no sense; ``why`` is a sentence for its author."""

    verb: Verb
    why: str


Parsed = Command | Unknown | Malformed


@dataclass(frozen=True, slots=True)
class Help:
    """One row of the help: how it is written, what it does, who may say it."""

    verb: Verb
    usage: str
    what: str
    who: str


HELP: Final[tuple[Help, ...]] = (
    Help(
        Verb.PLAN,
        "plan [PROJECT…] [--all]",
        "Plan again; `--all` also when very many projects are affected",
        "writers",
    ),
    Help(
        Verb.DEPLOY,
        "deploy [PROJECT…] [--accept PLAN]",
        "Deploy what is merged and waits; `--accept` allows exactly the effects of that plan, which nobody reviewed",
        "writers; to accept: who satisfies the rule for the new effects, never a contributor",
    ),
    Help(Verb.MERGE, "merge", "Merge as soon as the gate is open", "writers"),
    Help(Verb.HOLD, "hold [REASON]", "Keep the gate closed", "writers"),
    Help(Verb.UNHOLD, "unhold", "Release a hold", "whoever holds it, and maintainers"),
    Help(
        Verb.UNLOCK,
        "unlock [--state]",
        "Release what a dead or unclear deploy still locks; `--state` also the tool's own lock",
        "maintainers",
    ),
    Help(
        Verb.OK_TO_PLAN,
        "ok-to-plan COMMIT",
        "Allow a stranger's commit to be planned, that one only",
        "writers, never its author",
    ),
    Help(Verb.EXPLAIN, "explain", "Show every rule and the values it was judged on", "readers"),
    Help(Verb.HELP, "help", "List these commands", "everybody"),
)
"""One row per verb; ``/help`` and ``docs/commands.md`` are made from it."""

ALIASES: Final[Mapping[str, Verb]] = {**{verb.value: verb for verb in Verb}, "remove-hold": Verb.UNHOLD}

ELSEWHERE: Final[Mapping[str, str]] = {
    "apply": "deploy",
    "retry": "plan",
    "replan": "plan",
    "preview": "plan",
    "ship": "merge",
    "queue": "merge",
    "status": "explain",
    "why": "explain",
    "resume": "unhold",
    "ok-to-test": "ok-to-plan",
}
"""What people say elsewhere, and what they would say here."""


def parse(body: str, *, bot_names: Sequence[str]) -> tuple[Parsed, ...]:
    """Everything a comment asks for, in order; at most MAX_COMMANDS, and the same thing once, because each is
    answered with a comment. Never raises.

    ``bot_names`` are the names that address us after an ``@``.
    """
    names = {name.lower().removesuffix("[bot]") for name in (*bot_names, "headgate")}
    found: list[Parsed] = []
    for line in _spoken(body[:MAX_BODY]):
        parsed = _line(line, names)
        if parsed is not None and (parsed not in found or _order_matters(parsed)):
            found.append(parsed)
            if len(found) == MAX_COMMANDS:
                break
    return tuple(found)


def _order_matters(parsed: Parsed) -> bool:
    return isinstance(parsed, Command) and parsed.verb in (Verb.HOLD, Verb.UNHOLD)


# ------------------------------------------------------------------------------------------- lines

_QUOTE = re.compile(r" {0,3}>")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)", re.DOTALL)


def _spoken(body: str) -> Iterator[str]:
    """Lines outside code blocks and hidden comments. Hidden text at a line's end is cut off."""
    fence, hidden = "", False
    for line in body.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if hidden:
            rest = line.partition("-->")[2]
            hidden = "-->" not in line or _opens(rest)
            continue
        if fence:
            closing = line.strip(" \t")
            if closing.startswith(fence) and not closing.strip(fence[0]) and not line.startswith("    "):
                fence = ""
            continue
        if _QUOTE.match(line):
            continue
        opening = _FENCE.fullmatch(line)
        if opening and not (opening[1][0] == "`" and "`" in opening[2]):
            fence = opening[1]
            continue
        hidden = _opens(line)
        yield _visible(line)


def _comment_start(line: str) -> int:
    """Where hidden text begins, or -1; not inside a span of code."""
    at = line.find("<!--")
    return at if at >= 0 and line.count("`", 0, at) % 2 == 0 else -1


def _opens(line: str) -> bool:
    """Whether hidden text begins in this line and goes on in the next."""
    at = _comment_start(line)
    while at >= 0:
        end = line.find("-->", at + 4)
        if end < 0:
            return True
        line = line[end + 3 :]
        at = _comment_start(line)
    return False


def _visible(line: str) -> str:
    at = _comment_start(line)
    return line if at < 0 else line[:at]


# ---------------------------------------------------------------------------------------- one line

_SLASH = re.compile(r"/([A-Za-z][A-Za-z0-9_-]{0,39})(?:[ \t]+(.*))?\Z", re.DOTALL)
_MENTION = re.compile(r"@([A-Za-z0-9][A-Za-z0-9_.-]{0,99}?)(?:\[bot\])?[:,]?[ \t]+(.*)\Z", re.DOTALL | re.IGNORECASE)
_TELLING = re.compile(r"[0-9_/*`-]|\w[.]\w|[—–]")
"""What names of projects and options have in them, and words of prose seldom do."""
_NAMED = re.compile(r"headgate[:,]?[ \t]+(.*)\Z", re.DOTALL | re.IGNORECASE)


def _line(line: str, names: set[str]) -> Parsed | None:
    line = line.rstrip(" \t")
    if slash := _SLASH.match(line):
        verb = ALIASES.get(slash[1].lower())
        return _command(verb, slash[2] or "") if verb else Unknown(shown(slash[1]), _suggestion(slash[1]))
    if (mention := _MENTION.match(line)) and mention[1].lower() in names:
        return _addressed(mention[2], prose=False)
    if named := _NAMED.match(line):
        return _addressed(named[1], prose=True)
    return None


def _addressed(rest: str, *, prose: bool) -> Parsed | None:
    """What follows our name; a slash before the verb is taken as well."""
    word, _, arguments = rest.replace("\t", " ").partition(" ")
    word = word.strip("`").removeprefix("/")
    verb = ALIASES.get(word.lower().rstrip(".!?"))
    if verb is not None:
        return None if prose and _reads_like_prose(verb, arguments) else _command(verb, arguments)
    suggestion = _suggestion(word)
    if not word or (prose and (not suggestion or len(rest.split()) >= PROSE)):
        return None
    return Unknown(shown(word, 40), suggestion, addressed=True)


def _reads_like_prose(verb: Verb, arguments: str) -> bool:
    words = arguments.split()
    few = {Verb.PLAN: 1, Verb.DEPLOY: 1, Verb.MERGE: 0, Verb.UNLOCK: 0}.get(verb)
    return few is not None and len(words) > few and not any(_TELLING.search(word) for word in words)


def _suggestion(word: str) -> str:
    return ELSEWHERE.get(word.lower(), "") or nearest(word, [verb.value for verb in Verb])


# --------------------------------------------------------------------------------------- arguments

_PROJECT = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*._/-]{0,99}\Z", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{7,64}\Z", re.ASCII)
_PRINT = re.compile(r"[0-9a-z]{4,64}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Arguments:
    words: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    accept: str = ""


class _Refused(Exception):
    """An argument that makes no sense, with the sentence for its author."""


def _command(verb: Verb, rest: str) -> Parsed:
    try:
        return RULES[verb](verb, rest)
    except _Refused as refused:
        return Malformed(verb, str(refused))


def _arguments(rest: str, options: tuple[str, ...], words: int = MAX_WORDS) -> _Arguments:
    """Words and options. Dashes that a phone made long are dashes; quotes copied from a comment are taken off."""
    found: list[str] = []
    flags: set[str] = set()
    accept = ""
    tokens = iter(rest.replace("\t", " ").split(" "))
    for token in tokens:
        token = re.sub(r"^[—–]", "--", token.strip("`,"))
        name, equals, value = token.partition("=")
        if not token:
            continue
        if not token.startswith("-"):
            found.append(token)
        elif name.lower() not in options:
            raise _Refused(f"there is no option `{shown(name, 40)}`.{did_you_mean(name, options)}")
        elif name.lower() != "--accept":
            flags.add(name.lower())
        else:
            accept = (value if equals else next(filter(None, tokens), "")).strip("`,").lower()
            if not _PRINT.match(accept):
                raise _Refused(
                    "`--accept` wants the plan's identifier as the comment shows it, at least 4 characters"
                )
    if len(found) > words:
        raise _Refused(f"at most {words} words can follow" if words else "no words follow this one")
    return _Arguments(tuple(found), frozenset(flags), accept)


def _projects(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not _PROJECT.match(word):
            raise _Refused(f"`{shown(word, 40)}` is not the name of a project")
    return tuple(dict.fromkeys(words))


def _plan(verb: Verb, rest: str) -> Parsed:
    given = _arguments(rest, ("--all",))
    if given.words and given.flags:
        raise _Refused("say either `--all` or names of projects")
    return Command(verb, _projects(given.words), all=bool(given.flags))


def _deploy(verb: Verb, rest: str) -> Parsed:
    given = _arguments(rest, ("--accept",))
    return Command(verb, _projects(given.words), accept=given.accept)


def _merge(verb: Verb, rest: str) -> Parsed:
    _arguments(rest, (), words=0)
    return Command(verb)


def _hold(verb: Verb, rest: str) -> Parsed:
    reason = "".join(char if char.isprintable() else " " for char in rest).strip()
    if reason.lower() == "cancel":
        return Command(Verb.UNHOLD)
    return Command(verb, reason=reason[:MAX_REASON].rstrip())


def _unlock(verb: Verb, rest: str) -> Parsed:
    given = _arguments(rest, ("--state",), words=0)
    return Command(verb, state=bool(given.flags))


def _ok_to_plan(verb: Verb, rest: str) -> Parsed:
    words = tuple(word.lower() for word in _arguments(rest, ()).words)
    if len(words) != 1 or not _SHA.match(words[0]):
        raise _Refused("say which commit, with at least 7 characters of its SHA: `ok-to-plan 0a1b2c3`")
    return Command(verb, words)


def _alone(verb: Verb, rest: str) -> Parsed:
    """Harmless verbs take any words after them."""
    del rest
    return Command(verb)


RULES: Final[Mapping[Verb, Callable[[Verb, str], Parsed]]] = {
    Verb.PLAN: _plan,
    Verb.DEPLOY: _deploy,
    Verb.MERGE: _merge,
    Verb.HOLD: _hold,
    Verb.UNHOLD: _alone,
    Verb.UNLOCK: _unlock,
    Verb.OK_TO_PLAN: _ok_to_plan,
    Verb.EXPLAIN: _alone,
    Verb.HELP: _alone,
}
