"""The GitLab face: its API at ``/api/v4`` and its webhooks, over the same memory as every other face."""
