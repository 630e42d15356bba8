"""How a tool's command is run: scrubbed environment, own process group, limits, streamed and redacted log."""
