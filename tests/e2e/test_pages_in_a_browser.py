"""In a real browser: nothing overflows at a desk or in a hand, nothing complains, details open, focus is seen."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from bot.core.model import ChangeRef
from bot.web.pages import create_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]


@pytest.fixture
def site(e2e: Any, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Addresses of the change's page, of its run's page and of the host's page with the rendered comment."""
    world = e2e.World(tmp_path)
    world.pull({"prod/web/wanted": f"a=2\nlong={'x' * 300}\n"}, title=f"A change with a {'very' * 40} long name")
    run = world.store.runs_of(ChangeRef(world.repo_ref, 1))[0]
    pages = make_server(
        "127.0.0.1", 0, create_app(world.services, world.wiring.log_reader(world.store)), threaded=True
    )
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    change = f"http://127.0.0.1:{pages.server_port}/changes/github/acme/infra/1"
    yield change, f"{change}/runs/{run.id}", f"{world.forge.url}/acme/infra/pull/1"
    pages.shutdown()
    pages.server_close()
    world.stop()


@pytest.fixture
def open_page() -> Iterator[Callable[[int, str], Any]]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
    with api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))

        def opened(width: int, scheme: str) -> Any:
            return browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()

        yield opened
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_overflows_or_complains(
    site: tuple[str, str, str], open_page: Callable[[int, str], Any], width: int, scheme: str
) -> None:
    page = open_page(width, scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))

    for address in (site[0].partition("/changes")[0] + "/", *site):
        assert page.goto(address).status == 200
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    assert said == []


def test_details_open_and_the_focus_is_seen(site: tuple[str, str, str], open_page: Callable[[int, str], Any]) -> None:
    page = open_page(390, "light")
    page.goto(site[0])
    summary = page.locator("details > summary").first
    before = page.evaluate("document.querySelector('details').open")
    summary.click()
    assert page.evaluate("document.querySelector('details').open") is not before

    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert page.evaluate("document.activeElement !== document.body")
    assert outline != "none"


def test_a_runs_log_appears(site: tuple[str, str, str], open_page: Callable[[int, str], Any]) -> None:
    page = open_page(1280, "light")
    page.goto(site[1])

    page.wait_for_function("document.getElementById('log').textContent.includes('plan of prod-web')", timeout=15000)
