"""GitLab, of any tier. Host words and payloads stay in here."""
