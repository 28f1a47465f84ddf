"""What comes through the guards and what does not."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import pytest

from hnas.reports.dashboard.guard import KnownHost
from hnas.reports.dashboard.guard import OwnOrigin
from hnas.reports.dashboard.guard import ReadOnly
from hnas.reports.dashboard.guard import TokenGate
from tests.requests import ask

TOKEN = "a token's=value;"


def answers(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Stands behind a guard and lets everything happen."""
    start_response("200 OK", [])
    return [b"done"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_let_through(method: str) -> None:
    assert ask(ReadOnly(answers), method, "/api/studies").body == b"done"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "delete", "get", "ANYTHING"])
def test_any_other_method_is_refused_with_the_way_to_allow_it(method: str) -> None:
    answer = ask(ReadOnly(answers), method, "/api/studies/1")
    assert answer.status == 403
    assert "--writable" in answer.json["reason"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://127.0.0.1:8080", 200),
        ("http://127.0.0.1:8081", 403),
        ("http://elsewhere.example", 403),
        ("null", 403),
        ("http://[evil", 403),
        ("", 403),
    ],
)
def test_pages_of_other_sites_change_nothing(origin: str | None, status: int) -> None:
    headers = {"HTTP_HOST": "127.0.0.1:8080"} | ({} if origin is None else {"HTTP_ORIGIN": origin})
    assert ask(OwnOrigin(answers), "DELETE", "/api/studies/1", **headers).status == status
    assert ask(OwnOrigin(answers), "GET", "/api/studies/1", **headers).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("LOCALHOST", 200),
        ("[::1]:8080", 200),
        ("evil.example:8080", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("evil.example/127.0.0.1", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_only_names_of_this_machine_are_answered(host: str, status: int) -> None:
    app = KnownHost(answers, ("localhost", "127.0.0.1", "::1"))
    assert ask(app, "GET", "/", HTTP_HOST=host).status == status


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/?token=wrong", {}),
        ("/?token=", {}),
        ("/", {"HTTP_AUTHORIZATION": "Bearer wrong"}),
        ("/", {"HTTP_AUTHORIZATION": TOKEN}),
        ("/", {"HTTP_COOKIE": "hnas_dashboard_80=wrong"}),
        ("/", {"HTTP_COOKIE": f"hnas_dashboard_80={TOKEN}"}),
        ("/", {"HTTP_COOKIE": "\x00;=;,"}),
    ],
)
def test_nothing_is_answered_without_the_token(path: str, headers: dict[str, str]) -> None:
    answer = ask(TokenGate(answers, TOKEN), "GET", path, **headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN.encode() not in answer.body


def test_programs_bring_the_token_as_bearer() -> None:
    assert ask(TokenGate(answers, "t"), "GET", "/", HTTP_AUTHORIZATION="Bearer t").body == b"done"


def test_browsers_bring_it_once_and_then_a_cookie_that_does_not_tell_it() -> None:
    app = TokenGate(answers, "secret")
    first = ask(app, "GET", "/dashboard/studies/1?a=1&token=secret", SERVER_PORT="8080")
    assert (first.status, first.headers["Location"]) == (303, "/dashboard/studies/1?a=1")
    cookie = SimpleCookie(first.headers["Set-Cookie"])
    ((name, morsel),) = cookie.items()
    assert morsel["httponly"] and morsel["samesite"] == "Lax"
    assert "secret" not in morsel.value
    pair = f"{name}={morsel.value}"
    assert ask(app, "GET", "/", SERVER_PORT="8080", HTTP_COOKIE=pair).status == 200
    assert ask(app, "GET", "/", SERVER_PORT="8081", HTTP_COOKIE=pair).status == 401


def test_the_welcome_leads_to_no_other_site() -> None:
    answer = ask(TokenGate(answers, "t"), "GET", "//evil.example/?token=t")
    assert answer.headers["Location"] == "/evil.example/"
