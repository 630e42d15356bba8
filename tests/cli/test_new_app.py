"""A GitHub App by one click: what the browser is shown, what comes back, and what is kept where."""

from __future__ import annotations

import html
import json
import queue
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.cli.new_app import KEY, SECRET, NewAppWanted, register
from bot.core.errors import HeadgateError, HostGone
from bot.forge import Forge
from bot.hosts.github.manifest import convert, form_url


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    made = Forge(tmp_path / "git")
    made.start()
    made.add_user("ann")
    made.add_org("acme", owners=("ann",))
    yield made
    made.stop()


def wanted(forge: Forge, folder: Path, webhook: str = "https://hg.example/webhooks/github") -> NewAppWanted:
    return NewAppWanted("Headgate of acme", "acme", forge.api_url, webhook, folder)


class Browser:
    """Presses the button on the page, as somebody would; or does something else."""

    def __init__(self, wish: NewAppWanted) -> None:
        self.urls: queue.Queue[str] = queue.Queue()
        self.result: Any = None
        self.thread = threading.Thread(target=self._register, args=(wish,))
        self.thread.start()
        self.url = self.urls.get(timeout=10)

    def _register(self, wish: NewAppWanted) -> None:
        try:
            self.result = register(wish, self.urls.put, patience=10)
        except HeadgateError as error:
            self.result = error

    def press(self) -> requests.Response:
        page = requests.get(self.url, timeout=10).text
        action = html.unescape(re.findall(r'action="([^"]+)"', page)[0])
        manifest = html.unescape(re.findall(r'name="manifest" value="([^"]+)"', page)[0])
        return requests.post(action, data={"manifest": manifest}, timeout=10)

    def ended(self) -> Any:
        self.thread.join(20)
        return self.result


def test_one_click_registers_the_app_and_keeps_its_secrets_for_us_alone(forge: Forge, tmp_path: Path) -> None:
    browser = Browser(wanted(forge, tmp_path))
    assert "Go back to the terminal" in browser.press().text
    made = browser.ended()

    (app,) = forge.state.apps.values()
    assert (made.id, made.slug, app.owner) == (app.id, "headgate-of-acme", "acme")
    assert app.permissions["checks"] == "write" and "check_run" in app.events
    for name, start in ((KEY, "-----BEGIN RSA PRIVATE KEY"), (SECRET, made.webhook_secret)):
        kept = tmp_path / name
        assert kept.read_text().startswith(start)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert made.pem not in repr(made) and made.webhook_secret not in repr(made)


def test_an_answer_that_nobody_asked_for_is_refused(forge: Forge, tmp_path: Path) -> None:
    browser = Browser(wanted(forge, tmp_path))
    for query in ("code=stolen&state=guessed", "state=", "code=x"):
        assert requests.get(f"{browser.url}made?{query}", timeout=10).status_code == 400
    assert requests.get(f"{browser.url}favicon.ico", timeout=10).status_code == 404
    assert list(tmp_path.glob("github-*")) == []
    browser.press()
    assert browser.ended().slug == "headgate-of-acme"


def test_nothing_is_overwritten_and_nothing_half_done_stays(forge: Forge, tmp_path: Path) -> None:
    with pytest.raises(HeadgateError, match="nobody registered"):
        register(wanted(forge, tmp_path), lambda _: None, patience=0.01)
    assert list(tmp_path.glob("github-*")) == []
    (tmp_path / KEY).write_text("the old one")
    with pytest.raises(HeadgateError, match="is there already"):
        register(wanted(forge, tmp_path), lambda _: None)


def test_a_code_is_good_once(forge: Forge) -> None:
    with pytest.raises(HostGone):
        convert(forge.api_url, "used")


def test_without_a_public_address_the_app_has_no_webhook(forge: Forge, tmp_path: Path) -> None:
    browser = Browser(wanted(forge, tmp_path, webhook=""))
    browser.press()
    assert browser.ended().webhook_secret == ""
    assert not (tmp_path / SECRET).exists()


def test_the_form_goes_to_the_persons_or_the_organisations_settings() -> None:
    assert form_url("https://api.github.com", "", "s") == "https://github.com/settings/apps/new?state=s"
    server = form_url("https://git.example.com/api/v3", "acme", "s/1")
    assert server == "https://git.example.com/organizations/acme/settings/apps/new?state=s%2F1"


def test_a_dry_run_prints_what_would_be_posted_and_does_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    config = tmp_path / "headgate-server.yaml"
    config.write_text("version: 1\nhosts: {github: {poll: 30s}}\n")
    result = run("setup", "github", "--app", "--owner", "acme", "--dry-run", "--config", config)
    assert result.exit_code == 0, result.output
    shown, _, rest = result.output.rpartition("}\n")
    assert json.loads(shown + "}")["default_permissions"]["checks"] == "write"
    assert "https://github.com/organizations/acme/settings/apps/new" in rest
    assert run("setup", "github", "--config", config).exit_code == 2


def test_a_slash_at_the_end_of_the_servers_address_changes_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    config = tmp_path / "headgate-server.yaml"
    config.write_text('version: 1\nhosts: {github: {url: "https://git.example.com/api/v3/", poll: 30s}}\n')
    result = run("setup", "github", "--app", "--dry-run", "--config", config)
    assert "posted by your browser to https://git.example.com/settings/apps/new?" in result.output
