"""What the model card shows: one version's record, put in the order in which a reader asks."""

import re
from typing import Any

from django.utils.translation import gettext_lazy as _

from agencies.models import Agency, CrimeType, Shift
from agencies.words import said
from forecasting.engine.metrics import MAIN_AREA
from forecasting.model_words import model_label
from forecasting.models import ModelVersion
from forecasting.selectors import drift_of, live_card
from forecasting.selectors.why import family_label
from ingestion.engine.withheld import withheld
from ingestion.models import ContextLayer

FEW_CRIMES = 10
"""Below this an area's figures say more about luck than about the model."""
SHOWN_AREAS = 12
LIBRARIES_UNKNOWN = _("not recorded")
_OF_DISTANCE = re.compile(r"_(\d+m|nearest)$")
"""What a column's name says of how far it looks, behind its layer."""


def listed_versions(crime_type: CrimeType) -> list[ModelVersion]:
    """All versions of the type, newest first, without their figures. One query."""
    rows = ModelVersion.objects.filter(crime_type=crime_type).select_related("approved_by")
    return list(rows.defer("summary").order_by("-number"))


def waiting_newer(versions: list[ModelVersion]) -> list[ModelVersion]:
    """Those that wait for approval and are newer than the live one: an older one is no news beside it. No query."""
    live = max((row.number for row in versions if row.is_live), default=0)
    return [row for row in versions if row.state == ModelVersion.State.TRAINED and row.number > live]


def card_context(crime_type: CrimeType, version_id: int) -> dict[str, Any]:
    """Everything below the heading. Nine queries."""
    rows = ModelVersion.objects.select_related("agency", "crime_type", "grid", "run", "approved_by")
    version = rows.defer("grid__spec").get(pk=version_id)
    return {"version": version, "live": live_card(version.agency, crime_type), **figures(crime_type, version)}


def figures(crime_type: CrimeType, version: ModelVersion) -> dict[str, Any]:
    """One version's record, ready for the template. Five queries."""
    card = version.summary.get("card", {})
    drift = drift_of(version)
    areas = _areas(version, card)
    return {
        "league": [row | {"label": model_label(row["name"])} for row in version.summary.get("league", [])],
        "card": card,
        "curve": (curve := _curve_rows(card)),
        "curve_short": curve[:: max(1, len(curve) // 10)],
        "reliability": card.get("reliability", []),
        "shift_rows": _shift_rows(version.agency, card),
        "areas": areas[:SHOWN_AREAS],
        "more_areas": areas[SHOWN_AREAS:],
        "few": FEW_CRIMES,
        "ablation": _ablation_rows(card),
        "drift": drift,
        "newest_weeks": list(reversed(drift.weeks))[:16],
        "never_sees": [(said(kind), [said(one) for one in items]) for kind, items in withheld()],
        "libraries": version.summary.get("libraries") or version.summary.get("library", LIBRARIES_UNKNOWN),
        "seen": seen_words(version),
        "lift": _lift(version),
    }


def seen_words(version: ModelVersion) -> dict[str, list[str]]:
    """What a model saw, by the agency's names: the run keeps slugs, and a column for each distance. Two queries.

    Crime types that are gone, and layers too, are named after their slug.
    """
    kept = version.run.config_snapshot
    types = dict(CrimeType.objects.filter(agency=version.agency).values_list("slug", "name"))
    layers = dict(ContextLayer.objects.filter(agency=version.agency).values_list("slug", "name"))
    columns = (kept.get("context") or {}).get("columns", [])
    slugs = dict.fromkeys(_OF_DISTANCE.sub("", str(column)) for column in columns)
    return {
        "crime_types": [types.get(slug, _plain(slug)) for slug in kept.get("crime_types") or ()],
        "layers": [layers.get(slug) or layers.get(slug.replace("_", "-")) or _plain(slug) for slug in slugs],
    }


def _plain(slug: str) -> str:
    return re.sub(r"[_:-]+", " ", slug)


def _lift(version: ModelVersion) -> dict[str, Any] | None:
    for row in version.summary.get("league", []):
        if row["name"] == version.champion:
            for area in row["areas"]:
                if area["area"] == MAIN_AREA:
                    found: dict[str, Any] = area["lift_over_best_baseline"]
                    return found
    return None


def _curve_rows(card: dict[str, Any]) -> list[dict[str, Any]]:
    curve = card.get("curve")
    if not curve:
        return []
    return [
        {
            "cells": cells,
            "share": share,
            "champion": mine,
            "baseline": plain,
            "pai": mine["value"] / share if mine["value"] is not None else None,
            "baseline_pai": plain["value"] / share if plain["value"] is not None else None,
        }
        for cells, share, mine, plain in zip(
            curve["cells"], curve["share"], curve["champion"], curve["baseline"], strict=True
        )
    ]


def shift_names(agency: Agency) -> dict[str, str]:
    """What the agency calls its shifts, by slug. One query."""
    return dict(Shift.objects.filter(agency=agency).values_list("slug", "name"))


def _shift_rows(agency: Agency, card: dict[str, Any]) -> list[dict[str, Any]]:
    names = shift_names(agency)
    # A shift that was renamed or deleted since keeps the name it was trained under.
    return [row | {"label": names.get(row["name"], row["name"])} for row in card.get("shifts", [])]


def _areas(version: ModelVersion, card: dict[str, Any]) -> list[dict[str, Any]]:
    """The beats, worst first; those with few crimes last, for their order is luck."""
    rows = []
    for row in card.get("areas", []):
        few = row["observed"] < FEW_CRIMES
        spread = abs(row["observed"] - row["expected"]) / max(row["expected"], 1.0) ** 0.5
        skill = row["log_skill"]["value"]
        # A plain count has no skill against itself: there the worst is what was farthest off.
        worst = -spread if version.is_baseline or skill is None else skill
        off = not row["observed_low"] <= row["expected"] <= row["observed_high"]
        rows.append(row | {"is_few": few, "is_off": off and not few, "order": (few, worst, row["name"])})
    return sorted(rows, key=lambda row: row["order"])


def _ablation_rows(card: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        row | {"label": family_label(row["family"])}
        for row in card.get("ablation", [])
        if row["lost"]["value"] is not None
    ]
    return sorted(rows, key=lambda row: -row["lost"]["value"])
