"""The language of a pack: chosen when it is made, the same in every file of it, whoever reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from agencies.models import User
from tactics.models import TransparencyPack
from tactics.tasks import transparency_pack_task
from tactics.transparency.services import pack_publish
from tactics.transparency.shapes import content_hash
from tests.factories import make_member
from tests.project.test_main_pages_have_no_english_in_spanish import english_in
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def past(db: None) -> PastWeeks:
    """Ten days of one shift, in a city without a census."""
    return make_past(days=10, shifts=1)


def test_a_pack_in_spanish_is_spanish_whoever_reads_it_and_one_in_english_stays_english(
    past: PastWeeks, sign_in: SignIn, tmp_path: Path, translated: None
) -> None:
    own = (
        "share of some group",
        "Riverton PD",
        "America/Chicago",
        *past.agency.crimetype_set.values_list("name", flat=True),
    )
    call_command(
        "transparency_pack",
        "riverton",
        first=str(past.first),
        last=str(past.last),
        language="es",
        out=tmp_path,
    )
    pack = TransparencyPack.objects.get()
    assert (pack.language, pack.content["language"]) == ("es", "es")
    assert content_hash(pack.content) == pack.content_hash
    files = [tmp_path / "public/index.html", *(tmp_path / "documents").glob("*.html")]
    assert len(files) == 4
    for file in files:
        html = file.read_text(encoding="utf-8")
        assert '<html lang="es">' in html
        assert english_in(html, own) == [], file.name
    # The member's page says its own words in the reader's language, and the pack's in the pack's.
    analyst = sign_in(make_member(past.agency, "analyst"))
    page = analyst.get(reverse("tactics:pack", args=["riverton", 1])).content.decode()
    assert '<div class="told" lang="es">' in page
    assert "Adónde fueron los patrullajes" in page
    assert "For the public:" in page
    assert analyst.get(reverse("tactics:pack_chart", args=["riverton", 1, "where-0"])).status_code == 200


def test_the_language_of_a_pack_is_chosen_when_it_is_made_and_stays(past: PastWeeks, sign_in: SignIn) -> None:
    admin = make_member(past.agency, "admin")
    client = sign_in(admin)
    asked = {"first": str(past.first), "last": str(past.last)}
    new, listing = reverse("tactics:pack_new", args=["riverton"]), reverse("tactics:packs", args=["riverton"])
    refused = client.post(new, asked | {"language": "xx"}, follow=True).content.decode()
    assert "cannot be written in this language" in refused
    assert not TransparencyPack.objects.exists()
    client.post(new, asked | {"language": "es"})
    pack = TransparencyPack.objects.get()
    assert pack.language == "es"
    # The next one is offered in the language of the last.
    assert '<option value="es" lang="es" selected>' in client.get(listing).content.decode()
    transparency_pack_task(pack.pk)
    pack.refresh_from_db()
    pack_publish(pack=pack, actor=admin)
    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
        TransparencyPack.objects.filter(pk=pack.pk).update(language="en")
