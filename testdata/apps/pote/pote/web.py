"""python -m pote.web: the page."""

from __future__ import annotations

import html
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg

from . import __version__, config, db


def release() -> str:
    """The commit that runs: releases lie in a folder named after theirs."""
    parts = Path(__file__).resolve().parts
    return parts[parts.index("releases") + 1] if "releases" in parts[:-1] else "unreleased"


def page(readings: list[dict]) -> str:
    rows = "".join(
        f"<tr><td>{r['id']}</td><td>{r['taken_at']}</td><td>{r['value']:g}</td>"
        f"<td>{html.escape(r['source'])}</td></tr>"
        for r in readings
    )
    return (
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>pote</title>"
        "<style>:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
        "body{max-width:44rem;margin:3rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}"
        "td,th{text-align:left;padding:.4rem;border-bottom:1px solid #8884}</style>"
        f"<h1>pote</h1><p>{len(readings)} readings, release <code>{html.escape(release()[:7])}</code></p>"
        f"<table><tr><th>#<th>taken<th>value<th>source</tr>{rows}</table>"
    )


class Handler(BaseHTTPRequestHandler):
    server_version = f"pote/{__version__}"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if path not in ("/", "/api/readings", "/healthz"):
            self.answer(404, "text/plain", "not found\n")
            return
        try:
            with db.connect(self.server.database) as conn:
                self.answer(*self.content(path, conn))
        except psycopg.Error as err:
            # The class says enough; the message could hold the connection's details.
            self.answer(503, "text/plain", f"the database does not answer: {type(err).__name__}\n")

    def content(self, path: str, conn: psycopg.Connection) -> tuple[int, str, str]:
        waiting = db.pending(conn)
        if path == "/healthz" or waiting:
            body = {"status": "unavailable" if waiting else "ok", "pending": waiting, "version": __version__, "sha": release()}
            return 503 if waiting else 200, "application/json", json.dumps(body)
        if path == "/api/readings":
            return 200, "application/json", json.dumps(db.latest(conn))
        return 200, "text/html; charset=utf-8", page(db.latest(conn))

    def answer(self, status: int, kind: str, body: str) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        if self.server.stopping:
            # A visitor who keeps the connection and asks again would hold up the end.
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args) -> None:
        print(f"{self.command} {self.path.split('?', 1)[0]} {args[1] if len(args) > 1 else ''}", flush=True)


class Server(ThreadingHTTPServer):
    # Requests that run at the end are finished: server_close waits for their threads.
    daemon_threads = False
    block_on_close = True

    def __init__(self, port: int, database: str) -> None:
        super().__init__(("", port), Handler)
        self.database = database
        self.stopping = False

    def shutdown(self) -> None:
        self.stopping = True
        super().shutdown()


def main() -> int:
    settings = config.load()
    Handler.timeout = 5  # an idle connection must not hold up the end
    server = Server(settings.port, settings.database)

    def stop(*_: object) -> None:
        # shutdown waits for the loop that this very thread runs, so another one asks.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"pote {__version__} ({release()}) listens on port {settings.port}", flush=True)
    with server:
        server.serve_forever(poll_interval=0.2)
    print("stopped", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
