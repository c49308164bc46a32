"""python -m pote.migrate: bring the tables up to date."""

from . import config, db


def main() -> None:
    with db.connect(config.load().database) as conn:
        if not db.migrate(conn):
            print("nothing to migrate")


if __name__ == "__main__":
    main()
