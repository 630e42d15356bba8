"""Two WSGI applications: webhooks (may be public) and pages with API and metrics (loopback until sign-in comes).

No request ever calls a Git host or a tool: verify, store, hint the queue, answer.
"""
