"""Two agencies at work in one installation: ours, and another whose every name and number is unmistakable."""

from __future__ import annotations

import datetime as dt
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.utils import timezone

from agencies.models import Agency, Membership, Unit, User
from forecasting.models import ModelVersion
from ingestion.models import ContextLayer, Feed, ImportRun, QuarantinedRow
from ingestion.services.tokens import token_create
from patrols.models import Mission, PatrolPolicy
from tactics.models import ImpactReport, ImpactStudy, Inquiry, PolicyProposal, TransparencyPack
from tactics.services import (
    hunch_log,
    inquiry_ask,
    rolling_study_ensure,
    starter_catalogue_create,
    study_create,
)
from tactics.services.saved_reports import saved_report_set
from tests.agencies.rows import make_row
from tests.api.scenes import ApiScene, make_api_scene
from tests.factories import degrees
from tests.ingestion.files import plain_feed

NAME, KEY = "Quirinal", "quirkey"
"""A name of theirs must never be told. A key of theirs is what we send, and may stand in the words that refuse it."""
NAMES = {
    *("name", "title", "reason", "note", "question", "text", "label", "written_reason", "community_note", "answer"),
    *("steps", "evidence_note", "description", "file_name", "error", "message", "withdrawn_reason", "purpose", "place"),
}  # fmt: skip
KEYS = {"slug", "code", "call_sign", "username", "external_id", "token_key", "unit_code"}
FIRST_NUMBER, NUMBERS_APART = 7_000_000, 10_000


@dataclass
class Town:
    """An agency in the middle of a shift, with a row in each room and a person of each role."""

    scene: ApiScene
    feed: Feed
    feed_keys: dict[str, str]
    study: ImpactStudy
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def agency(self) -> Agency:
        return self.scene.agency

    @property
    def people(self) -> dict[str, User]:
        return self.scene.people

    @property
    def unit(self) -> Unit:
        """The officer's unit."""
        return Unit.objects.get(membership__user=self.people["officer"])

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.agency.time_zone)

    def client(self, who: str) -> Client:
        """Signed in once: in each try that is taken back, signing in would be taken back too."""
        if who not in self.clients:
            self.clients[who] = self.scene.client(who)
            self.clients[who].raise_request_exception = False
        return self.clients[who]

    def first(self, model: type[models.Model], **filters: Any) -> Any:
        """One row of the agency's own."""
        found = model._default_manager.filter(agency=self.agency, **filters).order_by("pk").first()
        assert found is not None, (model, filters)
        return found


def make_town(slug: str) -> Town:
    scene = make_api_scene(slug)
    agency, people = scene.agency, scene.people
    starter_catalogue_create(agency=agency)
    feed = plain_feed(agency)
    run = ImportRun.objects.create(agency=agency, feed=feed, file_name="rows.csv", status="succeeded")
    QuarantinedRow.objects.create(
        agency=agency, feed=feed, run=run, row_number=1, code="unmapped_code", field="code", values={"code": "ODD"},
        external_id="R1", fingerprint=1,
    )  # fmt: skip
    keys = {
        scope: token_create(feed=feed, made_by=people["admin"], scope=scope, name=f"{scope} box", days=30)[1]
        for scope in ("push", "read")
    }
    ContextLayer.objects.create(agency=agency, name="Schools", slug="schools", kind="risk", geojson=NO_PLACES)
    rolling = rolling_study_ensure(agency=agency)
    inquiry = inquiry_ask(agency=agency, kind=Inquiry.Kind.CURVES, choices={})
    PolicyProposal.objects.create(
        agency=agency, inquiry=inquiry, policy=PatrolPolicy.objects.get(agency=agency), field="gamma", label="Gamma",
        value_from=PatrolPolicy.objects.get(agency=agency).gamma, value_to=1.5, purpose="gain", basis_hash="b" * 64,
        basis={"change": {"gain": {"estimate": 0.2, "low": 0.1, "high": 0.3}}, "crimes_a_year": 100},
    )  # fmt: skip
    lon, lat = degrees(3600, 3600)
    hunch_log(
        agency=agency, number=uuid.uuid4(), officer=people["officer"], unit=scene.unit, lon=lon, lat=lat,
        crime_type=agency.crimetype_set.get(slug="robbery"), days=7, reason="lights out behind the station",
    )  # fmt: skip
    saved_report_set(
        agency=agency, owner=people["supervisor"], name="Monday", kind="crime-trends", days=28, filters={}, is_shared=True,
        sends="weekly", recipients=[Membership.objects.get(user=people["supervisor"])],
    )  # fmt: skip
    first = timezone.localdate() + dt.timedelta(days=5)
    study = study_create(
        agency=agency, actor=people["admin"], name="Spring", question="Do missions prevent crime?", minimum_detectable=0.1,
        minimum_basis="test", crime_types=[agency.crimetype_set.first().pk], first=first,
        last=first + dt.timedelta(days=90),
    )  # fmt: skip
    TransparencyPack.objects.create(
        agency=agency, number=1 if slug == "riverton" else 7713, first=dt.date(2026, 1, 1), last=dt.date(2026, 1, 31),
        status="succeeded",
    )  # fmt: skip
    for one in (study, rolling):
        ImpactReport.objects.create(
            agency=agency, study=one, first=first, last=first + dt.timedelta(days=90), seed=1, purpose="power",
            status="running" if one == study else "queued",
        )  # fmt: skip
    return Town(scene, feed, keys, study)


NO_PLACES: dict[str, Any] = {"type": "FeatureCollection", "features": []}


def two_towns() -> tuple[Town, Town]:
    """Ours, and theirs: with a row of every model, each text of theirs marked, and each number like none of ours."""
    cache.clear()
    numbers_go_on_from_here()
    ours = make_town("riverton")
    numbers_begin_anew()
    theirs = make_town("lakeside")
    for model in apps.get_models():
        belongs = "agency" in {one.name for one in model._meta.concrete_fields} and not model._meta.proxy
        if belongs and not model._base_manager.filter(agency=theirs.agency).exists():
            make_row(model, theirs.agency)
    mark(theirs.agency)
    for who in (*ours.people, *ours.scene.keys):
        ours.client(who).get("/")
    for row in (theirs.scene.plan, theirs.feed, theirs.study, theirs.agency):
        row.refresh_from_db()
    cache.clear()
    return ours, theirs


def numbers_begin_anew() -> None:
    """Let the next row of each table have a number of its own, far from all others: found in a text, it names that row."""
    for place, model in enumerate(apps.get_models(include_auto_created=True)):
        set_number(model, FIRST_NUMBER + place * NUMBERS_APART)


def numbers_go_on_from_here() -> None:
    """Let the next row of each table follow its last. PostgreSQL takes no number back: ours would have theirs of the test before."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            set_number(model, model._base_manager.aggregate(last=models.Max("pk"))["last"] or 0)


def set_number(model: type[models.Model], last: int) -> None:
    """Let the table's next row have the number after this one."""
    key, table = model._meta.pk, model._meta.db_table
    if not isinstance(key, models.AutoField | models.BigAutoField) or not model._meta.managed:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])
        else:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s, false)",
                [f'"{table}"', key.column, last + 1],
            )


def mark(agency: Agency) -> None:
    """Write the marks into every name and every key of the agency's rows."""
    for model in apps.get_models():
        fields = {one.name: one for one in model._meta.concrete_fields}
        if model._meta.proxy or not model._meta.managed:
            continue
        if model is User:
            rows = model._base_manager.filter(memberships__agency=agency).order_by()
        elif "agency" in fields:
            rows = model._base_manager.filter(agency=agency)
        else:
            continue
        keys = list(rows.values_list("pk", flat=True))
        for name in (NAMES | KEYS) & fields.keys():
            one = fields[name]
            if not isinstance(one, models.CharField | models.TextField) or one.choices or one.primary_key:
                continue
            if model is QuarantinedRow and name == "code":
                continue  # one of the product's own codes
            for pk in keys:
                word = f"{KEY}{pk}" if name in KEYS else f"{NAME} {pk}"
                # A few texts are tied to a state ("an answer has a time and an author"): those stay as they were.
                with suppress(IntegrityError), transaction.atomic():
                    model._base_manager.filter(pk=pk).update(**{name: word[: one.max_length]})
    Agency.objects.filter(pk=agency.pk).update(name=f"{NAME} PD")
    ModelVersion.objects.filter(agency=agency).update(number=7711)


def signed_in(person: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def mission_of(town: Town) -> Mission:
    """The last mission of the officer's unit: somebody was at the first."""
    return Mission.objects.filter(agency=town.agency, assignment__unit=town.unit).order_by("-number")[0]
