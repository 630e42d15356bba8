"""How the host's memory looks in GitLab's JSON, one module per noun."""
