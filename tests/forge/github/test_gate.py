"""The API's manners: who is let in, what costs what, pages and tags, and moods on request."""

from __future__ import annotations

import time
from typing import Any

_PULL = "/repos/acme/infra/pulls/1"


def _pull(world: Any) -> Any:
    world.repo.commit("port", {"x": "1"}, "dee")
    return world.repo.open_pull("T", "port", "dee")


def test_no_token_and_a_wrong_token_are_refused(judged: Any) -> None:
    answer = judged.call(None, "GET", "/user")
    assert (answer.status_code, answer.json()["message"]) == (401, "Requires authentication")
    judged.tokens["nobody"] = "forge_wrong"
    assert judged.call("nobody", "GET", "/user").json()["message"] == "Bad credentials"


def test_what_one_may_not_read_does_not_exist(judged: Any) -> None:
    assert judged.call("cy", "GET", "/repos/acme/infra").status_code == 404
    assert judged.call("eve", "GET", "/repos/acme/infra/hooks").status_code == 403


def test_errors_are_json_also_where_nothing_is(world: Any) -> None:
    answer = world.call("dee", "GET", "/no/such/thing")
    assert (answer.status_code, "message" in answer.json()) == (404, True)


def test_invalid_requests_say_what_is_wrong(judged: Any) -> None:
    path = f"/repos/acme/infra/statuses/{judged.repo.sha('main')}"
    for body, words in (
        ({"context": "x"}, "state"),
        ({"state": "green"}, "not included"),
        ({"state": "success", "description": "x" * 141}, "too long"),
    ):
        answer = judged.call("dee", "POST", path, json=body)
        assert answer.status_code == 422
        assert words in answer.json()["message"]
    _pull(judged)
    long = judged.call("dee", "POST", "/repos/acme/infra/issues/1/comments", json={"body": "x" * 65_537})
    assert long.status_code == 422


def test_an_unchanged_answer_is_304_and_costs_nothing(judged: Any) -> None:
    _pull(judged)
    first = judged.call("dee", "GET", _PULL)
    again = judged.call("dee", "GET", _PULL, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Used"] == first.headers["X-RateLimit-Used"] == "1"
    judged.repo.pull(1).label("bo", "x")
    fresh = judged.call("dee", "GET", _PULL, headers={"If-None-Match": first.headers["ETag"]})
    assert fresh.status_code == 200


def test_a_spent_limit_refuses_with_the_time_it_starts_anew(judged: Any) -> None:
    judged.forge.trouble.rate_limit = 2
    codes = [judged.call("dee", "GET", "/user").status_code for _ in range(3)]
    assert codes == [200, 200, 403]
    last = judged.call("dee", "GET", "/user")
    assert last.headers["X-RateLimit-Remaining"] == "0"
    assert int(last.headers["X-RateLimit-Reset"]) > time.time()
    assert judged.call("bo", "GET", "/user").status_code == 200


def test_lists_come_in_pages_that_name_the_next(judged: Any) -> None:
    pull = _pull(judged)
    for number in range(5):
        pull.comment("bo", str(number))
    path = "/repos/acme/infra/issues/1/comments"
    answer = judged.call("dee", "GET", path, params={"per_page": 2})
    seen = [c["body"] for c in answer.json()]
    assert 'rel="last"' in answer.headers["Link"]
    while "next" in answer.links:
        url = answer.links["next"]["url"].removeprefix(judged.forge.api_url)
        answer = judged.call("dee", "GET", url)
        seen += [c["body"] for c in answer.json()]
    assert seen == ["0", "1", "2", "3", "4"]


def test_the_host_can_be_made_to_fail_and_recovers(world: Any) -> None:
    world.forge.trouble.fail_next(2, status=503, path_contains="/pulls")
    _pull(world)
    codes = [world.call("dee", "GET", path).status_code for path in ("/user", _PULL, _PULL, _PULL)]
    assert codes == [200, 503, 503, 200]


def test_secondary_limits_say_when_to_come_back(world: Any) -> None:
    world.forge.trouble.limit_next(status=429, retry_after_s=7)
    answer = world.call("dee", "GET", "/user")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert "secondary rate limit" in answer.json()["message"]


def test_a_lost_answer_leaves_the_deed_done(world: Any) -> None:
    pull = _pull(world)
    world.forge.trouble.lose_answers = 1
    path = "/repos/acme/infra/issues/1/comments"
    assert world.call("dee", "POST", path, json={"body": "said"}).status_code == 502
    assert [c.body for c in pull.comments] == ["said"]


def test_mergeability_may_be_unknown_at_first(world: Any) -> None:
    world.forge.trouble.null_mergeable_reads = 2
    _pull(world)
    seen = [world.call("dee", "GET", _PULL).json()["mergeable"] for _ in range(3)]
    assert seen == [None, None, True]


def test_every_request_is_on_record(world: Any) -> None:
    world.call("dee", "POST", "/repos/acme/infra/issues", json={"title": "x"})
    world.call(None, "GET", "/user")
    log = world.forge.trouble.requests()
    assert [(r.method, r.path, r.status, r.login) for r in log] == [
        ("POST", "/api/v3/repos/acme/infra/issues", 201, "dee"),
        ("GET", "/api/v3/user", 401, None),
    ]
    assert log[0].body == '{"title": "x"}'


def test_an_overlong_or_broken_body_is_no_crash(world: Any) -> None:
    for data in (b"{", b"[1]", b'"x"', b"\xff"):
        assert world.call("dee", "POST", "/repos/acme/infra/issues", data=data).status_code == 422
