"""Requests to a WSGI application, without a server, and to a server, without a browser."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(app: Any, method: str, path: str, **headers: str) -> Answer:
    """Asks an application; headers are named as in WSGI, such as ``HTTP_HOST``."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **headers}
    setup_testing_defaults(environ)
    heads: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(app(environ, lambda status, pairs, _=None: heads.append((status, pairs))))
    ((status, pairs),) = heads
    return Answer(int(status.split()[0]), dict(pairs), body)


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Asks a server; underscores in names of headers stand for hyphens, and redirections are not followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()
