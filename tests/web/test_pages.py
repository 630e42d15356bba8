"""Pages, API and metrics of a world in which things happened: read-only, escaped, bounded labels, own runs only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from bot.core.model import ChangeRef
from bot.core.runs import RunKind
from bot.web.metrics import METRICS, OTHERS
from bot.web.pages import create_app, to_html, to_line

CHANGE = "/changes/github/acme/infra/1"


@pytest.fixture
def client(world: Any) -> FlaskClient:
    return create_app(world.services, world.wiring.log_reader(world.store)).test_client()


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.get_data(as_text=True)


def plan_run(world: Any, number: int = 1) -> Any:
    return next(run for run in world.store.runs_of(ChangeRef(world.repo_ref, number)) if run.kind is RunKind.PLAN)


def test_the_first_page_of_an_empty_installation_says_what_to_do(client: FlaskClient) -> None:
    assert "No change has been seen yet" in text(client, "/")


def test_changes_are_listed_and_link_to_their_page(world: Any, client: FlaskClient) -> None:
    world.pull({"prod/web/wanted": "a=2\n"}, title="Wider <b>gates</b>")
    page = text(client, "/")

    assert f'href="{CHANGE}"' in page
    assert "Wider &lt;b&gt;gates&lt;/b&gt;" in page


def test_the_list_says_where_each_change_stands(world: Any, client: FlaskClient) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    assert "⏸ Waiting for 1 approval · 1 update · nothing destroyed" in client.get("/").text
    pull.approve("bo")
    world.settle()
    assert "✅ Approved by bo: ready to merge" in client.get("/").text


def test_a_line_of_hostile_words_is_text() -> None:
    assert to_line("⏸ <img src=x onerror=alert(1)> [x](https://example.com) `code`") == "⏸  x <code>code</code>"


def test_a_pause_is_shown_on_the_first_page(world: Any, client: FlaskClient) -> None:
    world.store.put_setting("paused", "audit week")

    assert "Deploys are paused: audit week" in text(client, "/")


def test_a_changes_page_shows_verdict_plan_reasons_runs_and_history(world: Any, client: FlaskClient) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"})
    waiting = text(client, CHANGE)
    assert "Waiting for 1 approval" in waiting
    assert "prod-web" in waiting and f"{CHANGE}/runs/{plan_run(world).id}" in waiting

    pull.approve("bo")
    world.settle()
    pull.merge("dee")
    world.settle()
    after = text(client, CHANGE)
    assert "Deployed by merge" in after
    assert after.count('class="state succeeded"') == 2
    assert after.index("<h2>History</h2>") < after.rindex("<time")


def test_the_pages_write_numbers_and_commands_as_people_of_the_host_do(make_world: Any) -> None:
    world = make_world(host="gitlab")
    client = create_app(world.services, world.wiring.log_reader(world.store)).test_client()
    world.pull({"prod/web/wanted": "a=2\n"})
    change = CHANGE.replace("github", "gitlab")
    run = next(each for each in world.store.runs_of(ChangeRef(world.repo_ref, 1)))
    for path in ("/", change, f"{change}/runs/{run.id}"):
        page = text(client, path)
        assert "!1" in page and "#1" not in page
    page = text(client, change)
    assert "say <code>headgate merge</code>: nobody but Headgate may merge here" in page
    assert "<code>/" not in page


def test_a_runs_page_names_its_facts_and_its_log_is_read_piece_by_piece(world: Any, client: FlaskClient) -> None:
    world.pull({"prod/web/wanted": "a=2\n"})
    run = plan_run(world)
    page = text(client, f"{CHANGE}/runs/{run.id}")
    assert "Plan of prod-web" in page and f'data-run="{run.id}"' in page

    first = client.get(f"/api/runs/{run.id}/log").get_json()
    assert first["finished"] is True and first["state"] == "succeeded"
    assert first["text"].startswith("plan of prod-web at ")
    again = client.get(f"/api/runs/{run.id}/log?after={first['last']}").get_json()
    assert (again["text"], again["last"]) == ("", first["last"])


def test_the_api_tells_of_changes_and_runs(world: Any, client: FlaskClient) -> None:
    pull = world.pull({"prod/web/wanted": "a=2\n"}, title="Two")
    [change] = client.get("/api/changes").get_json()
    assert (change["change"], change["state"], change["title"]) == ("github/acme/infra!1", "open", "Two")
    assert change["head"] == pull.head_sha

    run = client.get(f"/api/runs/{plan_run(world).id}").get_json()
    assert (run["kind"], run["project"], run["environment"], run["state"]) == (
        "plan",
        "prod-web",
        "prod",
        "succeeded",
    )
    assert run["fingerprint"] and run["failure"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/changes/github/acme/infra/99",
        "/changes/gitlab/acme/infra/1",
        "/changes/github/infra/1",
        f"{CHANGE}/runs/nosuch",
        "/api/runs/nosuch",
        "/api/runs/nosuch/log",
        "/nothing",
    ],
)
def test_what_is_not_there_is_404(world: Any, client: FlaskClient, path: str) -> None:
    world.pull({"dev/web/wanted": "a=2\n"})

    answer = client.get(path)
    assert answer.status_code == 404
    if path.startswith("/api/"):
        assert answer.is_json
    else:
        assert 'href="/"' in answer.get_data(as_text=True), "a way on"


def test_a_run_is_shown_only_under_its_own_change(world: Any, client: FlaskClient) -> None:
    world.pull({"dev/web/wanted": "a=2\n"})
    world.pull({"prod/web/wanted": "a=2\n"})
    second = plan_run(world, 2)

    assert client.get(f"{CHANGE}/runs/{second.id}").status_code == 404
    assert client.get(f"/changes/github/acme/infra/2/runs/{second.id}").status_code == 200


def test_every_metric_is_there_and_no_label_holds_a_change(world: Any, client: FlaskClient) -> None:
    world.pull({"prod/web/wanted": "a=2\n"})
    page = text(client, "/metrics")

    for name in (*METRICS, *OTHERS):
        assert f"# TYPE headgate_{name} gauge" in page
    labels = set(re.findall(r"\{(\w+)=", page))
    assert labels <= {"host", "queue"}
    assert re.search(r"^headgate_open_changes 1\.0$", page, re.MULTILINE)
    assert "acme/infra" not in page


def test_an_unabsorbed_delivery_and_a_queued_run_are_seen_in_the_metrics(world: Any, client: FlaskClient) -> None:
    world.repo.commit("topic-1", files={"prod/web/wanted": "a=2\n"}, author="dee", message="more")
    world.repo.open_pull("More", head="topic-1", author="dee")
    assert world.forge.courier.settle()
    page = text(client, "/metrics")

    [age] = re.findall(r"^headgate_oldest_unabsorbed_seconds (\S+)$", page, re.MULTILINE)
    assert float(age) > 0
    assert re.search(r'^headgate_queue_depth\{queue="[a-z:]+"\} [1-9]', page, re.MULTILINE)


def test_every_answer_forbids_what_no_page_needs(client: FlaskClient) -> None:
    for path in ("/", "/api/changes", "/metrics", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_nothing_can_be_written_through_the_pages(client: FlaskClient, method: str) -> None:
    for path in ("/", CHANGE, "/api/changes"):
        assert getattr(client, method)(path).status_code in (404, 405)


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=https://evil.example/x onerror=alert(1)>",
        "![x](https://evil.example/x)",
        "[x](javascript:alert(1))",
        '<a href="javascript:alert(1)" onclick="x()">x</a>',
        '<details ontoggle="x()" style="position:fixed"><summary>x</summary></details>',
        "<iframe src=https://evil.example></iframe>",
    ],
)
def test_hostile_markdown_becomes_nothing_that_acts(hostile: str) -> None:
    shown = str(to_html(hostile))

    assert not re.search(r"<(script|img|iframe|style)|\son\w+=|style=|href=.?javascript", shown, re.IGNORECASE)


def test_lines_of_a_comment_are_lines_on_the_page_as_they_are_on_the_host() -> None:
    assert "<br>" in to_html("> first\n> second")


def test_a_diffs_lines_are_coloured_and_nothing_else_is_let_through_for_it() -> None:
    shown = str(to_html("```diff\n- <b>old</b>\n+ new\n  same\n```\n<span class='evil added'>x</span>"))
    assert '<span class="removed">- &lt;b&gt;old&lt;/b&gt;</span>' in shown
    assert '<span class="added">+ new</span>' in shown
    assert "evil" not in shown
    assert "<span" not in str(to_html("```\n- plain\n```"))


def test_a_title_turns_nothing_around_it_on_any_page(world: Any, client: FlaskClient) -> None:
    world.pull({"prod/web/wanted": "a=2\n"}, title="\u202etitle\u2066")
    for path in ("/", CHANGE):
        assert "\\u202etitle\\u2066" in text(client, path)
        assert "\u202e" not in text(client, path)


def test_a_changes_page_shows_values_whole_that_the_comment_cuts(world: Any, client: FlaskClient) -> None:
    value = "x" * 400
    pull = world.pull({"prod/web/wanted": f"a={value}\n"})

    assert value not in world.face(pull)
    assert value in text(client, CHANGE)
