"""Pages to look and click: repositories, pull requests, sign-in by choosing a name."""
