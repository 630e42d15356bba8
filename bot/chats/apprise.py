"""Every chat that the Apprise library knows, Slack among them by its own settings.

Messages are short text with a link, so that no service's limit cuts them (https://github.com/caronc/apprise).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping

from bot.core.errors import HostBusy, HostDenied
from bot.ports import Chat, Message

for _talker in ("apprise", "urllib3"):
    # Their own words hold URLs, and a destination's URL is its secret; what went wrong is said by us.
    logging.getLogger(_talker).setLevel(logging.CRITICAL)

BODY_LIMIT = 900
"""Characters; the smallest limit among the common services is 1,000."""


class AppriseChat:
    """One Apprise URL, read when a message is sent."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def send(self, message: Message) -> None:
        """Raises HostDenied for a URL that Apprise does not understand, HostBusy when sending failed."""
        # Here, since most processes never send and it would weigh megabytes in each.
        from apprise import Apprise, AppriseAsset, NotifyFormat

        asset = AppriseAsset(app_id="Headgate", async_mode=False, secure_logging=True, http_redirects=False)
        notifier = Apprise(asset=asset)
        if not notifier.add(self._url()):
            raise HostDenied("Apprise does not understand this destination's URL")
        text = message.body if len(message.body) <= BODY_LIMIT else message.body[: BODY_LIMIT - 1] + "…"
        if message.url:
            text += f"\n{message.url}"
        # Plain text, so that it is escaped wherever a service takes HTML or Markdown: titles are strangers' words.
        if not notifier.notify(title=message.title[:200], body=text, body_format=NotifyFormat.TEXT):
            raise HostBusy("the service did not take the message", 60.0)


def make(options: Mapping[str, str], secret: Callable[[str], str]) -> Chat:
    """Any service: ``apprise: {url_file: …}``."""
    del options
    return AppriseChat(lambda: secret("url"))


def make_slack(options: Mapping[str, str], secret: Callable[[str], str]) -> Chat:
    """Slack by a bot token: ``slack: {token_file: …, channel: "#ops"}``."""
    channel = re.sub(r"[^A-Za-z0-9_#@.-]", "", options.get("channel", ""))

    def url() -> str:
        return f"slack://{secret('token').strip()}/{channel.replace('#', '%23')}"

    return AppriseChat(url)
