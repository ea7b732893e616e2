"""The pictures of README and of the documentation's tour: taken from the demo, scaled, compressed, listed with their date."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
MOST_BYTES = 1_500_000
"""All pictures together: a checkout is read on slow lines too."""
PAST = "/riverton-study"
NOBODY = "nobody"


@dataclass(frozen=True)
class Picture:
    """One picture: its file's name, who looks, at which address, what it shows."""

    name: str
    person: str
    address: str
    shows: str
    size: str = "desk"
    theme: str = "light"
    height: int = 0
    before: Callable[[Any], None] | None = None
    part: str = ""


def first_mission(page: Any) -> None:
    """Open the first mission's drawer. The first "why here" after a start reads the incidents: it takes seconds."""
    page.click(".mission")
    page.wait_for_selector("#drawer h3", timeout=60_000)
    page.wait_for_load_state("networkidle")


PICTURES = (
    Picture("shift-map", "supervisor", "/riverton/shifts/", "the shift board: tonight's boxes, the list by beat, one mission's drawer, visits over time", before=first_mission),
    Picture("shift-map-phone", "supervisor", "/riverton/shifts/", "the same on a phone: the list first", size="phone"),
    Picture("shift-map-night", "supervisor", "/riverton/shifts/", "the same at night", theme="dark"),
    Picture("policy", "supervisor", "/riverton/policy/preview/", "a patrol policy's dials and what they would do to tonight's plan"),
    Picture("print", "supervisor", "print", "the sheet of one beat, for a clipboard", part=".sheet"),
    Picture("risk-map", "analyst", "/riverton/risk/", "the risk map: expected harm by cell, the highest cells"),
    Picture("trends", "analyst", "/riverton/reports/crime-trends/", "the crime trends report", height=1300),
    Picture("quality", "analyst", "/riverton/data/cad-calls/", "the quality page of one feed", height=1300),
    Picture("study", "analyst", "study", "a study's answer: what missions changed, with its interval and its checks", height=1300),
    Picture("effectiveness", "analyst", f"{PAST}/reports/effectiveness/?from={{first}}&to={{last}}", "the effectiveness report: what missions' boxes held, against chance and a plain count", height=1300),
    Picture("unit-activity", "supervisor", "/riverton/reports/unit-activity/?from={begun}&to={ended}", "unit activity: visits, minutes and tactics by unit, ranking nobody", height=1300),
    Picture("officer", "officer", "/riverton/my/", "the officer's page after dusk", size="phone", theme="dark"),
    Picture("officer-day", "officer", "/riverton/my/", "the same by day", size="phone"),
    Picture("guide", "officer", "/riverton/officer/guide/", "the officer's guide", size="phone"),
    Picture("admin", "admin", "/admin/", "the administration's start page"),
    Picture("beats", "admin", "first /admin/agencies/beat/", "a beat on its map", height=1100),
    Picture("patrol-policy", "admin", "first /admin/patrols/patrolpolicy/", "a form: every field says what it changes", height=1100),
    Picture("audit-log", "auditor", "/riverton/audit-log/", "the audit log: who did what, when, why"),
    Picture("exposure", "auditor", f"{PAST}/packs/{{pack}}/", "a transparency pack's findings: beats that got more or less patrol than their part of crime, and the answers", height=1100),
    Picture("operator", "operator", "/operator/", "the operator's page: queues, workers, runs, feeds and forecasts of all agencies", height=1100),
    Picture("public-pack", NOBODY, f"{PAST}/transparency/{{pack}}/", "the same pack's public page, as anybody reads it without signing in", height=1300),
)  # fmt: skip


def address_of(page: Any, site: str, picture: Picture) -> str:
    """The picture's address; some are only known from a link on another page."""
    if picture.address == "print":
        page.goto(f"{site}/riverton/shifts/")
        return str(page.locator("a[href*='/print/']").first.get_attribute("href"))
    if picture.address.startswith("first "):
        page.goto(site + picture.address.removeprefix("first "))
        return str(page.locator("#result_list tbody th a").first.get_attribute("href"))
    if picture.address == "study":
        page.goto(f"{site}{PAST}/studies/")
        return str(page.locator("main .card a, main h2 a, main h3 a").first.get_attribute("href"))
    if "{" in picture.address:
        from tools.tour_past import told_of_the_past

        return picture.address.format(**told_of_the_past())
    return picture.address


def compressed(png: bytes, width: int) -> bytes:
    """A picture as WebP, `width` pixels wide at most: maps and small print stay legible, a page of twelve loads fast."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=76, method=6)
    return out.getvalue()


def picture_take(browser: Any, site: str, picture: Picture) -> int:
    """Take one picture and keep it compressed. Gives its size in bytes."""
    from agencies.models import User
    from tools.screenshots import SIZES, opened, settle

    person = None if picture.person == NOBODY else User.objects.get(username=picture.person)
    with opened(browser, site, person, picture.size, picture.theme) as (page, faults):
        address = address_of(page, site, picture)
        settle(page, address if address.startswith("http") else site + address)
        page.evaluate("theme => document.querySelector(`[data-look=${theme}]`)?.click()", picture.theme)
        if picture.before:
            picture.before(page)
        # Charts below the fold are fetched when somebody scrolls there: here nobody does.
        page.evaluate("() => { for (const image of document.images) { image.loading = 'eager'; } }")
        page.wait_for_function("() => [...document.images].every(image => image.complete)", timeout=60_000)
        page.wait_for_timeout(800)
        width, height = SIZES[picture.size]
        box = {"x": 0, "y": 0, "width": width, "height": picture.height or height}
        if picture.part:
            png = page.locator(picture.part).first.screenshot()
        else:
            png = page.screenshot(clip=box, full_page=bool(picture.height))
        for fault in faults:
            print(f"  {picture.name}: {fault}")
    data = compressed(png, 1200 if picture.size == "desk" else 390)
    (FOLDER / f"{picture.name}.webp").write_bytes(data)
    return len(data)


def picture_list(made_on: dt.date) -> str:
    """docs/screenshots/README.md: what each picture shows, whose page it is, when it was made."""
    lines = [
        "# The pictures",
        "",
        "Made from the demo city, which is invented, by a script: nothing in them is drawn by hand, nobody in them is real.",
        f"Made on {made_on.isoformat()} with:",
        "",
        "```sh",
        'make screenshots ARGS="--tour"',
        "```",
        "",
        "| picture | whose page | shows |",
        "|---|---|---|",
    ]
    for one in PICTURES:
        where = "phone" if one.size == "phone" else "desk"
        lines.append(
            f"| [{one.name}.webp]({one.name}.webp) | {one.person}, {where}, {one.theme} | {one.shows} |"
        )
    return "\n".join(lines) + "\n"


def tour_take(browser: Any, site: str, only: str = "") -> int:
    """Take those whose name holds ``only``. Gives 1 where all of them became too heavy for the repository."""
    from tools.tour_past import past_ensure

    FOLDER.mkdir(parents=True, exist_ok=True)
    past_ensure()
    for picture in PICTURES:
        if only not in picture.name:
            continue
        size = picture_take(browser, site, picture)
        print(f"docs/screenshots/{picture.name}.webp  {size / 1000:.0f} kB", flush=True)
    total = sum(path.stat().st_size for path in FOLDER.glob("*.webp"))
    (FOLDER / "README.md").write_text(picture_list(dt.datetime.now(dt.UTC).date()), encoding="utf-8")
    print(f"{total / 1000:.0f} kB together, {MOST_BYTES / 1000:.0f} at most")
    return 0 if total <= MOST_BYTES else 1
