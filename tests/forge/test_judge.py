"""The judges are not blind: what GitHub would never say is found."""

from __future__ import annotations

import dataclasses
import json
from typing import Any


def test_a_missing_field_and_an_unknown_query_are_found(world: Any, rest_judge: Any) -> None:
    world.call("dee", "GET", "/repos/acme/infra", params={"shape": "round"})
    good = world.exchanges[-1]
    assert rest_judge.judge(good) == [f"{good}: query parameter shape is not described"]
    body = json.loads(good.response)
    del body["default_branch"]
    broken = dataclasses.replace(good, query=(), response=json.dumps(body).encode())
    assert "default_branch" in rest_judge.judge(broken)[0]


def test_an_operation_nobody_described_is_found(world: Any, rest_judge: Any) -> None:
    world.call("dee", "GET", "/repos/acme/infra/no-such-thing")
    assert "no such operation" in rest_judge.judge(world.exchanges[-1])[0]


def test_a_broken_payload_is_found(world: Any, mailbox: Any, webhook_judge: Any) -> None:
    world.repo.add_hook(mailbox.url, "s", ("push",))
    world.repo.commit("port", {"x": "1"}, "dee")
    assert world.forge.courier.settle()
    push = mailbox.of("push")[0]
    assert webhook_judge.judge_payload("push", push) == []
    del push["pusher"]
    assert "pusher" in webhook_judge.judge_payload("push", push)[0]
