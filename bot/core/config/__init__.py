"""Configuration: raw text -> bounded document -> checked against its schema -> valid values, or every problem."""
