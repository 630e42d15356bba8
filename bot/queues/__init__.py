"""Queues: hints that there is work. RQ on Redis where one is configured, found or embedded; else in this process."""
