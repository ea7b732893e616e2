"""What malformed requests are made from: a city with rows of every kind, every address, people and keys of every kind, and forms as they stand.

    .venv/bin/python -m tests.faults.known FOLDER        (with the settings of these tests; prints JSON)

Wrong requests reach further the more of them is right: an address with its real numbers and one wrong one, a form as its page
gives it with one wrong field, a body that the API would take but for one value.
"""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOMS = ("agencies", "ingestion", "forecasting", "patrols", "tactics", "missions_project")
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")
ASKED = re.compile(
    r"""(?:GET|POST|query_params|params|data|posted|asked)(?:\.get|\.getlist|\.pop)?[(\[]\s*["']([\w-]+)["']"""
)
LOOKUPS = (
    "",
    "__exact",
    "__in",
    "__gte",
    "__isnull",
    "__year",
    "__id__exact",
    "__contains",
    "__range",
    "__nothing",
)
CHANGES_WHO_ASKS = ("/accounts/", "/admin/agencies/user/", "/admin/password_change/")
"""Forms that would end the sessions of those who ask."""
ENDS_THE_SESSION = ("/logout/", "/sessions/")
"""Where the person who asks would be nobody afterwards."""
FEEDS = {"incidents": "incidents", "calls": "calls", "gunfire": "gunfire", "positions": "positions"}


class Forms(HTMLParser):
    """The forms of a page: where they go, how, and what they would send."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self._select: tuple[str, list[str]] | None = None
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append({
                "method": said.get("method", "get").upper(), "action": said.get("action", ""), "fields": {},
                "multipart": "multipart" in said.get("enctype", ""),
            })  # fmt: skip
            return
        name = said.get("name", "")
        if tag == "option" and self._select is not None:
            value = said.get("value", "")
            self._select[1].insert(0 if "selected" in said else len(self._select[1]), value)
        if not self.found or not name:
            return
        fields = self.found[-1]["fields"]
        if tag == "input" and not (said.get("type") in ("checkbox", "radio") and "checked" not in said):
            fields[name] = said.get("value", "")
        elif tag == "button":
            fields.setdefault(name, said.get("value", ""))
        elif tag == "select":
            self._select = (name, [])
        elif tag == "textarea":
            self._area = name
            fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._area and self.found:
            self.found[-1]["fields"][self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "select" and self._select is not None:
            name, values = self._select
            if self.found and values:
                self.found[-1]["fields"][name] = values[0]
            self._select = None


def routes(resolver: Any = None, before: str = "", room: str = "") -> Iterator[tuple[str, str, str]]:
    """Each address of the product as a pattern with its arguments in angle brackets, the room it is in, and its name."""
    from django.urls import URLResolver, get_resolver

    for entry in (resolver or get_resolver()).url_patterns:
        pattern = str(entry.pattern)
        text = before + GROUP.sub(
            r"<str:\1>", pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")
        )
        if isinstance(entry, URLResolver):
            yield from routes(entry, text, room or pattern.strip("/"))
        else:
            # What is left of an expression would be no address.
            yield f"/{re.sub(r'[?()^$]|[.][*]', '', text)}", room, str(entry.name or "")


class City:
    """The rows, and what is known of them."""

    def __init__(self, folder: Path) -> None:
        from django.core.management import call_command

        from tactics.services import inquiry_ask, rolling_study_ensure
        from tests import factories
        from tests.api.scenes import make_api_scene
        from tests.ingestion.files import COLUMNS, plain_feed, run_import, write_rows
        from tests.ingestion.pushing import make_gunfire_type, make_token, push_feed

        call_command("migrate", verbosity=0)
        self.scene = make_api_scene()
        agency = self.agency = self.scene.agency
        make_gunfire_type(agency)
        self.feed = plain_feed(agency)
        rows = [self.row(number) for number in range(60)]
        rows[3]["lat"] = "north"
        self.run = run_import(self.feed, write_rows(folder / "rms.csv", rows, COLUMNS))
        self.study = rolling_study_ensure(agency=agency)
        self.inquiry = inquiry_ask(agency=agency, kind="curves", choices={})
        self.people = {
            **self.scene.people,
            "operator": factories.make_operator(),
            "stranger": factories.make_member(factories.make_agency("lakeside"), "admin"),
        }
        owner = self.people["admin"]
        self.keys = dict(self.scene.keys)
        for kind in FEEDS:
            self.keys[f"{kind} key"] = make_token(push_feed(agency, kind), user=owner)
        self.keys["feed read key"] = make_token(self.feed, "read", user=owner)

    @staticmethod
    def row(number: int) -> dict[str, Any]:
        from tests.ingestion.files import good_row

        return good_row(number)

    def arguments(self, route: str, name: str) -> dict[str, list[str]]:
        """Values that exist, by argument of the route."""
        scene = self.scene
        mission = scene.missions()[0]
        known: dict[str, list[Any]] = {
            "agency_slug": ["riverton"], "on": [scene.plan.on.isoformat()], "shift_slug": [scene.scene.shift.slug],
            "plan_id": [scene.plan.pk], "mission_id": [mission.pk, scene.missions()[-1].pk],
            "run_id": [scene.scene.run.pk], "forecast_id": [scene.scene.run.pk], "slug": ["burglary", "harm", "shifts"],
            "number": [1], "beside": [1], "row_id": [1], "feed_slug": ["rms", "push-incidents"], "saved_id": [1],
            "chart": ["weeks"], "table": ["cells"], "document": ["use-policy"], "ending": ["html", "pdf", "csv"],
            "inquiry_id": [self.inquiry.pk], "study_id": [self.study.pk], "proposal_id": [1], "which": ["fair"],
            "surface": ["harm", "robbery"], "call_sign": [scene.unit.call_sign], "layer": ["beats", "districts"],
            "suppression_id": [scene.agency.suppression_set.all()[0].pk], "addition_id": [scene.agency.addition_set.all()[0].pk],
            "job_id": [str(self.run.job_id or "")], "agency_id": [self.agency.pk], "pk": [1], "id": [1], "shift_id": [scene.scene.shift.pk],
            "feed_id": [self.feed.pk], "provider_id": ["city-id"], "app_label": ["agencies"], "uidb36": ["1"], "key": ["set-password"],
        }  # fmt: skip
        found = {}
        for __, argument in ARGUMENT.findall(route):
            values = known.get(argument, ["1"])
            if argument == "object_id" and (model := admin_model(route)):
                values = list(model._default_manager.values_list("pk", flat=True)[:3]) or [1]
            found[argument] = [str(value) for value in values]
        return found

    def address(self, route: str, arguments: dict[str, list[str]]) -> str:
        return ARGUMENT.sub(lambda match: arguments[match[2]][0], route)

    def pages(self) -> list[dict[str, Any]]:
        """Every address with its arguments and the parameters that its page is asked with."""
        found = []
        for route, room, name in sorted(set(routes())):
            arguments = self.arguments(route, name)
            found.append({
                "route": route, "arguments": arguments, "asked": model_parameters(route),
                "kind": "api" if room == "api" else "admin" if room == "admin" else "page",
                "closes": route.endswith(ENDS_THE_SESSION),
            })  # fmt: skip
        return found

    def forms(self, pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the pages' own forms would send, for those who see them."""
        from urllib.parse import urljoin

        found: dict[tuple[str, str, tuple[str, ...]], dict[str, Any]] = {}
        # Each page once, by whoever is at home there: reading all of them takes longer than sending the requests.
        readers = {
            "operator": "/admin/",
            "officer": "/<slug:agency_slug>/my/",
            "admin": "/<slug:agency_slug>/",
        }
        for who, start in readers.items():
            client = self.client(who)
            for page in pages:
                here = self.address(page["route"], page["arguments"])
                files = "." in here or here.endswith(("/history/", "/delete/"))
                if not page["route"].startswith(start) or page["closes"] or files or not here.isprintable():
                    continue
                answer = client.get(here)
                if answer.status_code != 200 or "html" not in answer.headers.get("Content-Type", ""):
                    continue
                reader = Forms()
                reader.feed(answer.content.decode())
                for form in reader.found:
                    there = urljoin(here, form["action"] or here)
                    fields = {k: v for k, v in form["fields"].items() if k != "csrfmiddlewaretoken"}
                    ends = there.startswith(CHANGES_WHO_ASKS) or there.endswith(
                        (*ENDS_THE_SESSION, "/delete/")
                    )
                    if there.startswith("/") and not ends:
                        label = (form["method"], there, tuple(sorted(fields)))
                        found.setdefault(label, {**form, "action": there, "fields": fields, "who": who})
        assert len(found) > 100, "the pages showed hardly any form"
        return list(found.values())

    def client(self, who: str) -> Any:
        from django.conf import settings
        from django.test import Client

        # Under the name that the server will have: another one is refused at the door.
        client = Client(headers={"host": "127.0.0.1"})
        client.force_login(self.people[who], backend=settings.AUTHENTICATION_BACKENDS[0])
        return client

    def writes(self) -> list[dict[str, Any]]:
        """What the API takes: method, address, who may, and a body that makes sense there."""
        from tests.api.test_every_route_knows_who_asks import ROUTES, address, body
        from tests.ingestion.pushing import ADDRESSES

        found = [
            {"method": method, "address": address(self.scene, name, arguments), "who": who, "body": body(self.scene, name)}
            for method, name, arguments in ROUTES
            for who in ("patrols key", "supervisor", "officer")
            if method != "GET"
        ]  # fmt: skip
        rows: dict[str, list[dict[str, Any]]] = {
            kind: [self.row(number) for number in range(70, 73)] for kind in ADDRESSES
        }
        lat, lon = rows["calls"][0]["lat"], rows["calls"][0]["lon"]
        rows["positions"] = [{"unit": "R11", "at": "2026-03-14T12:00:00Z", "lon": lon, "lat": lat}] * 2
        rows["calls"][0] |= {"discovery": "911", "unit": "R11"}
        found += [
            {"method": "POST", "address": address, "who": f"{kind} key", "body": rows[kind]}
            for kind, address in ADDRESSES.items()
            for __ in range(4)
        ]
        now = int(time.time() * 1000)
        own = next(mission for mission in self.scene.missions() if mission.beat.code == "11")
        press = {"uuid": str(uuid.uuid4()), "kind": "note", "mission": own.pk, "device_at": now, "skew_ms": 5, "text": "Lamp out", "tactic": 1}  # fmt: skip
        batch = {
            "person": self.people["officer"].pk,
            "unit": "R11",
            "device_now": now,
            "actions": [press, press],
        }
        sync = f"/{self.agency.slug}/my/sync/"
        found += [{"method": "POST", "address": sync, "who": "officer", "body": batch}] * 4
        return found


def admin_model(route: str) -> Any:
    """The model that a page of the admin is about; None for a page about none."""
    from django.apps import apps

    parts = route.split("/")
    try:
        return apps.get_model(parts[2], parts[3]) if parts[1] == "admin" and len(parts) > 4 else None
    except LookupError:
        return None


def model_parameters(route: str) -> list[str]:
    """For a list of the admin: its columns with the ways of comparing that somebody may ask for in its address."""
    model = admin_model(route)
    return [f"{field.name}{lookup}" for field in model._meta.fields for lookup in LOOKUPS] if model else []


def parameter_names(root: Path) -> list[str]:
    """The names by which the product's code reads what it is asked, whatever the address."""
    found: set[str] = set()
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            found.update(ASKED.findall(path.read_text(encoding="utf-8")))
    return sorted(found)


def known(folder: Path) -> dict[str, Any]:
    from django.conf import settings

    from tests.faults.installation import ROOT

    city = City(folder)
    pages = city.pages()
    return {
        "pages": pages,
        "forms": city.forms(pages),
        "writes": city.writes(),
        "names": parameter_names(ROOT),
        "keys": city.keys,
        "cookie": settings.SESSION_COOKIE_NAME,
        "sessions": {
            who: city.client(who).cookies[settings.SESSION_COOKIE_NAME].value for who in city.people
        },
    }


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(known(Path(sys.argv[1]))))
