"""Quick actions: GitLab takes lines that begin with its own orders out of a note and carries them out."""

from __future__ import annotations

from typing import Any

import pytest

from bot.forge.gitlab.quick_actions import split


@pytest.mark.parametrize(
    ("text", "kept", "orders"),
    [
        ("/approve", "", ["approve"]),
        ("  hello\n/merge\nthere", "  hello\nthere".strip(), ["merge"]),
        ("@bot merge", "@bot merge", []),
        ("headgate merge", "headgate merge", []),
        ("/deploy prod", "/deploy prod", []),
        ("/plan", "/plan", []),
        ("```\n/merge\n```", "```\n/merge\n```", []),
        ("> /merge", "> /merge", []),
        ("please /merge", "please /merge", []),
        ("/label ~risky ~db", "", ["label"]),
        ("/shrug well", "well ¯\\\\＿(ツ)＿/¯", []),
    ],
)
def test_orders_are_whole_lines_outside_of_code_and_quotes(text: str, kept: str, orders: list[str]) -> None:
    left, found = split(text)
    assert (left, [order.name for order in found]) == (kept, orders)


def test_a_note_of_orders_alone_is_obeyed_and_not_kept(lab: Any) -> None:
    lab.change()
    answer = lab.call("bo", "POST", "/:p/merge_requests/1/notes", json={"body": "/approve"})
    assert (answer.status_code, answer.json()["summary"]) == (202, ["Approved this merge request."])
    assert lab.repo.pull(1).comments == []
    assert [review.author for review in lab.repo.pull(1).reviews] == ["bo"]


def test_the_rest_of_a_note_is_kept(lab: Any) -> None:
    lab.change()
    answer = lab.call("bo", "POST", "/:p/merge_requests/1/notes", json={"body": "fine\n/draft\n"})
    assert (answer.status_code, answer.json()["body"]) == (201, "fine")
    assert lab.repo.pull(1).draft


def test_orders_change_what_they_name(lab: Any) -> None:
    pull = lab.change()
    lab.repo.push("release", lab.repo.sha("main"), "dee")
    lab.project("dee").labels.create({"name": "risky", "color": "#ff0000"})
    said = pull.comment("dee", "/label ~risky\n/title Other\n/target_branch release\n/close")
    assert said.id not in [comment.id for comment in pull.comments]
    assert (pull.labels, pull.base_ref, pull.state) == (["risky"], "release", "closed")
    pull.comment("dee", "/reopen\n/unlabel ~risky\n/ready\n/unapprove\n/lock\n/unlock\n/done")
    assert (pull.labels, pull.state) == ([], "open")


def test_an_order_that_may_not_be_given_does_nothing(lab: Any) -> None:
    lab.repo.protect("main", merge_by=("hg-bot",))
    lab.change()
    answer = lab.call("bo", "POST", "/:p/merge_requests/1/notes", json={"body": "/merge"})
    assert (answer.status_code, lab.repo.pull(1).state) == (202, "open")
    assert answer.json()["summary"][0].startswith("Could not apply merge command.")
    lab.repo.pull(1).comment("hg-bot", "/merge")
    assert lab.repo.pull(1).state == "merged"
