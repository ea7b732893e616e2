"""No page, file or admin row tells one agency's people a word of another's, with addresses guessed and numbers swapped.

The other agency's texts all carry a mark; its own administrator's links are then tried by four people of the first agency: as
they stand, and with the first agency's name in place of the other's. Each person's own pages are read for the mark, too.
"""

from __future__ import annotations

from collections import deque
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import models
from django.test import Client

from agencies.models import Agency, User
from ingestion.models import ImportRun
from tactics.services import inquiry_ask, rolling_study_ensure
from tests.factories import make_member
from tests.ingestion.files import plain_feed
from tests.patrols.scenes import ON, make_scene
from tools.page_walk import LINK, page_name

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
MARK = "Quirinal"
ROLES = ("admin", "supervisor", "analyst", "officer")
NAMES = {"name", "title", "reason", "note", "question", "text", "label", "written_reason", "community_note"}
"""Fields in which people write what they like: each gets the mark."""
LEAVES = ("/logout/", "/accounts/", "/jsi18n/", "/i18n/")


def town(slug: str) -> tuple[Agency, dict[str, User]]:
    """An agency in which each room has a row, and its people."""
    scene = make_scene(slug)
    agency = scene.agency
    people = {role: make_member(agency, role) for role in ROLES}
    scene.plan(publish=True, actor=people["supervisor"])
    ImportRun.objects.create(agency=agency, feed=plain_feed(agency))
    rolling_study_ensure(agency=agency)
    inquiry_ask(agency=agency, kind="curves", choices={})
    return agency, people


def mark_rows(agency: Agency) -> int:
    """Write the mark into every free text of the agency's rows; returns into how many rows."""
    marked = 0
    for model in apps.get_models():
        fields = {field.name: field for field in model._meta.concrete_fields}
        if model is not Agency and "agency" not in fields:
            continue
        rows = model._default_manager.filter(**({"pk": agency.pk} if model is Agency else {"agency": agency}))
        for name in NAMES & fields.keys():
            if not isinstance(fields[name], models.CharField | models.TextField) or fields[name].choices:
                continue
            for row in rows:
                marked += rows.filter(pk=row.pk).update(**{name: f"{MARK} {row.pk}"})
    return marked


def signed_in(person: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def body_of(client: Client, address: str) -> tuple[int, bytes]:
    answer = client.get(address, follow=True, headers={"accept": "text/html"})
    return answer.status_code, b"".join(answer.streaming_content) if answer.streaming else answer.content


def links_of(client: Client, start: str) -> dict[str, bytes]:
    """Every address that the person reaches by links, files too, one for each name, with what it answered."""
    waiting, seen, found = deque([start]), {page_name(start)}, {}
    while waiting:
        address = waiting.popleft()
        status, body = body_of(client, address)
        assert status < 500, address
        found[address] = body
        if b"<html" not in body[:300]:
            continue
        for link in LINK.finditer(body.decode()):
            there = urljoin(address, unescape(link[1] or link[2]))
            name = None if urlsplit(there).netloc else page_name(there)
            if name not in seen and name is not None and not any(part in there for part in LEAVES):
                seen.add(name)
                waiting.append(there)
    return found


def two_towns() -> tuple[Agency, dict[str, User], dict[str, bytes]]:
    """Our agency, its people, and what the other agency's administrator reaches by links, full of the mark."""
    cache.clear()
    ours, people = town("riverton")
    theirs, strangers = town("lakeside")
    assert mark_rows(theirs) > 30
    cache.clear()
    there = links_of(signed_in(strangers["admin"]), f"/lakeside/shifts/{ON}/evening/")
    marked = [address for address, body in there.items() if MARK.encode() in body]
    # Otherwise a search would find nothing in pages that hold nothing.
    assert len(there) > 120
    assert len(marked) > 60, len(marked)
    return ours, people, there


def test_nobody_reads_a_word_of_another_agency() -> None:
    ours, people, there = two_towns()
    told = []
    for role, person in people.items():
        client = signed_in(person)
        own = links_of(client, "/" if role == "officer" else f"/riverton/shifts/{ON}/evening/")
        told += [(role, address) for address, body in own.items() if MARK.encode() in body]
        for address in there:
            for tried in {
                address,
                address.replace("/lakeside/", "/riverton/").replace("lakeside", "riverton"),
            }:
                status, body = body_of(client, tried)
                assert status < 500, (role, tried)
                if MARK.encode() in body:
                    told.append((role, tried))
    assert not told, told[:20]
    assert not Agency.objects.filter(pk=ours.pk, name__contains=MARK).exists()
