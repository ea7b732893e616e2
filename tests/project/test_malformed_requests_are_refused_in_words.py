"""What malformed requests once broke: each is answered with 400 and a page that says what to do, and nothing is stored."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.wsgi import get_wsgi_application
from django.test import Client

from agencies.models import User
from missions_project.operations.refused import readable

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.mark.parametrize(
    "address",
    [
        "/admin/agencies/auditevent/?subject__contains=%00",
        "/admin/agencies/auditevent/?action=a%00b",
        "/admin/agencies/unit/?call_sign=%00",
        "/riverton/shifts/2026-03-14/evening%00/",
        "/riverton/audit-log/?who=%00",
        "/riverton/reports/shifts/?from=%00",
    ],
)
def test_a_nul_in_an_address_is_refused_at_the_door(sign_in: SignIn, owner: User, address: str) -> None:
    answer = sign_in(owner).get(address)
    assert answer.status_code == 400
    assert "could not be read" in answer.content.decode()


@pytest.mark.parametrize("pattern", ["(", "(a%2B)%2B$", "[", "a"])
@pytest.mark.parametrize("lookup", ["regex", "iregex"])
def test_nobodys_pattern_runs_in_the_database(
    sign_in: SignIn, owner: User, lookup: str, pattern: str
) -> None:
    client = sign_in(owner)
    assert client.get(f"/admin/agencies/unit/?call_sign__{lookup}={pattern}").status_code == 400
    assert client.get(f"/admin/agencies/auditevent/?subject__{lookup}={pattern}").status_code == 400


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"reason":' * 20_000, '{"reason": ' + "[" * 3_000 + "]" * 3_000 + "}"]
)
@pytest.mark.parametrize("address", ["suppressions/", "engagements/", "plans/1/publish/"])
def test_json_nested_deeper_than_anybody_reads_is_400(
    sign_in: SignIn, owner: User, address: str, body: str
) -> None:
    answer = sign_in(owner).post(f"/api/v1/riverton/{address}", body, content_type="application/json")
    assert answer.status_code in (400, 404)
    assert "Next step" in answer.json()["detail"]


@pytest.mark.parametrize("charset", ["idna", "rot13", "base64", "utf-16", "utf-7", "nothing"])
def test_a_form_in_an_alphabet_that_no_browser_sends_is_refused(
    sign_in: SignIn, owner: User, charset: str
) -> None:
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    client = sign_in(owner)
    answer = client.generic("POST", "/admin/agencies/unit/add/", b"call_sign=%ff\x00", content_type=kind)
    assert answer.status_code == 400
    assert "could not be read" in answer.content.decode()
    answer = client.generic("POST", "/api/v1/riverton/suppressions/", b"beat=%ff\x00", content_type=kind)
    assert answer.status_code == 400
    assert "Next step" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "path", "status"),
    [
        ("application/x-www-form-urlencoded; charset=idna", "/accounts/login/", "400"),
        ("multipart/form-data; boundary=x; charset*=utf-8''idna", "/accounts/login/", "400"),
        ("application/x-www-form-urlencoded; charset=idna", "/api/v1/riverton/suppressions/", "401"),
        ("text/csv; charset=rot13", "/accounts/login/", "403"),
    ],
)
def test_an_address_is_not_read_in_the_alphabet_that_the_body_names(
    kind: str, path: str, status: str
) -> None:
    environ: dict[str, Any] = {"CONTENT_TYPE": kind, "QUERY_STRING": "q=%ff%c3&p=1", "PATH_INFO": path}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "HTTP_HOST": "testserver"}
    told: list[str] = []
    body = b"".join(readable(get_wsgi_application())(environ, lambda line, _headers: told.append(line)))
    assert told[0].startswith(status), body.decode()[:400]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("multipart/form-data; charset=nothing; boundary=x", ""),
        ("multipart/form-data; charset=idna", ""),
        ("multipart/form-data", "?name=%00"),
    ],
)
def test_a_form_without_its_boundary_is_refused_by_a_page_for_whoever_is_signed_in(
    sign_in: SignIn, owner: User, kind: str, asked: str
) -> None:
    cookies = sign_in(owner).cookies
    cookies["csrftoken"] = "a" * 32  # who has one is asked for it by the page that refuses, too
    environ: dict[str, Any] = {"CONTENT_TYPE": kind, "QUERY_STRING": asked[1:]}
    environ |= {"PATH_INFO": "/admin/agencies/unit/add/"}
    environ |= {"HTTP_COOKIE": "; ".join(f"{name}={one.value}" for name, one in cookies.items())}
    setup_testing_defaults(environ)
    form = b'--x\r\nContent-Disposition: form-data; name="call_sign"\r\n\r\n\xff\r\n--x--\r\n'
    environ |= {"REQUEST_METHOD": "POST", "HTTP_HOST": "testserver", "CONTENT_LENGTH": str(len(form))}
    environ |= {"wsgi.input": io.BytesIO(form)}
    told: list[str] = []
    body = b"".join(readable(get_wsgi_application())(environ, lambda line, _headers: told.append(line)))
    assert told[0].startswith("400"), told
    assert "could not be read" in body.decode()
