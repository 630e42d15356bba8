"""What a merged change's claims wait for: their turn, or a person. Later merges wait for the one and not the other.

A claim that nothing but a person's word will move is parked: whoever comes later inherits it, is shown it, and may
deploy over it. So a fix for a failed deploy, or a revert of it, never waits for what it mends.
"""

from __future__ import annotations

from bot.core.decide.deploying import Position, Stage, goes_before, positions
from bot.core.effects import MoveIntent, StateEffect
from bot.core.record import IntentState
from bot.core.snapshot import Snapshot

_NEEDS_A_PERSON = (Stage.COMMAND, Stage.DIFFERS, Stage.FAILED, Stage.BYPASSED, Stage.SUPERSEDED)
"""What waits for one of these goes on only when somebody has looked."""


def claim_effects(snapshot: Snapshot) -> tuple[StateEffect, ...]:
    """Keep each claim's state true to where its deploy stands."""
    if snapshot.memory.merge is None:
        return ()
    found = positions(snapshot)
    stuck = _stuck(snapshot, found)
    wanted = ((position, _state(position, stuck)) for position in found)
    return tuple(
        MoveIntent(position.intent, state, _why(position, state))
        for position, state in wanted
        if state is not position.intent.state
    )


def _stuck(snapshot: Snapshot, found: tuple[Position, ...]) -> frozenset[str]:
    """Projects that nothing moves by itself: they need a person, or go after one that does."""
    stuck = {position.project.name for position in found if position.stage in _NEEDS_A_PERSON}
    waiting = [position for position in found if position.stage is Stage.WAITING and position.waits_for != "its turn"]
    for _ in waiting:
        stuck |= {each.project.name for each in waiting if stuck & goes_before(snapshot, each.project).keys()}
    return frozenset(stuck)


def _state(position: Position, stuck: frozenset[str]) -> IntentState:
    match position.stage:
        case Stage.DONE | Stage.SUPERSEDED:
            return position.intent.state
        case Stage.FAILED | Stage.DIFFERS | Stage.BYPASSED:
            return IntentState.STOPPED
        case _:
            return IntentState.PARKED if position.project.name in stuck else IntentState.WAITING


def _why(position: Position, state: IntentState) -> str:
    match state:
        case IntentState.PARKED:
            return f"it waits for {position.waits_for or '`/deploy`'}"
        case IntentState.STOPPED:
            return "its deploy never came to an end"
        case _:
            return ""
