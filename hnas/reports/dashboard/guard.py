"""What stands between a browser and optuna-dashboard, which itself knows no login and no read-only mode.

Each guard is a WSGI application (PEP 3333) around another.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from http import HTTPStatus
from http.cookies import CookieError
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from urllib.parse import quote
from urllib.parse import urlencode
from urllib.parse import urlsplit

from hnas.base import text_sha256

if TYPE_CHECKING:
    from wsgiref.types import StartResponse
    from wsgiref.types import WSGIApplication
    from wsgiref.types import WSGIEnvironment

COOKIE = "hnas_dashboard"
READING = ("GET", "HEAD")


class ReadOnly:
    """Lets only reading requests through.

    Args:
        app: What is guarded.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers 403 to any method but GET and HEAD."""
        if environ["REQUEST_METHOD"] in READING:
            return self._app(environ, start_response)
        reason = "this dashboard is read only; whoever runs it can allow changes with: hnas dashboard --writable"
        return refuse(start_response, HTTPStatus.FORBIDDEN, reason)


class OwnOrigin:
    """Lets requests that change something through only if they come from the dashboard's own pages, or from no page.

    A page elsewhere can have a browser send some requests to a loopback address, and browsers say which page it was.

    Args:
        app: What is guarded.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers 403 to what another origin sends."""
        origin = environ.get("HTTP_ORIGIN")
        host = environ.get("HTTP_HOST", "").lower()
        own = origin is None or (host != "" and origin.partition("://")[2].lower() == host)
        if own or environ["REQUEST_METHOD"] in READING:
            return self._app(environ, start_response)
        return refuse(start_response, HTTPStatus.FORBIDDEN, "a page of another site may change nothing here")


class KnownHost:
    """Lets only requests through that name this machine itself.

    A page elsewhere can give its own name a loopback address (DNS rebinding) and so read what is served there; the
    browser then still sends that name.

    Args:
        app: What is guarded.
        hosts: Names and addresses allowed, without port.
    """

    def __init__(self, app: WSGIApplication, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers 403 to any other host."""
        if _host_name(environ.get("HTTP_HOST", "")) in self._hosts:
            return self._app(environ, start_response)
        reason = "this dashboard answers only as localhost; to reach it by another name, run it with --token"
        return refuse(start_response, HTTPStatus.FORBIDDEN, reason)


class TokenGate:
    """Lets only requests through that bring a token.

    It comes as ``Authorization: Bearer TOKEN``, or once as ``?token=TOKEN``: that is answered with a cookie, which
    scripts cannot read and other sites cannot use to change anything, and with the address without the token.

    Args:
        app: What is guarded.
        token: The token.
    """

    def __init__(self, app: WSGIApplication, token: str) -> None:
        self._app = app
        self._token = token
        # The cookie need not tell the token, which may hold characters that cookies cannot.
        self._cookie = text_sha256(f"hnas dashboard {token}")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers 401 without a token, or with a wrong one."""
        pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        asked = [value for name, value in pairs if name == "token"]
        if asked:
            if not _same(asked[0], self._token):
                return self._unknown(start_response)
            if environ["REQUEST_METHOD"] in READING:
                return self._welcome(environ, start_response, [pair for pair in pairs if pair[0] != "token"])
        elif not self._is_known(environ):
            return self._unknown(start_response)
        return self._app(environ, start_response)

    def _is_known(self, environ: WSGIEnvironment) -> bool:
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), self._token):
            return True
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(_cookie_name(environ))
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._cookie)

    def _welcome(
        self, environ: WSGIEnvironment, start_response: StartResponse, rest: list[tuple[str, str]]
    ) -> Iterable[bytes]:
        # One slash at the beginning: two would lead to another site.
        path = "/" + quote(environ.get("PATH_INFO", "").encode("latin-1").lstrip(b"/"))
        headers = [
            ("Location", path + (f"?{urlencode(rest)}" if rest else "")),
            ("Set-Cookie", f"{_cookie_name(environ)}={self._cookie}; Path=/; HttpOnly; SameSite=Lax"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("Content-Length", "0"),
        ]
        start_response("303 See Other", headers)
        return []

    def _unknown(self, start_response: StartResponse) -> Iterable[bytes]:
        reason = "this dashboard needs its token: open the address with ?token= that hnas dashboard printed"
        return refuse(start_response, HTTPStatus.UNAUTHORIZED, reason, ("WWW-Authenticate", "Bearer"))


def _same(first: str, second: str) -> bool:
    """Compares in a time that does not tell how much was right."""
    return hmac.compare_digest(first.encode("utf-8", "surrogateescape"), second.encode("utf-8", "surrogateescape"))


def _cookie_name(environ: WSGIEnvironment) -> str:
    """A browser keeps one set of cookies for all ports of a machine, on each of which may be a dashboard."""
    return f"{COOKIE}_{environ['SERVER_PORT']}"


def _host_name(header: str) -> str:
    if any(mark in header for mark in "@/?#\\"):
        return ""  # No browser writes these; what is before or behind them is no name of a host.
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def refuse(
    start_response: StartResponse, status: HTTPStatus, reason: str, *headers: tuple[str, str]
) -> Iterable[bytes]:
    """Answers a request with an error and its reason."""
    # optuna-dashboard's pages show the "reason" of what failed.
    body = json.dumps({"reason": reason}).encode()
    always = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(f"{status.value} {status.phrase}", [*always, *headers])
    return [body]
