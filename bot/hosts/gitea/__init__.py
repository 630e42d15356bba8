"""Gitea and Forgejo: webhooks and the REST API that they publish as Swagger."""
