"""GitHub and GitHub Enterprise Server. Host words and payloads stay in here."""
