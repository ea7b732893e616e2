"""Which names of a form's fields, of a query's parameters and of an address's parts stand for a row, and of which kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import models
from django.http import QueryDict
from rest_framework import serializers

from agencies.models import Agency, Beat, CrimeType, District, Membership, Shift, Unit, User
from forecasting.models import ForecastRun, ModelVersion
from ingestion.models import ContextLayer, Feed
from missions_project.lib.rest.queries import Body, Query
from patrols.dials import LABELS
from patrols.models import Addition, Mission, MissionPlan, Suppression
from tactics.models import (
    Hunch,
    ImpactReport,
    ImpactStudy,
    Inquiry,
    PolicyProposal,
    SavedReport,
    Tactic,
    TransparencyPack,
)
from tests.tenancy.towns import KEYS, Town

Kinds = tuple[type[models.Model], ...]
ROWS: dict[str, Kinds] = {
    "unit": (Unit,),
    "beats?|unit-[0-9]+-where": (Beat,),
    "districts?": (District,),
    "shifts?|[ab]|[ab]_shift": (Shift,),
    # A report's own choices of what to count, side by side with crime types; and a map's list of types.
    "crime_types?|types?|surface": (CrimeType,),
    "choice": (CrimeType,),
    "missions?|actions": (Mission,),
    "tactic": (Tactic,),
    "plan": (MissionPlan,),
    "run|preview_run": (ForecastRun,),
    "report": (ImpactReport,),
    "saved": (SavedReport,),
    "recipient": (Membership,),
    "person|who": (User,),
    "agency": (Agency,),
    "layer": (ContextLayer,),
    "v": (ModelVersion,),
}
"""Names of fields and parameters, as patterns."""
PLAIN = {
    # When, how long, how many, where on the map.
    *("from", "to", "first", "last", "date", "on", "until", "until_on", "start", "days", "since", "period", "send_hour", "starts"),
    *("starts_at", "expires_at", "arrived_at", "left_at", "at", "device_now", "device_at", "skew_ms", "window_hours"),
    *("dose_minutes", "k", "dose_min", "dose_max", "carried_out", "minimum_percent", "settle_days", "draws", "confidence"),
    *("area", "geometry", "lon", "lat", "cell", "cell_id", "zoom", "number"),
    # Words that people write, and choices from lists that are the product's own.
    *("reason", "text", "note", "name", "question", "written_reason", "description", "answer", "why", "action", "subject"),
    *("code", "kind", "top", "change", "status", "state", "decision", "language", "source", "is_open", "is_active", "is_shared", "sends"),
    *("withdraw", "used", "quiet", "by_email", "when_published", "when_changed", "when_failed", "webhook_url", "renew"),
    *("stop_at_next_draw", "estimand", "with_plain", "family", "forecast", "uuid", "csrfmiddlewaretoken", "next"),
    # How a page or a list is shown.
    *("page", "limit", "cursor", "lanes", "sort", "q", "format", "table", "view", "on_map", "show", "look", "lang", "results"),
    *("then", "measure", "by", "compare"),
    # The dials of the patrol policy, tried before they are turned.
    *LABELS,
}  # fmt: skip
"""Names that stand for no row. A new one is named here, or among the rows above."""
PARTS: dict[str, Kinds] = {
    "mission_id": (Mission,), "plan_id": (MissionPlan,), "run_id": (ForecastRun,), "study_id": (ImpactStudy,),
    "inquiry_id": (Inquiry,), "proposal_id": (PolicyProposal,), "saved_id": (SavedReport,), "shift_slug": (Shift,),
    "feed_slug": (Feed,), "call_sign": (Unit,), "suppression_id": (Suppression,), "addition_id": (Addition,),
    "forecast_id": (ForecastRun,), "surface": (CrimeType,),
    "patrols:suppression_stop row_id": (Suppression,), "patrols:addition_stop row_id": (Addition,),
    "tactics:hunch_status row_id": (Hunch,), "forecasting slug": (CrimeType,), "beside": (ModelVersion,),
    "forecasting:layer_context slug": (ContextLayer,), "forecasting:layer_table_context slug": (ContextLayer,),
    "forecasting number": (ModelVersion,), "tactics number": (TransparencyPack,),
}  # fmt: skip
PARTS |= {f"tactics:practice_{press} number": () for press in ("arrive", "leave", "tactic", "note", "place")}
"""Parts of addresses: as they are called everywhere, in a room's addresses, or in one address. A made-up shift's have no row."""
PLAIN_PARTS = {"on", "which", "chart", "table", "layer", "document", "ending", "tactics slug", "report slug"}
"""Parts that name no row. A report is named by its kind, which is the product's own."""


def kinds_of(name: str) -> Kinds | None:
    """What a field or parameter stands for: kinds of rows, none of them, or nobody has said so yet (None)."""
    for pattern, kinds in ROWS.items():
        if re.fullmatch(pattern, name):
            return kinds
    return () if name in PLAIN or re.fullmatch(r"start_\d+|unit-\d+-missions", name) else None


def kinds_of_part(address: str, part: str) -> Kinds | None:
    """The same for a part of an address."""
    room = address.partition(":")[0]
    for name in (f"{address} {part}", f"{room} {part}", part):
        if name in PARTS:
            return PARTS[name]
        if name in PLAIN_PARTS:
            return ()
    return None


def values_of(town: Town, kinds: Kinds) -> list[Any]:
    """Every way to name one of the agency's rows of these kinds: its number, and what people call it by."""
    found: list[Any] = []
    for model in kinds:
        row = _row(town, model)
        found.append(row.pk)
        fields = {one.name for one in model._meta.concrete_fields}
        found += [getattr(row, name) for name in sorted(KEYS & fields) if getattr(row, name)]
        if model in (ModelVersion, TransparencyPack):
            found.append(row.number)
    return found


def _row(town: Town, model: type[models.Model]) -> Any:
    if model is Agency:
        return town.agency
    if model is User:
        return town.people["officer"]
    if model is Unit:
        return town.unit
    if model is MissionPlan:
        return town.scene.plan
    if model is ForecastRun:
        return town.scene.scene.run
    if model is Shift:
        return town.scene.scene.shift
    return town.first(model)


@contextmanager
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """While it lasts, every name that a page looks up in a form or a query, and every field of the API's queries and bodies."""
    heard: set[str] = set()

    def hear(method: Any) -> Any:
        def heard_of(self: QueryDict, key: Any, *args: Any, **kwargs: Any) -> Any:
            if key is not None:  # the framework's own: no parameter chooses the form of its answers
                heard.add(str(key))
            return method(self, key, *args, **kwargs)

        return heard_of

    def read(method: Any) -> Any:
        def heard_of(self: serializers.Serializer, *args: Any, **kwargs: Any) -> Any:  # type: ignore[type-arg]
            heard.update(self.fields)
            return method(self, *args, **kwargs)

        return heard_of

    with monkeypatch.context() as patched:
        for name in ("__getitem__", "__contains__", "getlist"):
            patched.setattr(QueryDict, name, hear(getattr(QueryDict, name)))
        for form in (Query, Body):
            patched.setattr(form, "is_valid", read(form.is_valid))
        yield heard


def swapped(body: Any, name: str, value: Any) -> Iterator[Any]:
    """The body with another value under the name, wherever in it that stands; beside its own where it holds several."""
    if isinstance(body, list):
        for place, part in enumerate(body):
            for other in swapped(part, name, value):
                yield [*body[:place], other, *body[place + 1 :]]
    if not isinstance(body, dict):
        return
    for key, part in body.items():
        yield from ({**body, key: other} for other in swapped(part, name, value))
    if name in body and isinstance(body[name], list):
        yield {**body, name: [*body[name], value]}
        yield {**body, name: [value]}
    elif name in body:
        yield {**body, name: value}


def added(body: dict[str, Any], name: str, value: Any) -> Iterable[dict[str, Any]]:
    """The same, and where the body does not hold the name at all, with it."""
    found = list(swapped(body, name, value))
    return found or [{**body, name: value}]
