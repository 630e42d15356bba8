"""New comments become stored requests, each bound to the head whose face preceded it (law 8)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.commands import Malformed, Parsed, Unknown, parse
from bot.core.decide.publishing import GATE
from bot.core.events import CommandPressed
from bot.core.gate import standing_holds
from bot.core.model import ChangeRef, Comment, HostFacts, Permission, RepoRef
from bot.core.record import Command, Judgement, Memory, Request, Verb

KEPT = 200
"""Requests by people with write permission remembered per change; older ones are forgotten (the audit keeps them)."""

KEPT_OF_OTHERS = 50
"""The same for everybody else, whose words must never push out those of who may write."""

MOST_OF_OTHERS = 10
"""Commands per hour of one author without write permission that are taken up: each costs a comment in answer."""

MOST_OF_ALL_OTHERS = 30
"""The same for all of them together."""

MOST_EXPLAINED = 5
"""Things in one comment that were not understood and are answered."""


def absorb_comments(memory: Memory, instance: str, bot: str, now: datetime) -> Memory:
    """Store what new comments ask for. Our own comments, edited ones and quoted words ask for nothing."""
    host = memory.host
    if host is None:
        return memory
    known = {request.id.partition(".")[0] for request in memory.requests}
    found: list[Request] = []
    newest = memory.seen_comment
    for comment in host.comments:
        if comment.ours or comment.id in known or not _is_new(comment, newest):
            continue
        if comment.edited_at is None or comment.edited_at <= comment.created_at:
            found.extend(_requests(memory, comment, instance, bot, now))
    seen = max((comment.id for comment in host.comments), key=_number, default=newest)
    if not found and seen == newest:
        return memory
    requests = _remembered(host, (*memory.requests, *_within_quota(memory, host, found)))
    return replace(memory, requests=requests, seen_comment=max(seen, newest, key=_number))


def asked_setting(ref: ChangeRef) -> str:
    """Where the last delivery is kept by which the host asked for our gate's check of a change."""
    return f"asked:{ref}"


def absorb_asked(memory: Memory, asked: str | None) -> Memory:
    """What the host asks for it has not, whatever we told it before: it is told again."""
    if not asked or asked == memory.asked:
        return memory
    standing = tuple(check for check in memory.published.checks if check.name != GATE)
    return replace(memory, asked=asked, published=replace(memory.published, checks=standing))


def pressed_setting(repo: RepoRef, sha: str) -> str:
    """Where the last button pressed beside a commit's check is kept until its change is looked at."""
    return f"pressed:{repo}@{sha}"


def pressed_text(hint: CommandPressed) -> str:
    """The press as it is kept."""
    return json.dumps([hint.id, hint.author, hint.words, hint.at.isoformat()])


def absorb_pressed(memory: Memory, kept: str | None, now: datetime) -> Memory:
    """Store what a pressed button asks for, once; ``kept`` is what ``pressed_text`` made of it."""
    host = memory.host
    if host is None or not kept:
        return memory
    press, author, words, at = json.loads(kept)
    name = f"pressed-{press}.0"
    if any(request.id == name for request in memory.requests):
        return memory
    command = Command(Verb(words))
    asked = Request(name, author, datetime.fromisoformat(at), host.change.head_sha, command, absorbed_at=now)
    return replace(memory, requests=_remembered(host, (*memory.requests, *_within_quota(memory, host, [asked]))))


def _may_write(host: HostFacts, request: Request) -> bool:
    permission = host.permission_of(request.author) if request.judgement is Judgement.OPEN else request.permission
    return permission >= Permission.WRITE


def _within_quota(memory: Memory, host: HostFacts, found: list[Request]) -> list[Request]:
    """Without what people who may not write ask for beyond their share of the last hour."""
    taken = [each for each in memory.requests if not _may_write(host, each)]
    kept = []
    for request in found:
        if not _may_write(host, request):
            recent = [each.author for each in taken if each.at > request.at - timedelta(hours=1)]
            if len(recent) >= MOST_OF_ALL_OTHERS or recent.count(request.author) >= MOST_OF_OTHERS:
                continue
            taken.append(request)
        kept.append(request)
    return kept


def _remembered(host: HostFacts, requests: tuple[Request, ...]) -> tuple[Request, ...]:
    """The newest, those of people who may write and of the others apart; and every hold that stands, as nobody can
    talk so much that it is forgotten."""
    writers = [each.id for each in requests if _may_write(host, each)]
    others = [each.id for each in requests if not _may_write(host, each)]
    asked = [each for each in requests if _asks_to_hold(host, each)]
    holds = {each.author: each.id for each in reversed([*standing_holds(requests), *asked])}
    kept = {*writers[-KEPT:], *others[-KEPT_OF_OTHERS:], *holds.values()}
    return tuple(each for each in requests if each.id in kept)


def _asks_to_hold(host: HostFacts, request: Request) -> bool:
    """A hold that is not judged yet, by somebody whose hold will count."""
    command = request.command if request.judgement is Judgement.OPEN else None
    return command is not None and command.verb is Verb.HOLD and _may_write(host, request)


def _number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdecimal() else (0, text)


def _is_new(comment: Comment, seen: str) -> bool:
    return not seen or _number(comment.id) > _number(seen)


def _requests(memory: Memory, comment: Comment, instance: str, bot: str, now: datetime) -> list[Request]:
    head = _head_seen(memory, comment.created_at)
    asked = Request(f"{comment.id}.odd", comment.author, comment.created_at, head, None, absorbed_at=now)
    found, odd = [], list[str]()
    names = tuple(dict.fromkeys(name for name in (bot, bot.removesuffix("[bot]"), instance) if name))
    for position, parsed in enumerate(parse(comment.body, bot_names=names)):
        command, answer = _understood(parsed)
        if command is None:
            odd += [answer] if answer else []
            continue
        found.append(replace(asked, id=f"{comment.id}.{position}", command=command))
    if odd:
        # One answer for all of them: every answer is a comment that notifies everybody.
        found.append(replace(asked, answer="\n".join(dict.fromkeys(odd[:MOST_EXPLAINED]))))
    return found


def _understood(parsed: Parsed) -> tuple[Command | None, str]:
    """The command, or what to answer; neither for a stray word after a slash that was not meant for us."""
    match parsed:
        case Command():
            return parsed, ""
        case Unknown(word=word, suggestion=suggestion, addressed=True):
            hint = f" Did you mean `{suggestion}`?" if suggestion else ""
            return None, f"I don't know `{word}`.{hint} `/help` lists what I understand."
        case Unknown():
            return None, ""
        case Malformed(verb=verb, why=why):
            return None, f"`{verb.value}`: {why}"


def _head_seen(memory: Memory, at: datetime) -> str:
    """The commit whose face stood when the comment was written; the present head before any face stood.

    Hosts tell whole seconds, so a face published within the comment's second counts as seen.
    """
    second = at.replace(microsecond=0)
    before = [face for face in memory.faces if face.at.replace(microsecond=0) <= second]
    if before:
        return before[-1].head
    return memory.host.change.head_sha if memory.host else ""
