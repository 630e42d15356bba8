"""What services outside say of a change, and that silence counts against it after a while."""

from __future__ import annotations

from datetime import timedelta

from bot.forge.model import Pull, Repo
from bot.forge.report_model import ExternalCheck
from bot.forge.state import State

PENDING_UNTIL = timedelta(minutes=2)


def word_for(state: State, pull: Pull, check: ExternalCheck) -> str:
    """``passed``, ``failed`` or ``pending``, which turns into failed after two minutes."""
    sha, word, at = check.answers.get(pull.number, ("", "", pull.updated_at))
    if sha == pull.head_sha and word != "pending":
        return word
    asked = at if sha == pull.head_sha else pull.updated_at
    return "failed" if state.now() - asked > PENDING_UNTIL else "pending"


def applying(repo: Repo, base_ref: str) -> list[ExternalCheck]:
    """The services that are asked about changes for a branch."""
    return [check for check in repo.external_checks.values() if not check.branches or base_ref in check.branches]


def all_passed(state: State, repo: Repo, pull: Pull) -> bool:
    """Whether every service has said yes to the head."""
    return all(word_for(state, pull, check) == "passed" for check in applying(repo, pull.base_ref))
