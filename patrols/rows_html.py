"""The list's rows and unit chips as HTML. Written by hand: a template takes a tenth of a second for three hundred of them."""

from html import escape

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from patrols.board import MissionRow


def drawer_address(agency_slug: str) -> str:
    """Return where missions' drawers are, up to the mission's number. Once a page: a hundred beats share it."""
    return reverse("patrols:drawer", args=[agency_slug, 0]).removesuffix("0/")


def rows_html(rows: tuple[MissionRow, ...] | list[MissionRow], drawer: str) -> SafeString:
    """Return a list item a mission; every text in it is escaped. ``drawer`` as of ``drawer_address``. No query."""
    return mark_safe("".join(_row(row, drawer) for row in rows))  # nosec B308 B703 - every text in it is escaped


def _row(row: MissionRow, drawer: str) -> str:
    mission, crime_type = row.mission, row.mission.crime_type
    times = "".join(f"<span>{time}</span>" for time in row.times)
    marks = "".join(f' <small class="chip">{escape(mark)}</small>' for mark in row.marks)
    why = f' title="{escape(mission.headline_said)}"' if mission.headline else ""
    name = escape(crime_type.name)
    expected_title = _("Expected %(name)s in this box in this shift") % {"name": name}
    harm_title = _("Expected harm: severity weight × expected count")
    return (
        f'<li><button class="mission mission--{row.css}" id="mission-{mission.pk}" data-mission="{mission.pk}" '
        f'hx-get="{drawer}{mission.pk}/" hx-target="#drawer">'
        '<span class="mission__grip" aria-hidden="true">⠿</span>'
        f'<span class="mission__number">{row.label}</span>'
        f'<span class="type-box type-{escape(crime_type.slug)}" title="{name}">{escape(crime_type.letter)}</span>'
        f'<span class="mission__times">{times}</span>'
        f'<span class="mission__place"{why}>{escape(row.place)}{marks}</span>'
        f'<span class="mission__unit">{escape(row.unit) or "–"}</span>'
        f'<span class="mission__expected" title="{expected_title}">{row.expected}</span>'
        f'<span class="mission__harm" title="{harm_title}">{row.harm}</span>'
        f'<span class="mission__state" title="{row.state}">{row.sign}<span class="visually-hidden">{row.state}</span>'
        "</span></button></li>\n"
    )


def chip_html(key: int, call_sign: str, load: int, capacity: int) -> str:
    """Return a unit as a button: missions are dropped on it, it is dragged to them, or pressed before them. Escaped."""
    name = escape(call_sign)
    full = " unit--full" if load == capacity else " unit--burdened" if load > capacity else ""
    title = _(
        "%(load)s of the %(capacity)s missions that it can take. Drag it to a box, drop a mission here, or press it and then "
        "missions"
    ) % {"load": load, "capacity": capacity}
    return (
        f'<button type="button" class="unit{full}" id="unit-{key}" data-unit="{key}" data-name="{name}" aria-pressed="false" '
        f'title="{title}">{name} <b>{load}/{capacity}</b></button>'
    )
