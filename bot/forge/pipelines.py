"""Statuses that are judged together as a pipeline: which one a report joins, how it moves, what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Pull, Refusal, Refused, Repo, Role
from bot.forge.report_model import Pipeline, Status
from bot.forge.state import State

WORDS = ("pending", "running", "success", "failed", "canceled", "skipped")
_NEUTRAL = {"failed": "failure", "running": "pending", "canceled": "error", "skipped": "success"}
_UNFINISHED = ("created", "pending", "running")
# How the finer words move; the last part is the name of the step in GitLab's own refusal.
_STEPS = {
    "pending": (("created", "skipped"), "enqueue"),
    "running": (("created", "pending"), "run"),
    "success": (("created", "pending", "running"), "success"),
    "failed": (("created", "pending", "running"), "drop"),
    "canceled": (("created", "pending", "running"), "cancel"),
    "skipped": (("created", "pending"), "skip"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody says of a commit in the finer words."""

    word: str
    name: str
    ref: str | None = None
    pipeline_id: int | None = None
    description: str | None = None
    url: str | None = None
    coverage: float | None = None


def fine_word(status: Status) -> str:
    """The state of a status in the finer words, also when it was reported in the plain ones."""
    plain = {"error": "failed", "failure": "failed"}
    return status.fine or plain.get(status.state, status.state)


def branch_of(state: State, repo: Repo, sha: str) -> str | None:
    """The branch a report without a ref is about: the default branch if it has the commit, else the first one."""
    git = state.git(repo)
    heads = git.refs("refs/heads")
    names = sorted(heads, key=lambda ref: (ref != f"refs/heads/{repo.default_branch}", ref))
    exact = [ref for ref in names if heads[ref] == sha]
    holding = exact or [ref for ref in names if git.is_ancestor(sha, heads[ref])]
    return holding[0].removeprefix("refs/heads/") if holding else None


def statuses_of(repo: Repo, pipeline: Pipeline) -> list[Status]:
    """The standing statuses of a pipeline, oldest first; retried ones are left out."""
    return [status for status in repo.statuses if status.pipeline_id == pipeline.id and not status.retried]


def word_of(statuses: Iterable[Status]) -> str:
    """What the statuses of a pipeline come to."""
    words = [
        "success" if status.allow_failure and fine_word(status) in ("failed", "canceled") else fine_word(status)
        for status in statuses
    ]
    seen = set(words)
    if not seen:
        return "created"
    if seen <= {"skipped"}:
        return "skipped"
    if "running" in seen or (seen & {"pending", "created"} and seen - {"pending", "created"}):
        return "running"
    for word in ("pending", "failed", "canceled"):
        if word in seen:
            return word
    return "success"


def train_ref(number: int) -> str:
    """Where the commit stands that a merge train would land for a change."""
    return f"refs/merge-requests/{number}/train"


def pipelines_of(repo: Repo, sha: str, refs: Sequence[str] = ()) -> list[Pipeline]:
    """The pipelines of a commit, on one of the refs when any are named, newest first."""
    found = [p for p in repo.pipelines.values() if p.sha == sha and (not refs or p.ref in refs)]
    return sorted(found, key=lambda pipeline: -pipeline.id)


def head_pipeline(state: State, repo: Repo, pull: Pull) -> Pipeline | None:
    """The pipeline that speaks for the head of a change: the newest one of its commit on one of its refs."""
    refs = (f"refs/merge-requests/{pull.number}/head", f"refs/merge-requests/{pull.number}/merge", pull.head_ref)
    here = pipelines_of(repo, pull.head_sha, refs)
    if not here and pull.head_repo != repo.full_name and pull.head_repo in state.repos:
        here = pipelines_of(state.repo(pull.head_repo), pull.head_sha, refs)
    return here[0] if here else None


def create_pipeline(state: State, repo: Repo, actor: Actor, sha: str, ref: str, source: str) -> Pipeline:
    """Start a pipeline."""
    now = state.now()
    made = Pipeline(
        state.new_id(), len(repo.pipelines) + 1, sha, ref, source, actor.login, created_at=now, updated_at=now
    )
    repo.pipelines[made.id] = made
    return made


def report(state: State, repo: Repo, actor: Actor, sha: str, said: Report) -> Status:
    """Report on a commit; joins its newest pipeline on the ref, or makes an external one.

    Raises Refused for unknown commits, refs and pipelines, and for a step that the standing status cannot take: what
    runs cannot be run again. A report by somebody else under the same name stands in for the older one.
    """
    state.require(repo, actor, Role.WRITE)
    full = state.git(repo).resolve(sha) if len(sha) >= 7 else None
    if full is None:
        raise Refused("Commit", Refusal.NOT_FOUND)
    ref = (said.ref or branch_of(state, repo, full) or "").removeprefix("refs/heads/")
    if not ref:
        raise Refused("References for commit", Refusal.NOT_FOUND)
    pipeline = _pipeline_for(state, repo, actor, full, ref, said.pipeline_id)
    standing = next(
        (
            status
            for status in reversed(statuses_of(repo, pipeline))
            if (status.context, status.creator) == (said.name, actor.login) and fine_word(status) in _UNFINISHED
        ),
        None,
    )
    was = fine_word(standing) if standing is not None else "created"
    allowed, step = _STEPS[said.word]
    if was not in allowed:
        refusal = f'Reason(s): Status cannot transition via "{step}"'
        raise Refused(f"Cannot transition status via :{step} from :{was} ({refusal})")
    status = standing if standing is not None else _fresh(state, repo, actor, full, ref, pipeline, said.name)
    _apply(state, status, said)
    _after_report(state, repo, actor, pipeline, status)
    return status


def _pipeline_for(state: State, repo: Repo, actor: Actor, sha: str, ref: str, wanted: int | None) -> Pipeline:
    if wanted is not None:
        found = repo.pipelines.get(wanted)
        if found is None or found.sha != sha:
            raise Refused("Pipeline", Refusal.NOT_FOUND)
        return found
    here = pipelines_of(repo, sha, (ref,))
    return here[0] if here else create_pipeline(state, repo, actor, sha, ref, "external")


def _fresh(state: State, repo: Repo, actor: Actor, sha: str, ref: str, pipeline: Pipeline, name: str) -> Status:
    for older in statuses_of(repo, pipeline):
        older.retried = older.retried or older.context == name
    status = Status(state.new_id(), sha, name, "pending", None, None, actor.login, actor.app_id, state.now(), ref=ref)
    status.pipeline_id = pipeline.id
    repo.statuses.append(status)
    return status


def _apply(state: State, status: Status, said: Report) -> None:
    status.fine, status.state = said.word, _NEUTRAL.get(said.word, said.word)
    if said.description is not None:
        status.description = said.description
    if said.url is not None:
        status.target_url = said.url
    if said.coverage is not None:
        status.coverage = said.coverage
    if said.word == "running":
        status.started_at = state.now()
    elif said.word != "pending":
        status.finished_at = state.now()


def _after_report(state: State, repo: Repo, actor: Actor, pipeline: Pipeline, status: Status) -> None:
    state.tell(Happening(Topic.STATUS, None, repo, actor, status))
    word = word_of(statuses_of(repo, pipeline))
    if word != pipeline.last_word:
        pipeline.last_word, pipeline.updated_at = word, state.now()
        state.tell(Happening(Topic.PIPELINE, word, repo, actor, pipeline))
    state.settle_waiting()
