"""A fresh repository on the real server, and where its webhooks go."""

from hosts.gitea.fixtures import catcher, ground

__all__ = ["catcher", "ground"]
