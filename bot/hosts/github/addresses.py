"""Where a GitHub is: github.com, an enterprise's own part of it, or a GitHub Enterprise Server.

https://docs.github.com/en/enterprise-server@latest/rest/enterprise-admin: a server has its API below ``/api/v3``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

DEFAULT_URL: Final = "https://api.github.com"
SERVER: Final = "/api/v3"
"""Where a server has its API, with subdomain isolation and without."""
_NO_API: Final = ("", "/api", "/api/graphql", "/api/uploads")
"""What people name in its place: where they look at pages, and the roots of what is not used here."""
_RESIDENT: Final = ".ghe.com"
"""Of enterprises whose data stays in a region: https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency"""


def api_address(url: str) -> str:
    """The API's address for what the operator wrote: that, or where people look at pages; empty for github.com."""
    parts = urlsplit(url.rstrip("/") or DEFAULT_URL)
    host = parts.hostname or ""
    if host in ("github.com", "www.github.com"):
        return DEFAULT_URL
    netloc, path = parts.netloc, parts.path.rstrip("/")
    if host.endswith(_RESIDENT):
        return f"{parts.scheme}://{netloc if host.startswith('api.') else f'api.{netloc}'}"
    if path in _NO_API and not host.startswith("api."):
        path = SERVER
    return f"{parts.scheme}://{netloc}{path}"


def web_root(api_url: str) -> str:
    """Where people see the host whose API this is."""
    api = urlsplit(api_url)
    server = api.path.endswith(SERVER)
    netloc = api.netloc if server else api.netloc.removeprefix("api.")
    return f"{api.scheme}://{netloc}{api.path.removesuffix(SERVER)}"
