"""The pages show what the API would say, act only for who signed in, and let no hostile text through."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.forge import SampleChange
from bot.forge.pages.markdown import render


class Viewer:
    """A person with a browser: keeps cookies and sends forms with their token."""

    def __init__(self, world: Any, login: str | None = None) -> None:
        self.web = requests.Session()
        self.root = world.forge.url
        self.page = self.get("/")
        if login is not None:
            self.post("/-/sign-in", login=login, next="/")

    def get(self, path: str) -> str:
        self.answer = self.web.get(self.root + path, timeout=20)
        self.page = self.answer.text
        return self.page

    def post(self, path: str, **fields: str) -> str:
        token = re.search(r'name="csrf" value="([^"]+)"', self.page)
        assert token is not None
        self.answer = self.web.post(self.root + path, data={"csrf": token[1], **fields}, timeout=20)
        self.page = self.answer.text
        return self.page


@pytest.fixture
def pull(world: Any) -> Any:
    """An open pull request whose gate is missing."""
    world.repo.protect(checks=("headgate/gate",))
    world.repo.commit("port", {"web/site.yaml": "port: 8080\n"}, "dee")
    return world.repo.open_pull("Serve on <8080>", "port", "dee", body="why **so**")


_PATH = "/acme/infra/pull/1"


def test_a_blocked_merge_says_why_and_an_open_one_merges(world: Any, pull: Any) -> None:
    dee = Viewer(world, "dee")
    page = dee.get(_PATH)
    assert "Merging is blocked" in page
    assert "Required status check &#34;headgate/gate&#34; is expected." in page
    assert "disabled" in page
    assert "is expected" in dee.post(f"{_PATH}/merge", method="merge")
    world.repo.set_status(pull.head_sha, "headgate/gate", "success", "hg-bot")
    dee.post(f"{_PATH}/merge", method="squash")
    assert pull.state == "merged"


def test_people_approve_comment_close_and_reopen_by_clicking(world: Any, pull: Any) -> None:
    bo = Viewer(world, "bo")
    bo.get(_PATH)
    bo.post(f"{_PATH}/approve", body="")
    bo.post(f"{_PATH}/comment", body="/plan")
    assert [(r.author, r.state.value) for r in pull.reviews] == [("bo", "APPROVED")]
    assert [c.body for c in pull.comments] == ["/plan"]
    bo.post(f"{_PATH}/close", body="")
    assert pull.state == "closed"
    bo.post(f"{_PATH}/reopen", body="")
    assert pull.state == "open"


def test_nobody_acts_without_signing_in_or_without_the_forms_token(world: Any, pull: Any) -> None:
    nobody = Viewer(world)
    nobody.get(_PATH)
    assert "Sign in first" in nobody.post(f"{_PATH}/comment", body="hi")
    bo = Viewer(world, "bo")
    assert bo.web.post(f"{world.forge.url}{_PATH}/comment", data={"body": "hi"}, timeout=20).status_code == 403
    assert pull.comments == []


def test_an_administrator_bypasses_only_when_they_say_so(world: Any, pull: Any) -> None:
    ann = Viewer(world, "ann")
    ann.get(_PATH)
    ann.post(f"{_PATH}/merge", method="merge")
    assert pull.state == "open"
    ann.post(f"{_PATH}/merge", method="merge", bypass="yes")
    assert pull.state == "merged"


def test_a_sample_change_is_opened_and_pushed_with_one_click(world: Any) -> None:
    def more(texts: dict[str, str]) -> dict[str, str | None]:
        return {"web/site.yaml": texts["web/site.yaml"] + "more: 1\n"}

    world.forge.samples.append(SampleChange("Add more", "more", more))
    dee = Viewer(world, "dee")
    dee.get("/acme/infra")
    dee.post("/acme/infra/-/sample", sample="0")
    opened = world.repo.pull(1)
    first = opened.head_sha
    dee.post(f"{_PATH}/sample", sample="0")
    assert opened.head_sha != first
    assert world.repo.read("web/site.yaml", "more-1") == "port: 80\nmore: 1\nmore: 1\n"


def test_every_page_has_a_strict_policy_and_escapes_titles(world: Any, pull: Any) -> None:
    viewer = Viewer(world)
    for path in ("/", "/acme/infra", _PATH, f"{_PATH}?tab=files", f"/acme/infra/commit/{pull.head_sha}"):
        page = viewer.get(path)
        assert viewer.answer.status_code == 200
        assert "script-src 'self'" in viewer.answer.headers["Content-Security-Policy"]
        assert "<8080>" not in page
    assert "Serve on &lt;8080&gt;" in viewer.get(_PATH)
    assert 'class="d-add">+port: 8080' in viewer.get(f"{_PATH}?tab=files")


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[x](javascript:alert(1))",
        '<a href="data:text/html,x">x</a>',
        "<style>body{display:none}</style>",
        '<form action="/"><input></form>',
        '<div style="position:fixed" class="card" id="main">x</div>',
        "<!-- hidden -->",
        "<svg onload=alert(1)>",
        "```diff\n+</code><script>alert(1)</script>\n```",
    ],
)
def test_hostile_text_becomes_harmless(hostile: str) -> None:
    html = str(render(hostile)).lower()
    for word in (
        "<script",
        " onerror",
        " onload=",
        'href="javascript',
        'href="data',
        "<style",
        "<form",
        "<svg",
        "hidden",
        " style=",
        ' id="',
        'class="card"',
    ):
        assert word not in html


def test_plans_are_shown_with_tables_folds_and_colours() -> None:
    html = str(
        render(
            "a\nb\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n<details><summary><b>s</b></summary>\n\n"
            "```diff\n- gone\n+ new\n! look\nsame\n```\n</details>\n<sub>small</sub>"
        )
    )
    for piece in (
        "<table>",
        "<details>",
        "<summary><b>s</b></summary>",
        '<span class="d-del">- gone</span>',
        '<span class="d-add">+ new</span>',
        '<span class="d-warn">! look</span>',
        "<sub>small</sub>",
        "a<br>",
    ):
        assert piece in html


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on PATH")
    return found


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_the_screen_and_stay_fresh_without_a_reload(
    world: Any, pull: Any, width: int, tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    pull.comment("hg-bot", "| a | b |\n|---|---|\n| " + "wide " * 60 + " | 2 |\n\n```diff\n+ " + "x" * 400 + "\n```")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for path in ("/", "/acme/infra", f"{_PATH}?tab=files", _PATH):
            page.goto(world.forge.url + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        pull.comment("bo", "fresh words")
        page.get_by_text("fresh words").wait_for(timeout=10_000)
        assert said == []
        browser.close()


def test_a_pull_request_that_is_not_there_is_a_page_with_a_way_on(world: Any) -> None:
    viewer = Viewer(world)
    page = viewer.get("/acme/infra/pull/99")

    assert viewer.answer.status_code == 404
    assert "Not found" in page and 'href="/"' in page
