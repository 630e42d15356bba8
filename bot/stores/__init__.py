"""The store: SQLAlchemy Core on SQLite and PostgreSQL, its migrations, encrypted artifacts, growing logs."""
