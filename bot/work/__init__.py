"""The queue's jobs and the sweeps. A job is a plain function of (kind, key); the store knows the rest."""
