"""Bare mirrors of repositories: everything is read here without a working tree; a run gets a sparse checkout."""
