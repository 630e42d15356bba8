"""Policies the wrong way round: each predicate's answer and each option inverted, alone, must fail a case.

Wanted: at least 90 % are caught. Cases are collected once; each inversion runs them in a forked child of its own,
until the first that fails. The laws are left out: cases that somebody wrote down must catch each by themselves.

``python bench/mutations.py [WORDS…]`` tries those alone that have such words in their names.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine
import pytest
from _pytest.runner import runtestprotocol

from bot.core.policy import read
from bot.core.policy.model import Actors, Methods
from bot.core.policy.plan_rules import Level
from bot.core.policy.predicates import PREDICATES

ROOT = Path(__file__).resolve().parent.parent
WANTED = 0.90
LONGEST = 60
"""Seconds for the cases on one inversion; one that never ends is caught, too."""

Change = Callable[[Any], Any]


def inverted(name: str) -> Callable[[], None]:
    """The predicate holds where it does not, and the other way round."""

    def install() -> None:
        predicate = PREDICATES[name]
        honest = predicate.read

        def read_inverted(raw: Any, refuse: Any) -> Any:
            test = honest(raw, refuse)

            def ask(scope: Any) -> Any:
                outcome = test(scope)
                return outcome if outcome.holds is None else replace(outcome, holds=not outcome.holds)

            return ask

        object.__setattr__(predicate, "read", read_inverted)

    return install


def otherwise(name: str, field: str, value: Any) -> Callable[[], None]:
    """A field of the predicate itself has another value."""
    return lambda: object.__setattr__(PREDICATES[name], field, value)


def wrapped(method: str, change: Change) -> Callable[[], None]:
    """What the reader makes of a part of a file is changed before anybody sees it."""

    def install() -> None:
        honest = getattr(read._Reader, method)
        setattr(read._Reader, method, lambda *given: change(honest(*given)))

    return install


def flipped(field: str) -> Change:
    return lambda found: replace(found, **{field: not getattr(found, field)})


def without(field: str, empty: Any) -> Change:
    return lambda found: replace(found, **{field: empty})


def of_require(change: Change) -> Change:
    return lambda rule: replace(rule, require=change(rule.require))


def of_plans(change: Change) -> Change:
    return lambda found: (tuple(change(each) for each in found[0]), found[1])


def one_more(field: str) -> Change:
    return lambda found: replace(found, **{field: getattr(found, field) + 1 if getattr(found, field) else 0})


def inversions() -> Iterator[tuple[str, Callable[[], None]]]:
    """Every one, by name."""
    for name, predicate in PREDICATES.items():
        yield f"predicate {name}", inverted(name)
        if predicate.mutable:
            yield f"predicate {name}: may not turn over", otherwise(name, "mutable", False)
        if predicate.narrows is not None:
            yield f"predicate {name}: narrows nothing", otherwise(name, "narrows", None)
    for field in ("author", "contributors", "keep_on_push", "ignore_update_merges", "ignore_edited"):
        yield f"option {field}", wrapped("_options", flipped(field))
    yield "option ignore_commits_by", wrapped("_options", without("ignored_commits_by", Actors()))
    yield "method reviews", wrapped("_methods", flipped("reviews"))
    for field in ("review_texts", "comments", "descriptions"):
        yield f"method {field}", wrapped("_methods", without(field, ()))
    for field, empty in (("count", 0), ("people", Actors()), ("distinct_teams", 0), ("conditions", ())):
        yield f"require {field}", wrapped("_rule", of_require(without(field, empty)))
    yield "require count: one more", wrapped("_rule", of_require(one_more("count")))
    yield "require distinct_teams: one more", wrapped("_rule", of_require(one_more("distinct_teams")))
    yield "require owners", wrapped("_rule", of_require(flipped("owners")))
    yield "rule if", wrapped("_rule", without("when", ()))
    yield "rule locked", wrapped("_rule", flipped("locked"))
    yield "policy otherwise", wrapped("policy", flipped("otherwise_pending"))
    yield "policy disapproval", wrapped("policy", without("disapproval", None))
    yield "policy exceptions", wrapped("policy", without("exceptions", ()))
    for field, empty in (("when", ()), ("people", Actors()), ("disapprove", Methods()), ("revoke", Methods())):
        yield f"disapproval {field}", wrapped("_disapproval", without(field, empty))
    yield "plan rule advisory", wrapped("_plans", of_plans(flipped("advisory")))
    for level in Level:
        yield f"plan rule level: always {level.value}", wrapped("_plans", of_plans(without("level", level)))
    fields = (("levels", None), ("when", ""), ("plan", ""), ("fix", ""))
    for field, nothing in (*fields, *((name, ()) for name in ("environments", "types", "actions", "addresses"))):
        yield f"plan rule {field}", wrapped("_plans", of_plans(without(field, nothing)))


class Runs:
    """In the place of pytest's loop over the cases: one child for each inversion."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.tried = 0

    def pytest_runtestloop(self, session: Any) -> bool:
        if not self.passes(session.items, lambda: None):
            raise SystemExit("the cases fail as they are")
        for name, install in inversions():
            if sys.argv[1:] and not any(words in name for words in sys.argv[1:]):
                continue
            self.tried += 1
            if self.passes(session.items, install):
                self.missed.append(name)
                print(f"missed: {name}", flush=True)
        return True

    def passes(self, items: list[Any], install: Callable[[], None]) -> bool:
        """Whether every case holds all the same."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST)
            install()
            os._exit(first_failure(items))
        return os.waitpid(child, 0)[1] == 0


def first_failure(items: list[Any]) -> int:
    for item, following in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return 1
    return 0


def main() -> int:
    """The score, and what no case catches."""
    machine.say()
    runs = Runs()
    folder = ROOT / "tests/core/policy"
    arguments = ["-q", "-s", "--timeout=0", f"--rootdir={ROOT}", f"--ignore={folder / 'test_laws.py'}", str(folder)]
    pytest.main(arguments, plugins=[runs])
    caught = runs.tried - len(runs.missed)
    print(f"caught: {caught} of {runs.tried} ({caught / max(runs.tried, 1):.0%})")
    return 0 if runs.tried and caught >= WANTED * runs.tried else 1


if __name__ == "__main__":
    raise SystemExit(main())
