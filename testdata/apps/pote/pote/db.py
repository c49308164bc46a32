"""The database: connections, migrations, readings."""

from __future__ import annotations

from pathlib import Path

import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"

# Any number of our own: two deploys must not migrate at the same time.
LOCK = 7_083_101


def connect(database: str) -> psycopg.Connection:
    return psycopg.connect(database, connect_timeout=5, application_name="pote")


def names() -> list[str]:
    return sorted(path.name for path in MIGRATIONS.glob("*.sql"))


def pending(conn: psycopg.Connection) -> list[str]:
    if conn.execute("SELECT to_regclass('schema_migrations')").fetchone()[0] is None:
        return names()
    done = {row[0] for row in conn.execute("SELECT name FROM schema_migrations")}
    return [name for name in names() if name not in done]


def migrate(conn: psycopg.Connection) -> list[str]:
    """Run what is pending, each file in a transaction of its own, and tell which ran."""
    conn.autocommit = True
    conn.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    try:
        conn.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, ran_at timestamptz NOT NULL DEFAULT now())"
        )
        waiting = pending(conn)
        for name in waiting:
            with conn.transaction():
                conn.execute((MIGRATIONS / name).read_text())
                conn.execute("INSERT INTO schema_migrations (name) VALUES (%s)", (name,))
            print(f"migrated {name}", flush=True)
        return waiting
    finally:
        conn.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


def add(conn: psycopg.Connection, value: float, source: str) -> int:
    row = conn.execute(
        "INSERT INTO readings (value, source) VALUES (%s, %s) RETURNING id", (value, source)
    ).fetchone()
    conn.commit()
    return row[0]


def latest(conn: psycopg.Connection, limit: int = 20) -> list[dict]:
    rows = conn.execute(
        "SELECT id, taken_at, value, source FROM readings ORDER BY id DESC LIMIT %s", (limit,)
    )
    return [
        {"id": r[0], "taken_at": r[1].isoformat(timespec="seconds"), "value": r[2], "source": r[3]}
        for r in rows
    ]
