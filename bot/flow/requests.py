"""New comments become stored requests, each bound to the head whose face preceded it (law 8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.core.commands import Malformed, Parsed, Unknown, parse
from bot.core.model import Comment
from bot.core.record import Command, Memory, Request

KEPT = 200
"""Requests remembered per change; older judged ones are forgotten (the audit keeps them)."""

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
    requests = (*memory.requests, *found)[-KEPT:]
    return replace(memory, requests=requests, seen_comment=max(seen, newest, key=_number))


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
