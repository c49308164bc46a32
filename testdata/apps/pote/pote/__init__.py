"""pote keeps readings in PostgreSQL and shows them."""

__version__ = "1.0.0"
