"""The settings, all of them from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mail:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str
    to: str


@dataclass(frozen=True)
class Config:
    # Empty means libpq's own environment: PGHOST, PGUSER, PGPASSWORD, ...
    database: str = field(repr=False)
    source: str
    port: int
    mail: Mail | None


def load(env: dict[str, str] | None = None) -> Config:
    """Read the settings; a bad number is a ValueError that names its variable."""
    env = dict(os.environ) if env is None else env
    return Config(
        database=env.get("DATABASE_URL", ""),
        source=env.get("POTE_SOURCE", "/proc/loadavg"),
        port=_number(env, "PORT", 8000),
        mail=_mail(env),
    )


def _mail(env: dict[str, str]) -> Mail | None:
    if not env.get("SMTP_HOST") or not env.get("POTE_MAIL_TO"):
        return None
    return Mail(
        host=env["SMTP_HOST"],
        port=_number(env, "SMTP_PORT", 25),
        user=env.get("SMTP_USER", ""),
        password=env.get("SMTP_PASSWORD", ""),
        sender=env.get("POTE_MAIL_FROM", "pote@localhost"),
        to=env["POTE_MAIL_TO"],
    )


def _number(env: dict[str, str], name: str, default: int) -> int:
    try:
        return int(env.get(name) or default)
    except ValueError:
        raise ValueError(f"{name} is not a number: {env[name]!r}") from None
