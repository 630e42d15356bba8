"""A small local Git host for the demo and the tests; it imports nothing else of ``bot``.

State (accounts, repositories, pull requests, rules) is host-neutral; ``github/`` and ``gitlab/`` are faces over it:
a REST API and webhooks each, at their own paths, in one process. Stories are told through one of them and name none.
Git itself is served over smart HTTP, and ``pages/`` are there to look and click.
"""

from bot.forge.model import Refused, RequiredCheck
from bot.forge.pull_story import PullStory
from bot.forge.server import Forge
from bot.forge.story import RepoStory, SampleChange

__all__ = ["Forge", "PullStory", "Refused", "RepoStory", "RequiredCheck", "SampleChange"]
