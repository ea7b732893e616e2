"""The API's page: each address of the description, its fields and a call that works, for everybody, without a script."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from missions_project.lib.rest.reference import Piece, api_reference, read, words_of


@pytest.fixture
def page(db: None) -> str:
    answer = Client().get(reverse("api:docs"), headers={"host": "missions.example.org"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_each_address_and_method_of_the_description_stands_on_the_page(page: str, client: Client) -> None:
    schema: dict[str, Any] = client.get(reverse("api:schema")).json()
    described = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    shown = re.findall(r'<span class="api__method">(\w+)</span> <code>([^<]+)</code>', page)
    assert len(shown) == len(described) > 40
    assert set(shown) == described
    for name in schema["components"]["schemas"]:
        assert f'id="{name.lower()}"' in page


def test_every_link_of_the_page_leads_to_a_place_on_it(page: str) -> None:
    places = re.findall(r'\bid="([^"]+)"', page)
    assert len(places) == len(set(places))
    links = set(re.findall(r'href="#([^"]+)"', page)) - {"main"}
    assert len(links) > 30
    assert links <= set(places)


def test_a_call_names_the_server_the_key_and_what_must_be_given(page: str) -> None:
    calls = [unescape(one) for one in re.findall(r'<p class="api__example"><code>(.*?)</code>', page)]
    words = {call: shlex.split(call) for call in calls}
    assert all(parts[0] == "curl" and "Authorization: Token KEY" in parts for parts in words.values())
    assert all(parts[-1].startswith("http://missions.example.org/api/") for parts in words.values())
    assert (
        'curl -X POST -H "Authorization: Token KEY" -H "Content-Type: application/json" --data-binary @FILE '
        '"http://missions.example.org/api/v1/incidents/"'
    ) in calls


def test_what_may_be_sent_is_shown_as_it_is_sent(page: str) -> None:
    found = re.findall(r'<p class="api__example">([^<]*)<br><code>(.*?)</code></p>', page, flags=re.S)
    assert len(found) >= 4
    rows = [json.loads(unescape(sample)) for told, sample in found if "application/json" in told]
    assert any(row[0].get("code") == "0610" for row in rows if isinstance(row, list))


def test_the_page_takes_no_post(client: Client) -> None:
    assert client.post(reverse("api:docs")).status_code == 405


def test_a_refusal_shared_by_most_addresses_stands_once() -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    usual = {"401": {"description": "Nobody is signed in.", "content": problem}}

    def one(name: str, **answers: Any) -> dict[str, Any]:
        return {"get": {"operationId": name, "tags": ["x"], "responses": usual | answers}}

    found = read(
        {
            "info": {"title": "T"},
            "paths": {
                "/a/": one("a"),
                "/b/": one("b", **{"409": {"description": "Only here, see `why`.", "content": problem}}),
                "/c/": {"get": {"operationId": "c", "responses": {"401": {"description": "Another word."}}}},
            },
            "components": {"schemas": {"Problem": {"type": "object"}}},
        }
    )
    assert [(answer.code, answer.when) for answer in found.refusals] == [
        ("401", words_of("Nobody is signed in."))
    ]
    groups = dict(found.groups)
    assert list(groups) == ["Other", "x"]
    assert [answer.code for answer in groups["x"][0].answers] == []
    conflict = groups["x"][1].answers[0]
    assert conflict.when == (Piece("Only here, see "), Piece("why", code=True), Piece("."))
    assert conflict.holds == ((Piece("Problem", link="problem"),),)
    assert [answer.code for answer in groups["Other"][0].answers] == ["401"]
    assert not groups["x"][0].needs_key


def test_the_reference_is_worked_out_once() -> None:
    assert api_reference() is api_reference()


def test_whoever_reads_it_first_everybody_reads_it_in_english() -> None:
    """Shown in Spanish once, it stayed so for the whole process: choices and refusals are kept once read."""
    told = (
        "import django; django.setup()\n"
        "from django.utils import translation\n"
        "translation.activate('es')\n"
        "from django.test import Client\n"
        "said = Client(headers={'accept-language': 'es'}).get('/api/schema/').content.decode()\n"
        "from tools.docs_reference import api_page\n"
        "print(translation.get_language(), 'Published' in said, 'Publicado' in said, 'Publicado' in api_page())"
    )
    asked = subprocess.run(
        [sys.executable, "-c", told], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert asked.stdout.split()[1:] == ["True", "False", "False"], asked.stdout


@pytest.mark.usefixtures("translated")
def test_its_headings_are_in_the_language_that_the_page_says_they_are(client: Client) -> None:
    page = client.get(reverse("api:docs"), headers={"accept-language": "es"}).content.decode()
    assert '<html lang="es"' in page
    english = page[page.index('<div class="api" lang="en">') :]
    assert "Keys and refusals" in english
    assert "What bodies and answers hold" in english
