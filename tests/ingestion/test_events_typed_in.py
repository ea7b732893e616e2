"""An administrator types in an event; what a calendar brought is changed in the calendar; others' events do not exist."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from ingestion.models import Feed, ScheduledEvent, WeatherHour

GIVEN = {
    "name": "Street fair",
    "kind": "festival",
    "starts_at_0": "2024-07-04",
    "starts_at_1": "10:00",
    "ends_at_0": "2024-07-04",
    "ends_at_1": "22:00",
    "announced_at_0": "2024-05-01",
    "announced_at_1": "09:00",
}


@pytest.fixture
def calendar(agency) -> Feed:
    return Feed.objects.create(
        agency=agency, name="Games", slug="games", record_kind="events", kind="ical_file"
    )


def make_event(agency, **fields) -> ScheduledEvent:
    start = dt.datetime(2024, 7, 4, 15, tzinfo=dt.UTC)
    given = {"name": "Fair", "kind": "fair", "starts_at": start, "ends_at": start + dt.timedelta(hours=2)}
    return ScheduledEvent.objects.create(agency=agency, **(given | fields))


def add(client, agency, **more):
    return client.post(reverse("admin:ingestion_scheduledevent_add"), GIVEN | {"agency": agency.pk} | more)


def test_an_event_is_typed_in_by_the_agencys_clock(agency, owner, sign_in):
    client = sign_in(owner)
    assert add(client, agency, lon="-87.69", lat="41.81", attendance="5000").status_code == 302
    event = ScheduledEvent.objects.get()
    assert event.starts_at == dt.datetime(2024, 7, 4, 15, tzinfo=dt.UTC), "ten o'clock in Chicago"
    assert (event.feed, event.lon, event.attendance) == (None, -87.69, 5_000)
    page = client.get(reverse("admin:ingestion_scheduledevent_change", args=[event.pk])).content.decode()
    assert "10:00" in page
    assert "Street fair" in client.get(reverse("admin:ingestion_scheduledevent_changelist")).content.decode()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ends_at_1": "09:00"}, "must end after it begins"),
        ({"lon": "-87.69"}, "Give both coordinates"),
        ({"lon": "443000", "lat": "41"}, "not longitude and latitude"),
        ({"kind": "parolees"}, "about persons"),
    ],
)
def test_an_event_that_cannot_be_is_not_saved_and_says_why(agency, owner, sign_in, more, message):
    page = add(sign_in(owner), agency, **more)
    assert message in page.content.decode()
    assert not ScheduledEvent.objects.exists()


def test_what_a_calendar_brought_is_looked_at_and_not_changed(agency, owner, sign_in, calendar):
    event = make_event(agency, feed=calendar, external_id="a")
    client = sign_in(owner)
    url = reverse("admin:ingestion_scheduledevent_change", args=[event.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, GIVEN | {"agency": agency.pk}).status_code == 403
    event.refresh_from_db()
    assert event.name == "Fair"


def test_events_and_weather_of_another_agency_do_not_exist(
    agency, owner, stranger, colleague, sign_in, calendar
):
    event = make_event(agency)
    start = dt.datetime(2024, 7, 4, 15, tzinfo=dt.UTC)
    hour = WeatherHour.objects.create(agency=agency, feed=calendar, valid_at=start, issued_at=start)
    for person, status in ((owner, 200), (stranger, 302), (colleague, 302), (None, 302)):
        client = sign_in(person)
        for name, row in (("scheduledevent", event), ("weatherhour", hour)):
            assert client.get(reverse(f"admin:ingestion_{name}_change", args=[row.pk])).status_code == status
    listing = sign_in(stranger).get(reverse("admin:ingestion_scheduledevent_changelist")).content.decode()
    assert "Fair" not in listing


def test_the_database_keeps_one_row_an_event_and_both_coordinates_or_none(agency, calendar):
    make_event(agency, feed=calendar, external_id="a")
    make_event(agency)
    make_event(agency)
    bad = (
        {"feed": calendar, "external_id": "a"},
        {"lon": 1.0},
        {"ends_at": dt.datetime(2024, 7, 4, 15, tzinfo=dt.UTC)},
    )
    for fields in bad:
        with pytest.raises(IntegrityError, match=r"UNIQUE|CHECK|unique|check"), transaction.atomic():
            make_event(agency, **fields)
