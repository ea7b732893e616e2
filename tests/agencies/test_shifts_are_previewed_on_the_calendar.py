"""The shift page says what the saved times mean, in the nights when the clocks change, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time

from django.test import Client
from django.urls import reverse

from agencies.admin.shift_changes import shift_panels
from agencies.admin.shifts import preview_rows
from agencies.models import Agency, Shift, User


def shift(agency: Agency, start: time, minutes: int = 480, weekdays: str = "0123456") -> Shift:
    return Shift(
        agency=agency, name="x", slug="x", starts_at=start, duration_minutes=minutes, weekdays=weekdays
    )


def test_a_shift_over_the_spring_change_ends_an_hour_later_by_the_wall(agency: Agency) -> None:
    rows = preview_rows(shift(agency, time(0)), datetime(2026, 1, 10, 12, tzinfo=UTC))
    assert rows[0] == {
        "start": "Sun 11 Jan 2026 00:00 CST",
        "end": "Sun 08:00 CST",
        "hours": "8 h",
        "note": "",
    }
    noted = [row for row in rows if row["note"]]
    assert [(row["start"], row["end"]) for row in noted] == [
        ("Sun 8 Mar 2026 00:00 CST", "Sun 09:00 CDT"),
        ("Sun 1 Nov 2026 00:00 CDT", "Sun 07:00 CST"),
    ]
    assert "forward by 60 minutes" in noted[0]["note"]
    assert "back by 60 minutes" in noted[1]["note"]


def test_a_start_in_the_gap_is_said(agency: Agency) -> None:
    rows = preview_rows(shift(agency, time(2, 30)), datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert any("02:30 does not exist on that day" in row["note"] and "03:00" in row["start"] for row in rows)


def test_an_agency_of_twelve_hours_reads_its_previews_so(agency: Agency) -> None:
    evening = shift(agency, time(16, 30))
    told = [cell.text for panel in shift_panels(agency, None, evening) for row in panel.rows for cell in row]
    assert "16:30–00:30" in told
    agency.clock = "12"
    told = [cell.text for panel in shift_panels(agency, None, evening) for row in panel.rows for cell in row]
    assert "4:30\xa0PM–12:30\xa0AM" in told
    assert not any(re.search(r"\b(1[3-9]|2[0-3]|0\d):", text) for text in told)
    gap = preview_rows(shift(agency, time(2, 30)), datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert any("2:30\xa0AM does not exist" in row["note"] and "3:00\xa0AM" in row["start"] for row in gap)


def test_weekdays_are_checkboxes_and_kept_as_digits(
    sign_in: Callable[[User | None], Client], agency: Agency, owner: User
) -> None:
    evening = Shift.objects.get(agency=agency, slug="evening")
    address = reverse("admin:agencies_shift_change", args=[evening.pk])
    client = sign_in(owner)
    page = client.get(address).content.decode()
    assert page.count('type="checkbox" name="weekdays"') == 7
    data = {"name": "Evening", "slug": "evening", "starts_at": "16:00", "duration_minutes": "480"}
    assert client.post(address, data | {"weekdays": ["4", "5"]}).status_code == 302
    evening.refresh_from_db()
    assert evening.weekdays == "45"
    answer = client.post(address, data)
    assert "Name at least one day." in str(answer.context["adminform"].form.errors)
