"""python -m pote.fetch: take one reading. It is a cron job."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.request import urlopen

from . import config, db, mail


def read(source: str) -> float:
    """The first word of a file or of a page, as a number."""
    if source.startswith(("http://", "https://")):
        with urlopen(source, timeout=10) as page:
            text = page.read(1000).decode("utf-8", "replace")
    else:
        text = Path(source).read_text(encoding="utf-8")[:1000]
    words = text.split()
    if not words:
        raise ValueError(f"{source} is empty")
    return float(words[0])


def main() -> int:
    settings = config.load()
    try:
        value = read(settings.source)
    except (OSError, ValueError) as err:
        print(f"cannot read {settings.source}: {err}", file=sys.stderr)
        return 1
    with db.connect(settings.database) as conn:
        number = db.add(conn, value, settings.source)
    print(f"reading {number}: {value}")
    if settings.mail:
        mail.send(settings.mail, f"reading {number}", f"{settings.source} says {value}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
