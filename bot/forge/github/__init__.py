"""The face of the host that speaks GitHub's REST API and sends GitHub's webhooks."""
