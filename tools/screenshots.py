"""Screenshots of every page, for each role, in light and dark, on a desk and on a phone: to be looked at one by one.

    make screenshots                                      # every page into var/screenshots, with an index.html
    make screenshots ARGS="--role officer --only phone"   # some of them
    make screenshots ARGS="--tour"                        # the pictures of README and docs, into docs/screenshots

Shows the demo city in var/ (made where it is not there yet), or the data of another folder with `--var DIR`. Starts a web server of its own on
a free port and stops it; the demo may be running or not. Ends with 1 where a page has something that the eye may miss: an error in the
console, a request that failed or left for another server, a map without anything drawn on it, a page wider than its screen.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SIZES = {
    "desk": (1440, 900),
    "laptop": (1280, 800),
    "zoomed": (640, 400),
    "phone": (390, 844),
    "narrow": (360, 740),
}
TOUCHED = ("phone", "narrow")
USUAL = ("desk", "phone")
"""The sizes that are taken unasked. "narrow" is the least width that every page must do with, the administration's too;
"zoomed" is a laptop whose reader has set 200 %."""
TALLEST = 3200
"""Pixels of a page that are kept: a list of thousands of rows is looked at by its beginning."""
PAST = "/riverton-study"
"""The second demo agency with past shifts, where `manage.py demo_history` made it: studies and reports have something to show there."""
ROLES = {
    # role: (addresses that its people start from, whether they also hold a phone)
    "nobody": (("/accounts/login/", "/accounts/password/reset/", f"{PAST}/transparency/"), True),
    "officer": (("/", "/riverton/my/", "/riverton/my/training/"), True),
    "supervisor": (("/", "/riverton/shifts/", f"{PAST}/dosage/"), True),
    "analyst": (
        ("/", "/riverton/risk/", "/riverton/reports/", f"{PAST}/studies/", "/riverton/data/"),
        False,
    ),
    "auditor": (("/", "/riverton/audit-log/", f"{PAST}/packs/"), False),
    "admin": (("/", "/admin/"), False),
    "operator": (
        ("/", "/operator/", "/admin/", "/admin/agencies/agency/", "/admin/agencies/agency/add/", "/admin/agencies/agency/configuration/import/",
         "/admin/ingestion/apitoken/", "/admin/ingestion/agencykey/add/", *(f"/admin/django_celery_beat/{name}/{end}" for end in ("", "add/") for name in
         ("periodictask", "crontabschedule", "intervalschedule", "clockedschedule", "solarschedule"))),
        False,
    ),
}  # fmt: skip
AS_GIVEN = ("operator",)
"""Who reaches what the administrator reaches and a few pages more: these alone are shown."""
WRONG_TURNS = {
    "officer": (("403", "/riverton/risk/"), ("404", "/riverton/nothing-here/")),
    "analyst": (("400", "/riverton/reports/crime-trends/?type=gone"),),
}
"""Error pages are pages too; no link leads to them."""
LOOK = """() => {
  const maps = [...document.querySelectorAll('.leaflet-container')].filter(map => map.offsetHeight > 0);
  const drawn = map => map.querySelectorAll('.leaflet-pane path, .leaflet-pane canvas, .leaflet-image-layer, .leaflet-marker-icon').length;
  const pictures = [...document.images].filter(image => image.complete && image.naturalWidth === 0);
  return {title: document.title, maps: maps.length, empty: maps.filter(map => !drawn(map)).length,
          broken: pictures.map(image => image.getAttribute('src')),
          wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          height: document.documentElement.scrollHeight};
}"""


@dataclass
class Shot:
    """One picture, and what is wrong with the page on it."""

    role: str
    kind: str
    address: str
    title: str
    size: str
    theme: str
    file: str
    faults: list[str] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[str]:
    """The product on a free port of this machine, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["gunicorn", "missions_project.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/accounts/login/", timeout=2)
                break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def session_of(person: Any) -> str:
    """The value of a session cookie for this person: no password is typed, no sign-in limit is met."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@contextmanager
def opened(
    browser: Any, site: str, person: Any, size: str, theme: str = "light"
) -> Iterator[tuple[Any, list[str]]]:
    """A browser page signed in as the person, and the list into which its faults are written."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, has_touch=size in TOUCHED
    )
    if person is not None:
        context.add_cookies([{"name": "sessionid", "value": session_of(person), "url": site}])
    page = context.new_page()
    faults: list[str] = []
    own = urlsplit(site).netloc

    def answered(response: Any) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            faults.append(f"answered {response.status}: {urlsplit(response.url).path}")

    def asked(request: Any) -> None:
        host = urlsplit(request.url).netloc
        if host not in (own, ""):
            faults.append(f"left for another server: {host}")

    page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("response", answered)
    page.on("request", asked)
    try:
        yield page, faults
    finally:
        context.close()


def settle(page: Any, address: str) -> None:
    """Open an address and wait until it is quiet: pages that ask each second for news never are, and get three seconds."""
    from playwright.sync_api import TimeoutError as TooLong

    page.goto(address, wait_until="load", timeout=60_000)
    try:
        page.wait_for_load_state("networkidle", timeout=3_000)
    except TooLong:
        pass
    # Charts below the fold are fetched when somebody scrolls there: here nobody does.
    page.evaluate("() => { for (const image of document.images) { image.loading = 'eager'; } }")
    try:
        page.wait_for_function("() => [...document.images].every(image => image.complete)", timeout=20_000)
    except TooLong:
        print(f"  {address}: a picture took longer than 20 s", flush=True)
    page.wait_for_timeout(250)


def look(page: Any, size: str, expected_error: bool) -> tuple[dict[str, Any], list[str]]:
    """What the page says of itself, and what of it is wrong."""
    seen: dict[str, Any] = page.evaluate(LOOK)
    faults = [f"picture without content: {source}" for source in seen["broken"]]
    if seen["empty"]:
        faults.append(f"{seen['empty']} of {seen['maps']} maps with nothing drawn")
    if seen["wide"] > 0:
        faults.append(f"{seen['wide']} px wider than the {size}")
    if not seen["title"].strip() and not expected_error:
        faults.append("no title")
    return seen, faults


def shoot_role(
    browser: Any, site: str, folder: Path, role: str, person: Any, wanted: argparse.Namespace
) -> list[Shot]:
    """Every page of one role in every theme and size that was asked for."""
    from playwright.sync_api import Error as BrowserError

    from tools.sights import Sight, kind_of, pages_of

    starts, holds_phone = ROLES[role]
    if role in AS_GIVEN:
        sights = [Sight(str(kind_of(address)), address, "given") for address in starts]
    else:
        sights = pages_of(person, starts)
    sights += [Sight(f"error {code}", address, "a wrong turn") for code, address in WRONG_TURNS.get(role, ())]
    sights = [sight for sight in sights if wanted.only in sight.kind]
    print(f"{role}: {len(sights)} pages", flush=True)
    shots = []
    (folder / role).mkdir(parents=True, exist_ok=True)
    for size in wanted.size or USUAL:
        if size == "phone" and not holds_phone:
            continue
        with opened(browser, site, person, size) as (page, faults):
            for sight in sights:
                if size == "phone" and sight.kind.startswith("admin:"):
                    continue
                faults.clear()
                page.emulate_media(color_scheme="light")
                try:
                    settle(page, site + sight.address)
                except BrowserError as problem:
                    # One page that does not open must not cost the pictures of all others.
                    said = f"does not open: {problem.message.splitlines()[0]}"
                    shots.append(Shot(role, sight.kind, sight.address, "", size, "light", "", [said]))
                    print(f"  {sight.address} {said}", flush=True)
                    continue
                for theme in wanted.theme or ("light", "dark"):
                    page.emulate_media(color_scheme=theme)
                    # The officer's page goes by the sun unless it is told otherwise.
                    page.evaluate("theme => document.querySelector(`[data-look=${theme}]`)?.click()", theme)
                    page.wait_for_timeout(150)
                    seen, more = look(page, size, sight.kind.startswith("error"))
                    name = f"{role}/{sight.stem}-{size}-{theme}.png"
                    height = max(SIZES[size][1], min(seen["height"], TALLEST))
                    page.screenshot(
                        path=str(folder / name),
                        full_page=True,
                        clip={"x": 0, "y": 0, "width": SIZES[size][0], "height": height},
                    )
                    noted = [] if sight.kind.startswith("error") else sorted({*faults, *more})
                    shots.append(
                        Shot(role, sight.kind, sight.address, seen["title"], size, theme, name, noted)
                    )
                    if noted:
                        print(f"  {name}: {'; '.join(noted)}", flush=True)
    return shots


INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Screenshots</title><style>
body{font:14px/1.4 system-ui,sans-serif;margin:16px;background:#eee;color:#222}
h2{margin:32px 0 8px} .all{display:flex;flex-wrap:wrap;gap:12px}
figure{margin:0;background:#fff;border-radius:6px;padding:8px;width:320px}
figure.faulty{outline:3px solid #c4472b} img{width:100%%;height:220px;object-fit:cover;object-position:top;border:1px solid #ccc}
figcaption{overflow-wrap:anywhere} code{font-size:12px} .fault{color:#a5371f}
</style></head><body><h1>%(count)d screenshots of %(pages)d pages</h1>
<p>%(what)s. %(faulty)d pages have something to look at, outlined.</p>
%(sections)s
</body></html>
"""


def write_index(folder: Path, shots: list[Shot], what: str) -> None:
    """index.html shows all of them with names, addresses and faults; faults.json is the same for a program."""
    sections = []
    for role in dict.fromkeys(shot.role for shot in shots):
        figures = []
        for shot in (one for one in shots if one.role == role):
            noted = "".join(f'<br><span class="fault">{html.escape(fault)}</span>' for fault in shot.faults)
            figures.append(
                f'<figure{" class=faulty" if shot.faults else ""}><a href="{shot.file}">'
                f'<img src="{shot.file}" alt="" loading="lazy"></a><figcaption><strong>{html.escape(shot.title)}</strong>'
                f"<br>{html.escape(shot.kind)}, {shot.size}, {shot.theme}"
                f"<br><code>{html.escape(shot.address)}</code>{noted}</figcaption></figure>"
            )
        sections.append(f'<h2>{role}</h2><div class="all">{"".join(figures)}</div>')
    counted = {"count": len(shots), "pages": len({(shot.role, shot.kind) for shot in shots}), "what": html.escape(what),
               "faulty": len({(shot.role, shot.kind) for shot in shots if shot.faults}),
               "sections": "\n".join(sections)}  # fmt: skip
    (folder / "index.html").write_text(INDEX % counted, encoding="utf-8")
    (folder / "shots.json").write_text(
        json.dumps([asdict(shot) for shot in shots], indent=1), encoding="utf-8"
    )


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make screenshots", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tour", action="store_true", help="the pictures of README and docs, nothing else")
    parser.add_argument("--role", action="append", choices=[*ROLES], help="only this role; may be repeated")
    parser.add_argument("--theme", action="append", choices=["light", "dark"], help="only this theme")
    parser.add_argument(
        "--size", action="append", choices=[*SIZES], help="only this size (desk and phone unless asked)"
    )
    parser.add_argument("--only", default="", help="only pages whose kind holds this, e.g. tactics:report")
    parser.add_argument("--var", type=Path, help="the data to show (default: var/, or MISSIONS_VAR_DIR)")
    parser.add_argument("--to", type=Path, help="where the pictures go (default: var/screenshots)")
    return parser.parse_args(arguments)


def demo_ensure() -> None:
    """The demo city, made first where this data holds none."""
    from django.db import DatabaseError

    from agencies.models import Agency

    try:
        there = Agency.objects.filter(slug="riverton").exists()
    except DatabaseError:
        # No tables yet: the set-up makes them.
        there = False
    if not there:
        print("No demo city in this data: making it (some minutes) …", flush=True)
        subprocess.run([sys.executable, "manage.py", "demo", "--prepare-only"], cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    wanted = parsed(arguments)
    executable = chromium()
    if executable is None:
        print("No Chromium found. Next step: apt-get install chromium")
        return 2
    if wanted.var:
        os.environ["MISSIONS_VAR_DIR"] = str(wanted.var.resolve())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
    # Playwright runs an event loop in this thread; without this Django refuses to read a row beside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.conf import settings
    from playwright.sync_api import sync_playwright

    from agencies.models import User
    from tools.tour import tour_take

    demo_ensure()
    folder = wanted.to or Path(settings.VAR_DIR) / "screenshots"
    shots: list[Shot] = []
    with web_server() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        if wanted.tour:
            return tour_take(browser, site, wanted.only)
        for role in wanted.role or ROLES:
            person = None if role == "nobody" else User.objects.get(username=role)
            shots += shoot_role(browser, site, folder, role, person, wanted)
            # After each role: what was taken can be looked at while the next is taken.
            write_index(folder, shots, f"Demo city, {time.strftime('%Y-%m-%d %H:%M')}")
        browser.close()
    faulty = [shot for shot in shots if shot.faults]
    print(f"{len(shots)} screenshots, {len(faulty)} with faults: {folder / 'index.html'}")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
