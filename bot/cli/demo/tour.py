"""The tour: five acts, each step told when it truly happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.cli.demo.narrator import Narrator, StepFailed
from bot.cli.demo.seed import EXCEPTION, POLICIES, RECORDS, RULES, has_terraform, settings, terraform
from bot.cli.demo.stage import Stage
from bot.forge import PullStory, Refused

GATE = "headgate/gate"
READING = timedelta(seconds=2)
"""What the quickest of reviewers needs; times of the host are whole seconds."""


def play(stage: Stage, narrator: Narrator) -> PullStory:
    """Every act; gives the change that is left open. Raises StepFailed at the first step that does not happen."""
    _reviewed_change(stage, narrator)
    narrator.space()
    _differing_deploy(stage, narrator)
    narrator.space()
    _ruled_deletion(stage, narrator)
    narrator.space()
    _bypassing_merge(stage, narrator)
    narrator.space()
    return _left_open(stage, narrator)


# ------------------------------------------------------------------------------------- what is seen


def _gate(pull: PullStory) -> str:
    check = pull.checks().get(GATE)
    return check.outcome.value if check else ""


def _comment(pull: PullStory, words: str) -> str | None:
    """A comment of Headgate's that has these words."""
    return next((each.body for each in pull.comments if words in each.body), None)


def _planned(pull: PullStory) -> bool:
    """Every plan is shown, and was for long enough to be read: an approval counts for what stood there before the
    second it was given in, and on a slow machine the comment comes before the last plan is in it."""
    read = datetime.now(UTC) - READING
    return any("Waiting for 1 approval" in each.body and each.updated_at <= read for each in pull.comments)


def _open(stage: Stage, narrator: Narrator, title: str, branch: str, edits: dict[str, str | None]) -> PullStory:
    stage.repo.commit(branch, files=edits, author="dee", message=title)
    pull = stage.repo.open_pull(title, head=branch, base="main", author="dee")
    narrator.tell(f'dee opens {stage.name_of(pull.number)} "{title}"')
    return pull


def _merge(stage: Stage, narrator: Narrator, pull: PullStory, then: str = "") -> None:
    """As people do on this host: themselves, or where only Headgate may, by asking it."""
    if stage.people_merge:
        pull.merge("dee")
        narrator.tell(f"dee merges{then}")
        return
    pull.comment("dee", "headgate merge")
    narrator.expect("Headgate merges", lambda: pull.state == "merged")
    narrator.tell(f'dee says "headgate merge" and Headgate merges{then}')


def _bypass(stage: Stage, narrator: Narrator, pull: PullStory) -> None:
    """As administrators do on this host: as a right, or by taking the branch's rule away for a moment."""
    if stage.people_merge:
        pull.merge("ann", bypass=True)
        narrator.tell("ann, an administrator, merges past the pending gate")
        return
    stage.repo.unprotect("main")
    pull.merge("ann")
    stage.protect()
    narrator.tell("ann, an administrator, lifts the branch's rule and merges past the pending gate")


# --------------------------------------------------------------------------------------------- acts


def _reviewed_change(stage: Stage, narrator: Narrator) -> None:
    edits: dict[str, str | None] = {"web/settings.yml": settings(8080, "All systems go")}
    if has_terraform():
        edits["edge/main.tf"] = terraform(stage.live, 8080)
    pull = _open(stage, narrator, "Serve the status page on port 8080", "port-8080", edits)
    tools = "web-prod (ansible), edge-prod (terraform)" if has_terraform() else "web-prod (ansible)"
    narrator.expect("Headgate sees the change", lambda: _gate(pull) == "pending")
    narrator.tell(f"Headgate saw it; planning {tools}")
    narrator.expect("the plan comment", lambda: _planned(pull))
    narrator.tell("plan comment posted", pull.url)
    narrator.tell(f"{GATE} is pending: waits for 1 approval")
    try:
        pull.merge("dee")
    except Refused as refusal:
        narrator.tell(f"dee tries to merge: refused by the host ({refusal})")
    else:
        raise StepFailed("the host merged although the gate was not open")
    pull.approve("bo")
    narrator.expect("the gate opens", lambda: _gate(pull) == "success")
    narrator.tell("bo approves; gate open, recorded")
    _merge(stage, narrator, pull, "; deploying" + (" edge-prod, then web-prod" if has_terraform() else " web-prod"))
    listener = stage.live / "web" / "listener.conf"
    narrator.expect("port 8080 in the live listener", lambda: listener.exists() and "8080" in listener.read_text())
    narrator.expect("the comment says deployed", lambda: _comment(pull, "Deployed"))
    narrator.tell("deployed and verified; the live listener has port 8080")
    narrator.expect("the chat is told", lambda: stage.chat.said("succeeded", "web-prod"))
    narrator.tell("#ops was told")


def _differing_deploy(stage: Stage, narrator: Narrator) -> None:
    edits: dict[str, str | None] = {"web/settings.yml": settings(8080, "All systems nominal")}
    pull = _open(stage, narrator, "Say it like an astronaut", "nominal", edits)
    narrator.expect("the plan comment", lambda: _planned(pull))
    narrator.tell("plan comment posted: only the page changes")
    pull.approve("bo")
    narrator.expect("the gate opens", lambda: _gate(pull) == "success")
    narrator.tell("bo approves; gate open")
    listener = stage.live / "web" / "listener.conf"
    listener.write_text(listener.read_text().replace("8080", "9999"))
    narrator.tell("meanwhile somebody edits the live listener by hand: port 9999")
    _merge(stage, narrator, pull)
    narrator.expect("the deploy stops", lambda: _comment(pull, "Not deployed"))
    if "9999" not in listener.read_text() or "nominal" in (stage.live / "web" / "index.html").read_text():
        raise StepFailed("something was deployed that nobody reviewed")
    narrator.tell("not deployed: the deploy would do something nobody reviewed; the comment shows the difference")
    narrator.expect("the chat is told", lambda: stage.chat.said("failed", "web-prod"))
    narrator.tell("#ops was told")


def _ruled_deletion(stage: Stage, narrator: Narrator) -> None:
    zone = stage.live / "dns" / "zone.txt"
    edits: dict[str, str | None] = {"dns/records.txt": RECORDS.replace("www 192.0.2.11\n", "")}
    pull = _open(stage, narrator, "Retire the old www record", "retire-www", edits)
    narrator.expect("a rule denies the plan", lambda: _gate(pull) == "failure")
    narrator.expect("the comment names the rule", lambda: _comment(pull, "records stay"))
    narrator.tell('denied by the plan rule "records stay": record.www would be deleted')
    excepted = _open(stage, narrator, "Let www go: the site moved", "let-www-go", {POLICIES: RULES + EXCEPTION})
    narrator.expect("the DNS team is waited for", lambda: _gate(excepted) == "pending")
    excepted.approve("bo")
    narrator.tell("bo approves the exception, which does not count: he is not of the DNS team")
    excepted.approve("cy")
    narrator.expect("the gate opens for cy", lambda: _gate(excepted) == "success")
    narrator.tell("cy, of the DNS team, approves; gate open")
    _merge(stage, narrator, excepted)
    narrator.expect("the exception counts", lambda: _gate(pull) == "success")
    narrator.tell(f"the exception is in force: the gate of {stage.name_of(pull.number)} is open")
    _merge(stage, narrator, pull)
    narrator.expect("the record is gone", lambda: "www" not in zone.read_text())
    narrator.tell("deployed: record.www is gone")


def _bypassing_merge(stage: Stage, narrator: Narrator) -> None:
    edits: dict[str, str | None] = {"dns/records.txt": "status 192.0.2.10\nwww 192.0.2.99\n"}
    edits["web/settings.yml"] = settings(8080, "Trust me")
    pull = _open(stage, narrator, "Quick fix, no time for review", "quick-fix", edits)
    narrator.expect("Headgate sees it", lambda: _gate(pull) == "pending")
    _bypass(stage, narrator, pull)
    narrator.expect("Headgate names the bypass", lambda: _comment(pull, "--accept"))
    if (
        "192.0.2.99" in (stage.live / "dns" / "zone.txt").read_text()
        or "Trust" in (stage.live / "web" / "index.html").read_text()
    ):
        raise StepFailed("a bypassing merge was deployed")
    narrator.tell("nothing is deployed; the comment names who may accept it, and how to revert")
    narrator.expect("the chat is told", lambda: stage.chat.said("stray", "although"))
    narrator.tell("#ops was told")


def _left_open(stage: Stage, narrator: Narrator) -> PullStory:
    edits: dict[str, str | None] = {"web/settings.yml": settings(8081, "All systems go, again")}
    pull = _open(stage, narrator, "Move the status page to port 8081", "port-8081", edits)
    narrator.expect("the plan comment", lambda: _planned(pull))
    narrator.tell("plan comment posted", pull.url)
    pull.approve("bo")
    narrator.expect("the gate opens", lambda: _gate(pull) == "success")
    narrator.tell("bo approves; gate open")
    _push(stage, narrator, pull, settings(8081, "All systems go, again") + "# asked for by the status team\n")
    narrator.expect("the approval still counts", lambda: _gate(pull) == "success")
    narrator.tell("dee pushes a comment in a file: the effects are the same, so the approval still counts")
    _push(stage, narrator, pull, settings(8081, "All systems go, at last"))
    narrator.expect(
        "the approval is dropped", lambda: _gate(pull) == "pending" and _comment(pull, "no longer counts")
    )
    narrator.tell("dee pushes other words for the page: the approval no longer counts, and bo is asked again")
    return pull


def _push(stage: Stage, narrator: Narrator, pull: PullStory, text: str) -> None:
    """Another commit, and Headgate has judged it."""
    head = stage.repo.commit(pull.head_ref, files={"web/settings.yml": text}, author="dee", message="More")
    narrator.expect("Headgate sees the push", lambda: pull.head_sha == head and _gate(pull) != "")
