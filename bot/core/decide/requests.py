"""Judging requests: each command once, on the permission its author had, bound to the head they had seen.

One function per verb; ``RULES`` is the registry. A rule returns None while the request has to go on waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bot.core.decide.deploying import (
    Position,
    Stage,
    may_accept,
    offered_fingerprint,
    positions,
)
from bot.core.decide.gating import gate_open
from bot.core.decide.planning import stranger
from bot.core.effects import Judge, ReleaseTarget, StateEffect, ThawBranch
from bot.core.face.explain import explain, help_text, plain_keeping_code
from bot.core.face.markdown import plain
from bot.core.gate import standing_holds
from bot.core.model import ChangeState, Permission
from bot.core.record import Command, Judgement, Request, Verb
from bot.core.rules import Mode
from bot.core.runs import RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason

Rule = Callable[[Snapshot, Reason, Request, Command], "Judge | tuple[StateEffect, ...] | None"]

AFTER_THE_MERGE: Final = frozenset({Verb.DEPLOY, Verb.UNLOCK, Verb.EXPLAIN, Verb.HELP})


def request_effects(snapshot: Snapshot, verdict: Reason) -> tuple[StateEffect, ...]:
    """Judge every open request that can be judged now, in the order they were given."""
    effects: list[StateEffect] = []
    for request in snapshot.memory.requests:
        if request.judgement is not Judgement.OPEN:
            continue
        outcome = _judge(snapshot, verdict, request)
        if isinstance(outcome, Judge):
            effects.append(outcome)
        elif outcome is not None:
            effects.extend(outcome)
    return tuple(effects)


def _judge(snapshot: Snapshot, verdict: Reason, request: Request) -> Judge | tuple[StateEffect, ...] | None:
    command = request.command
    if command is None:
        return Judge(request.id, Judgement.DONE, request.permission, request.answer)
    if command.verb is Verb.MERGE and snapshot.change.state is ChangeState.MERGED:
        return grant(snapshot, request)
    permission = snapshot.permission_of(request.author)
    least = LEAST[command.verb]
    if permission < least:
        return refuse(snapshot, request, f"`{command.verb.value}` needs {least.name.lower()} permission here.")
    if snapshot.change.state is not ChangeState.OPEN and command.verb not in AFTER_THE_MERGE:
        state = snapshot.change.state.value
        return refuse(snapshot, request, f"This is {state}, so there is nothing to {command.verb.value} any more.")
    if snapshot.rules.mode is not Mode.ENFORCE and command.verb in (Verb.MERGE, Verb.DEPLOY):
        mode = snapshot.rules.mode.value
        return refuse(
            snapshot, request, f"Headgate only {mode}s here (`mode: {mode}`); it neither merges nor deploys."
        )
    return RULES[command.verb](snapshot, verdict, request, command)


LEAST: Final[Mapping[Verb, Permission]] = {
    Verb.HELP: Permission.NONE,
    Verb.EXPLAIN: Permission.READ,
    Verb.PLAN: Permission.WRITE,
    Verb.HOLD: Permission.WRITE,
    Verb.UNHOLD: Permission.WRITE,
    Verb.MERGE: Permission.WRITE,
    Verb.DEPLOY: Permission.WRITE,
    Verb.UNLOCK: Permission.MAINTAIN,
    Verb.OK_TO_PLAN: Permission.WRITE,
}


def grant(snapshot: Snapshot, request: Request, answer: str = "") -> Judge:
    """Judged, granted; on the permission the author has now."""
    return Judge(request.id, Judgement.DONE, snapshot.permission_of(request.author), answer)


def refuse(snapshot: Snapshot, request: Request, answer: str) -> Judge:
    """Judged, refused, with a sentence saying why and what would help."""
    return Judge(request.id, Judgement.REFUSED, snapshot.permission_of(request.author), answer)


def _help(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge:
    del verdict, command
    return grant(snapshot, request, help_text(snapshot.bot, slash_commands=snapshot.slash_commands))


def _explain(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge:
    del command
    return grant(snapshot, request, explain(verdict))


def _plan(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge | None:
    del verdict
    if not snapshot.fresh:
        return None
    names = [each.project.name for each in snapshot.selection.affected]
    unknown = [word for word in command.words if word not in names]
    if unknown:
        return refuse(snapshot, request, _no_such_project(unknown[0], names, "affected by this change"))
    if stranger(snapshot) and request.author.lower() == snapshot.change.author.lower():
        return refuse(snapshot, request, "Somebody else with write permission has to say `/ok-to-plan` first.")
    return grant(snapshot, request)


def _no_such_project(word: str, names: list[str], where: str) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:20]) or "none"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"No project called `{word}` is {where}. There are: {listed}{more}."


def _hold(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge:
    del verdict, command
    return grant(snapshot, request)


def _unhold(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge:
    del verdict, command
    holds = standing_holds(snapshot.memory.requests)
    if not holds:
        return refuse(snapshot, request, "Nothing is on hold here.")
    holders = {hold.author.lower() for hold in holds}
    if holders != {request.author.lower()} and snapshot.permission_of(request.author) < Permission.MAINTAIN:
        names = ", ".join(hold.author for hold in holds)
        return refuse(snapshot, request, f"{names} holds this; only they or a maintainer can release it.")
    return grant(snapshot, request)


def _ok_to_plan(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge:
    del verdict
    head = snapshot.change.head_sha
    if request.author.lower() == snapshot.change.author.lower():
        return refuse(snapshot, request, "The author cannot vouch for their own code.")
    if not command.words or not head.startswith(command.words[0].lower()) or request.head != head:
        now = f"The newest commit is `{head[:12]}`"
        return refuse(snapshot, request, f"{now}; look at that one, then say `/ok-to-plan {head[:12]}`.")
    if any(sha != head and sha.startswith(command.words[0].lower()) for sha in _commits_seen(snapshot)):
        both = "Two commits of this change begin like that"
        return refuse(snapshot, request, f"{both}; say the whole of the one you looked at: `/ok-to-plan {head}`.")
    return grant(snapshot, request)


def _commits_seen(snapshot: Snapshot) -> set[str]:
    """Every commit that anybody can have looked at here: who makes both can make them begin alike."""
    memory, host = snapshot.memory, snapshot.host
    return {
        *(face.head for face in memory.faces),
        *(run.head for run in snapshot.runs),
        *(request.head for request in memory.requests),
        *(commit.sha for commit in host.commits),
        *memory.pushers,
        *host.pushers,
    }


def _merge(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge | None:
    """Granted only by the merge itself (see ``publishing``); here it is refused when it has become moot."""
    del verdict, command
    if request.head != snapshot.change.head_sha:
        seen, head = request.head[:7] or "no plan", snapshot.change.head_sha[:7]
        text = f"You had `{seen}` before you and the newest commit is `{head}`. Look again, then say `/merge`."
        return refuse(snapshot, request, text)
    refusal = snapshot.memory.refusals.get(f"merge:{snapshot.change.head_sha}")
    if refusal is not None and gate_open(snapshot) and refusal.attempts >= 5:
        return refuse(snapshot, request, f"The host will not merge it: {plain(refusal.reason)}")
    return None


def _deploy(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> Judge | None:
    if snapshot.change.state is not ChangeState.MERGED:
        blockers = verdict.blockers()
        waits = f" The gate waits: {plain_keeping_code(blockers[0].text)}." if blockers else ""
        return refuse(snapshot, request, f"What is merged is deployed; this is not merged yet.{waits}")
    if snapshot.memory.merge is None:
        return None
    standing = {position.project.name: position for position in positions(snapshot)}
    words = command.words or tuple(standing)
    unknown = [word for word in words if word not in standing]
    if unknown:
        return refuse(snapshot, request, _no_such_project(unknown[0], list(standing), "deployed by this change"))
    if command.accept:
        return _accept(snapshot, request, command, [standing[word] for word in words])
    why = [text for word in words if (text := _why_not_plainly(snapshot, standing[word]))]
    return refuse(snapshot, request, " ".join(why)) if why else grant(snapshot, request)


def _why_not_plainly(snapshot: Snapshot, position: Position) -> str:
    """Why a plain ``/deploy`` is not enough for this project; empty when it is."""
    name = position.project.name
    match position.stage:
        case Stage.DONE:
            return f"{name} is deployed already."
        case Stage.SUPERSEDED:
            return f"A newer commit is deployed where {name} writes; an older one is never applied over it."
        case Stage.ACTIVE:
            return f"{name} is being deployed right now."
        case Stage.SUSPECT:
            return f"Nobody knows whether the last deploy of {name} still runs; a maintainer can say `/unlock`."
        case Stage.DIFFERS | Stage.BYPASSED:
            offered = offered_fingerprint(snapshot, name, position.run)
            if not offered:
                return f"{name} is still being planned; the comment will show what it would do."
            accept = f"`/deploy {name} --accept {offered[:8]}`"
            return f"Nobody reviewed what {name} would do now. To accept exactly that: {accept}."
        case _:
            return ""


def _accept(snapshot: Snapshot, request: Request, command: Command, wanted: list[Position]) -> Judge:
    why = may_accept(snapshot, request.author)
    if why:
        return refuse(snapshot, request, f"Not accepted: {why}.")
    if len(command.accept) < 4:
        return refuse(snapshot, request, "Give at least four characters of the plan's identifier.")
    for position in wanted:
        offered = offered_fingerprint(snapshot, position.project.name, position.run)
        if offered and offered.startswith(command.accept):
            return grant(snapshot, request)
    return refuse(snapshot, request, f"Nothing here waits to be accepted as `{command.accept}`; it may have changed.")


def _unlock(snapshot: Snapshot, verdict: Reason, request: Request, command: Command) -> tuple[StateEffect, ...]:
    del verdict
    suspects = [run for run in snapshot.runs if run.state is RunState.SUSPECT]
    targets = [run.project.target for run in suspects]
    branch = snapshot.change.base_ref
    thawed = (ThawBranch(branch, request.author),) if snapshot.frozen else ()
    next_time = _state_locks(snapshot) if command.state else []
    if not targets and not thawed and not next_time:
        holder = _who_locks(snapshot)
        return (refuse(snapshot, request, holder or "Nothing of this change is locked."),)
    released = tuple(ReleaseTarget(target, request.author) for target in targets)
    names = [f"`{target}`" for target in targets] + ([f"deploys from `{branch}`"] if thawed else [])
    said = [f"Released: {', '.join(names)}."] if names else []
    if next_time:
        said.append(f"The next deploy of {', '.join(next_time)} first releases the lock on its state: say `/deploy`.")
    return (*released, *thawed, grant(snapshot, request, " ".join(said)))


def _state_locks(snapshot: Snapshot) -> list[str]:
    """Projects whose deploy did not succeed: only those can have left a lock of the tool's own, or have met one."""
    unclear = (Stage.FAILED, Stage.SUSPECT)
    return [position.project.name for position in positions(snapshot) if position.stage in unclear]


def _who_locks(snapshot: Snapshot) -> str:
    active = [run.project.name for run in snapshot.runs if run.state is RunState.RUNNING]
    return f"{', '.join(active)} is running and will release its lock by itself." if active else ""


RULES: Final[Mapping[Verb, Rule]] = {
    Verb.HELP: _help,
    Verb.EXPLAIN: _explain,
    Verb.PLAN: _plan,
    Verb.HOLD: _hold,
    Verb.UNHOLD: _unhold,
    Verb.OK_TO_PLAN: _ok_to_plan,
    Verb.MERGE: _merge,
    Verb.DEPLOY: _deploy,
    Verb.UNLOCK: _unlock,
}
