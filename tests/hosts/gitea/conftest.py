"""The real server for the tests of this folder."""

from hosts.gitea.fixtures import catcher, gitea_judge, gitea_server, ground

__all__ = ["catcher", "gitea_judge", "gitea_server", "ground"]
