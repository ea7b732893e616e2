"""A machine's key writes into one feed: not into another agency's, nor another of its own, nor one of another kind, whatever a row says.

Tried on each kind of record that is pushed, in each form in which it may be sent.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from agencies.models import CrimeType
from ingestion.api import push as push_views
from ingestion.models import CallForService, Feed, ImportRun, OffenceCode, VehiclePosition, fact_model
from missions_project.operations.row_policies import walled_now, walls_remove
from tests.api.test_every_route_knows_who_asks import ROUTES, address
from tests.ingestion.files import good_row, place
from tests.ingestion.pushing import ADDRESSES, counts_of, make_gunfire_type, make_token, push, push_feed
from tests.operations.test_rows_stay_behind_the_wall import raw
from tests.tenancy.towns import KEY, NAME, Town, two_towns
from tests.tenancy.walk import crossings, rows_of, words_of

pytestmark = [pytest.mark.slow, pytest.mark.both_databases, pytest.mark.django_db]
KINDS = sorted(ADDRESSES)
AT = dt.datetime(2026, 3, 1, 21, 40, 7, tzinfo=dt.UTC)
SEVERAL = 150
"""Rows of a batch that is written in another way than a few are."""


@dataclass
class Machine:
    """What one town's sender of a kind of record holds: its feed, the key to it, and another feed of the same kind."""

    town: Town
    feed: Feed
    key: str
    beside: Feed
    beside_key: str


def machine(town: Town, kind: str, mark: str = "") -> Machine:
    if kind == "gunfire" and not CrimeType.objects.filter(agency=town.agency, nibrs_code="gunfire").exists():
        make_gunfire_type(town.agency)
    feeds = [push_feed(town.agency, kind, slug=f"{mark}{kind}-{name}") for name in ("one", "two")]
    if mark:
        Feed.objects.filter(pk__in=[feed.pk for feed in feeds]).update(name=f"{NAME} {kind}")
    maker = town.people["admin"]
    keys = [make_token(feed, user=maker) for feed in feeds]
    return Machine(town, feeds[0], keys[0], feeds[1], keys[1])


@pytest.fixture
def machines(kind: str) -> tuple[Machine, Machine]:
    """Ours and theirs of this kind, and in theirs, and in the feed beside ours, the rows that we send are there already."""
    ours, theirs = (machine(town, kind, mark) for town, mark in zip(two_towns(), ("", KEY), strict=True))
    # A code that stands for something in their feed alone.
    if kind != "positions":
        OffenceCode.objects.create(
            agency=theirs.town.agency, feed=theirs.feed, code=f"{KEY}-code",
            crime_type=theirs.town.first(CrimeType, nibrs_code="gunfire" if kind == "gunfire" else "220"),
        )  # fmt: skip
    for key in (theirs.key, ours.beside_key):
        answer = push(key, kind, [row(kind, number) for number in (1, 2)])
        assert counts_of(answer) == {"received": 2, "inserted": 2}, answer.content
    # Kept aside there, under an identifier that we shall send too.
    if kind != "positions":
        assert counts_of(push(theirs.key, kind, [row(kind, 3, lat="north")]))["quarantined"] == 1
    assert not crossings()
    return ours, theirs


def row(kind: str, number: int, **changes: Any) -> dict[str, Any]:
    """One that the town's machine would rightly send."""
    lon, lat = place(number)
    if kind == "positions":
        at = timezone.now().replace(minute=0, second=number % 60, microsecond=0) - dt.timedelta(
            hours=1 + number // 60
        )
        # A position has no code that could be changed.
        changed = {name: value for name, value in changes.items() if name != "code"}
        return {"unit": "R11", "at": at.isoformat(), "lon": lon, "lat": lat, **changed}
    own = {
        "incidents": {},
        "calls": {"nibrs_code": "", "code": "ALARM", "discovery": "911"},
        "gunfire": {"nibrs_code": "", "code": "", "stage": "reviewed", "stage_at": AT.isoformat()},
    }[kind]
    return good_row(number, **own) | changes


def naming(theirs: Machine) -> dict[str, Any]:
    """Every name under which somebody might hope to reach their feed, their agency or one of their rows."""
    agency, feed = theirs.town.agency, theirs.feed
    words = {
        "agency": agency.pk, "agency_id": agency.pk, "agency_slug": agency.slug, "feed": feed.pk, "feed_id": feed.pk,
        "feed_slug": feed.slug, "token": theirs.key, "datasource": feed.slug, "run": theirs.town.agency.importrun_set.first().pk,
        "crime_type": theirs.town.first(CrimeType).slug, "crime_type_id": theirs.town.first(CrimeType).pk,
        "unit_id": theirs.town.unit.pk,
    }  # fmt: skip
    return {name: str(value) for name, value in words.items()}


def ways(kind: str, rows: list[dict[str, Any]], named: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each form in which a batch may be sent, with the names in the rows, around them and beside them."""
    full = [{**one, **named} for one in rows]
    lines = io.StringIO()
    writer = csv.DictWriter(lines, fieldnames=list(full[0]))
    writer.writeheader()
    writer.writerows(full)
    headers = {f"HTTP_X_{name.upper()}": value for name, value in named.items()}
    return {
        "a list": {"rows": full},
        "rows within": {"rows": {**named, "rows": full}},
        "csv": {"rows": lines.getvalue(), "content_type": "text/csv"},
        "the address's query": {"rows": full, "query_params": named},
        "the head's lines": {"rows": full, **headers},
    }


def stored(feed: Feed) -> list[Any]:
    """The feed's rows, as they are."""
    model = VehiclePosition if feed.record_kind == "positions" else fact_model(feed.record_kind)
    return sorted(map(repr, model._default_manager.filter(feed=feed).values()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_goes_to_the_keys_own_feed_whatever_it_names(
    kind: str, machines: tuple[Machine, Machine]
) -> None:
    ours, theirs = machines
    before, beside = rows_of(theirs.town.agency), stored(ours.beside)
    assert len(beside) == 2
    named = naming(theirs)
    # As theirs in the other feed, changed; one that is kept aside there, mended; one that will be kept aside here.
    batch = [row(kind, 1), row(kind, 2, code="B-2"), row(kind, 3), row(kind, 4, lat="north")]
    batch += [row(kind, 10 + number) for number in range(SEVERAL)]
    usable = len(batch) - 1
    for way, sent in ways(kind, batch, named).items():
        answer = push(ours.key, kind, **sent)
        assert answer.status_code == 200, (way, answer.content)
        counts = answer.json()
        assert counts["inserted"] + counts["unchanged"] + counts["updated"] == usable, (
            way,
            counts_of(answer),
        )
        assert NAME not in answer.content.decode(), way
        assert len(stored(ours.feed)) == usable, way
        assert rows_of(theirs.town.agency) == before, way
        assert stored(ours.beside) == beside, way
        assert not crossings(), way
    kept = words_of(ours.town.agency)
    assert NAME not in kept
    # What was asked for by their words is kept nowhere with us, for none of them is read.
    assert KEY not in kept


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_opens_the_address_of_its_own_kind_alone(kind: str, machines: tuple[Machine, Machine]) -> None:
    ours, theirs = machines
    before, own = rows_of(theirs.town.agency), rows_of(ours.town.agency)
    for other in set(KINDS) - {kind}:
        there = push_feed(ours.town.agency, other)
        own = rows_of(ours.town.agency)
        answer = push(ours.key, other, [{**row(other, 1), "feed": there.pk, "feed_slug": there.slug}])
        assert answer.status_code == 403, (other, answer.content)
        assert NAME not in answer.content.decode()
        assert rows_of(ours.town.agency) == own, other
    assert rows_of(theirs.town.agency) == before
    # Nor does a key that pushes nothing open its own.
    for who in ("read key", "patrols key"):
        assert push(ours.town.scene.keys[who], kind, [row(kind, 1)]).status_code == 403
    assert push(ours.town.feed_keys["read"], kind, [row(kind, 1)]).status_code == 403
    assert rows_of(ours.town.agency) == own


@pytest.mark.parametrize("kind", KINDS)
def test_another_agencys_key_that_names_our_feed_writes_into_its_own(
    kind: str, machines: tuple[Machine, Machine]
) -> None:
    ours, theirs = machines
    own, there = stored(ours.feed), len(stored(theirs.feed))
    answer = push(
        theirs.key, kind, [{**row(kind, 5), "agency": ours.town.agency.slug, "feed": ours.feed.slug}]
    )
    assert counts_of(answer) == {"received": 1, "inserted": 1}
    assert stored(ours.feed) == own
    assert len(stored(theirs.feed)) == there + 1
    assert not crossings()


def test_another_agencys_call_sign_is_no_unit_here() -> None:
    ours, theirs = two_towns()
    calls, positions = machine(ours, "calls"), machine(ours, "positions")
    sign, own = theirs.unit.call_sign, ours.unit.call_sign
    assert KEY in sign
    before = rows_of(theirs.agency)
    patrol = {
        "discovery": "officer",
        "code": "PATROL",
        "nibrs_code": "",
        "occurred_to": "2025-12-01T04:00:00",
    }
    sent = [
        good_row(1, **patrol, unit=sign),
        good_row(2, **patrol, unit=own),
        good_row(3, **patrol, unit=theirs.unit.pk),
    ]
    answer = push(calls.key, "calls", sent)
    assert counts_of(answer)["received"] == 3
    assert set(CallForService.objects.filter(feed=calls.feed).values_list("unit_code", flat=True)) <= {
        "",
        own,
    }
    answer = push(positions.key, "positions", [row("positions", 1, unit=sign), row("positions", 2, unit=own)])
    assert [one.get("code") for one in answer.json()["results"]] == ["unknown_unit", None]
    known = dict(
        VehiclePosition.objects.filter(feed=positions.feed).values_list("unit_code", "is_known_unit")
    )
    assert known == {sign: False, own: True}
    assert rows_of(theirs.agency) == before
    assert not crossings()


def test_another_feeds_code_means_nothing_here() -> None:
    ours, theirs = two_towns()
    here, there = machine(ours, "incidents"), machine(theirs, "incidents", KEY)
    for feed, crime_type in (
        (there.feed, theirs.first(CrimeType, slug__startswith=KEY)),
        (here.beside, ours.first(CrimeType)),
    ):
        OffenceCode.objects.create(agency=feed.agency, feed=feed, code="ZZ-9", crime_type=crime_type)
    answer = push(here.key, "incidents", [good_row(1, code="ZZ-9", nibrs_code="")])
    assert [one["code"] for one in answer.json()["results"]] == ["unmapped_code"]
    assert NAME not in answer.content.decode()
    # In the feed beside it, the same row is one of the agency's own type.
    assert (
        counts_of(push(here.beside_key, "incidents", [good_row(1, code="ZZ-9", nibrs_code="")]))["inserted"]
        == 1
    )
    assert not crossings()


def test_a_key_that_pushes_reads_nothing_and_is_not_told_which_agencies_there_are() -> None:
    ours, theirs = two_towns()
    pushing = [machine(ours, kind) for kind in KINDS]
    before, own = rows_of(theirs.agency), rows_of(ours.agency)
    for method, name, places in ROUTES:
        for one in pushing:
            client = Client(headers={"authorization": f"Token {one.key}"})
            answers = [
                client.generic(
                    method, address(ours.scene, name, places, slug), "{}", content_type="application/json"
                )
                for slug in (theirs.agency.slug, "nowhere")
            ]
            assert [answer.status_code for answer in answers] == [404, 404], (method, name)
            there, nowhere = (answer.content.decode() for answer in answers)
            assert there.replace(theirs.agency.slug, "nowhere") == nowhere, (method, name)
            assert NAME not in there
    assert (rows_of(theirs.agency), rows_of(ours.agency)) == (before, own)


def test_a_file_that_a_machine_uploads_waits_in_the_keys_own_feed() -> None:
    ours, theirs = two_towns()
    for kind in ("incidents", "calls"):
        here, there = machine(ours, kind), machine(theirs, kind, f"{KEY}{kind}")
        before = rows_of(theirs.agency)
        lines = "datasource,id,class,pointx,pointy,datetimefrom,agency,feed\r\n"
        lines += f"{there.feed.slug},R1,B-1,-87.69,41.81,2026-03-01T21:40:00,{theirs.agency.slug},{there.feed.pk}\r\n"
        form = naming(there) | {"file": SimpleUploadedFile("rows.csv", lines.encode())}
        answer = Client(headers={"authorization": f"Token {here.key}"}).post("/api/dataservice/", form)
        assert answer.status_code == 202, answer.content
        run = ImportRun.objects.get(job_id=answer.json()["import_job_id"])
        assert (run.feed, run.agency) == (here.feed, ours.agency)
        assert NAME not in answer.content.decode()
        assert rows_of(theirs.agency) == before
        # Neither another agency's key nor one of another of our feeds is told of it.
        for other, status in ((there.key, 404), (here.beside_key, 404), (here.key, 202)):
            client = Client(headers={"authorization": f"Token {other}"})
            assert client.get(f"/api/dataservice/{run.job_id}/").status_code == status
    assert not crossings()


@pytest.mark.postgres
@pytest.mark.parametrize("kind", KINDS)
def test_with_the_first_wall_taken_away_the_second_takes_no_row(
    kind: str, machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the key opened whichever feed the sender asked for: the database still has its key's agency within reach alone."""
    ours, theirs = machines
    before = rows_of(theirs.town.agency)
    assert stored(theirs.feed)
    monkeypatch.setattr(push_views, "feed_of", lambda request: theirs.feed)
    there = len(stored(theirs.feed))
    for batch in ([row(kind, 5)], [row(kind, 20 + number) for number in range(SEVERAL)]):
        answer = push(ours.key, kind, batch)
        assert answer.status_code >= 400, answer.content
        assert rows_of(theirs.town.agency) == before
        assert NAME not in answer.content.decode()
    assert not crossings()
    # With the second away too, the same batch lands with them: it was the wall that kept it out.
    raw("SET CONSTRAINTS ALL IMMEDIATE")
    walls_remove(connection, walled_now(connection))
    assert push(ours.key, kind, batch).status_code == 200
    assert len(stored(theirs.feed)) == there + SEVERAL
