"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

config_option: Decorator = click.option(
    "-c",
    "--config",
    default="",
    metavar="FILE",
    help="The operator's file; default: $HEADGATE_CONFIG, else ./headgate-server.yaml.",
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
