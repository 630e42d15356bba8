"""A small local Git host for the demo and the tests; it imports nothing else of ``bot``.

State (accounts, repositories, pull requests, rules) is host-neutral; ``github/`` is one face over it:
a REST API and webhooks. Git itself is served over smart HTTP, and ``pages/`` are there to look and click.
"""

from bot.forge.model import Refused, RequiredCheck
from bot.forge.pull_story import PullStory
from bot.forge.server import Forge
from bot.forge.story import RepoStory, SampleChange

__all__ = ["Forge", "PullStory", "Refused", "RepoStory", "RequiredCheck", "SampleChange"]
