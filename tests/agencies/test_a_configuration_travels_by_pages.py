"""The admin's pages of a configuration: administrators take theirs along, only the operator makes agencies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from agencies.configuration import configuration_export, configuration_text
from agencies.models import Agency, AuditEvent, Beat, User
from tests import factories

SignIn = Callable[[User | None], Client]
IMPORT = "admin:agencies_configuration_import"


def page_of(agency: Agency) -> str:
    return reverse("admin:agencies_configuration_page", args=[agency.pk])


def file_of(agency: Agency) -> str:
    return reverse("admin:agencies_configuration_file", args=[agency.pk])


def upload(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("riverton.json", text.encode(), content_type="application/json")


@pytest.fixture(autouse=True)
def spool(settings: Any, tmp_path: Path) -> Path:
    settings.SPOOL_DIR = tmp_path
    return tmp_path


def test_an_administrator_takes_the_configuration_along(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    page = client.get(page_of(agency)).content.decode()
    assert "Beats" in page
    assert "Make another agency" not in page
    answer = client.get(file_of(agency))
    assert answer["Content-Disposition"] == 'attachment; filename="riverton-configuration.json"'
    assert json.loads(answer.content) == configuration_export(agency)
    event = AuditEvent.objects.get(action="agency.configuration_exported")
    assert (event.actor, event.agency) == (owner, agency)


def test_strangers_and_other_roles_find_nothing(
    sign_in: SignIn, agency: Agency, colleague: User, stranger: User
) -> None:
    for address in (page_of(agency), file_of(agency)):
        assert sign_in(stranger).get(address).status_code == 404
        assert sign_in(colleague).get(address).status_code in (302, 403)
        assert sign_in(None).get(address).status_code == 302


def test_only_the_operator_makes_agencies(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    assert client.post(page_of(agency), {"slug": "lakeside", "name": "Lakeside PD"}).status_code == 403
    assert client.get(reverse(IMPORT)).status_code == 403
    assert client.post(reverse(IMPORT), {"file": upload("{}")}).status_code == 403
    assert Agency.objects.count() == 1


def test_the_operator_clones(sign_in: SignIn, agency: Agency) -> None:
    client = sign_in(factories.make_operator())
    answer = client.post(page_of(agency), {"slug": "lakeside", "name": "Lakeside PD", "switched_off": "on"})
    copy = Agency.objects.get(slug="lakeside")
    assert answer["Location"] == reverse("admin:agencies_agency_change", args=[copy.pk])
    assert Beat.objects.filter(agency=copy).count() == 4
    again = client.post(page_of(agency), {"slug": "lakeside", "name": "Lakeside PD"})
    assert "already" in again.content.decode()


def test_a_file_is_looked_at_before_it_is_taken(sign_in: SignIn, agency: Agency, spool: Path) -> None:
    client = sign_in(factories.make_operator())
    text = configuration_text(configuration_export(agency))
    looked = client.post(reverse(IMPORT), {"file": upload(text), "slug": "lakeside", "name": "Lakeside PD"})
    assert "Nothing is changed yet" in looked.content.decode()
    assert Agency.objects.count() == 1
    data = {"upload": looked.context["upload"], "slug": "lakeside", "name": "Lakeside PD", "make": "Make"}
    # Somebody else's waiting file is nobody's business.
    assert sign_in(factories.make_operator(username="second")).post(reverse(IMPORT), data).status_code == 404
    client = sign_in(User.objects.get(pk=looked.wsgi_request.user.pk))
    assert client.post(reverse(IMPORT), data).status_code == 302
    assert Beat.objects.filter(agency__slug="lakeside").count() == 4
    assert not list(spool.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ('{"kind": "missions-configuration", "schema": 99}', "reads schemas up to"),
        ('{"kind": "missions-configuration", "schema": 1, "agency": {"slug": "x"}}', "agency, name"),
    ],
)
def test_a_wrong_file_is_refused_in_words(sign_in: SignIn, agency: Agency, text: str, words: str) -> None:
    answer = sign_in(factories.make_operator()).post(reverse(IMPORT), {"file": upload(text), "make": "Make"})
    assert words in answer.content.decode()
    assert Agency.objects.count() == 1


def test_no_file_is_asked_for(sign_in: SignIn, agency: Agency) -> None:
    answer = sign_in(factories.make_operator()).post(reverse(IMPORT), {"make": "Make"})
    assert "No file was chosen" in answer.content.decode()
