"""What the side-by-side page shows: a version that waits beside the one that is live, with what differs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from agencies.models import Agency, CrimeType
from forecasting.engine.difference import difference, estimate_from
from forecasting.engine.metrics import MAIN_AREA, Estimate
from forecasting.model_card import seen_words, shift_names
from forecasting.model_words import model_label
from forecasting.models import ModelVersion
from forecasting.selectors import alarms_of

Stored = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """One figure of both versions: the one that is looked at, the one beside it, and the first minus the second."""

    one: Estimate
    other: Estimate

    @property
    def difference(self) -> Estimate:
        return difference(self.one, self.other)

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


def compared_versions(
    agency: Agency, crime_type: CrimeType, number: int, beside: int | None
) -> tuple[ModelVersion | None, ModelVersion | None]:
    """Return the version and the one beside it: that number, or else the one that is live. One query.

    None for one that does not exist; the second is None too where it would be the first itself.
    """
    rows = ModelVersion.objects.filter(agency=agency, crime_type=crime_type)
    wanted = rows.filter(number=number) | (
        rows.filter(number=beside) if beside is not None else rows.filter(state=ModelVersion.State.LIVE)
    )
    found = list(
        wanted.select_related("agency", "crime_type", "run", "grid", "approved_by").defer("grid__spec")
    )
    one = next((row for row in found if row.number == number), None)
    other = next(
        (row for row in found if row.number != number and (row.is_live or row.number == beside)), None
    )
    return one, other


def comparison_context(agency: Agency, one: ModelVersion, other: ModelVersion) -> dict[str, Any]:
    """Everything below the heading. At most six queries."""
    return {
        "one": one,
        "other": other,
        "facts": _facts(one, other),
        "main": _main(one, other),
        "area_rows": _area_rows(one, other),
        "league_rows": _league_rows(one, other),
        "shift_rows": _named_rows(one, other, "shifts", shift_names(agency)),
        "beat_rows": _named_rows(one, other, "areas", {}),
        "types": _types(agency, one, other),
        "alarms": alarms_of([other]).get(other.pk, ()),
        "same_grid": one.grid_id == other.grid_id,
        "has_cards": bool(one.summary.get("card")) and bool(other.summary.get("card")),
    }


def _facts(one: ModelVersion, other: ModelVersion) -> list[tuple[str, Any, Any]]:
    def row(label: str, of: Callable[[ModelVersion], Any]) -> tuple[str, Any, Any]:
        return label, of(one), of(other)

    seen = {version.pk: seen_words(version) for version in (one, other)}
    return [
        row(_("Champion"), lambda v: model_label(v.champion)),
        row(_("Beats the best plain count"), lambda v: "yes" if v.beats_baseline else _("no: it is one") if v.is_baseline else "no"),
        row(_("Incidents inside the grid"), lambda v: f"{v.n_incidents:,}"),
        row(_("Tested on"), lambda v: _tested(v.summary)),
        row(_("Best plain count"), lambda v: model_label(v.summary.get("card", {}).get("baseline", "") or _("not recorded"))),
        row(_("Grid"), lambda v: str(v.grid)),
        row(_("Layers"), lambda v: ", ".join(seen[v.pk]["layers"]) or _("none")),
        row(_("Crime types"), lambda v: ", ".join(seen[v.pk]["crime_types"]) or _("not recorded")),
        row(_("Data hash"), lambda v: v.data_hash),
    ]  # fmt: skip


def _tested(summary: Stored) -> str:
    return _("%(shifts)s shifts with %(incidents)s incidents") % {
        "shifts": f"{summary.get('tested_periods', 0):,}",
        "incidents": f"{summary.get('tested_events', 0):,}",
    }


def _row_of(version: ModelVersion, name: str) -> Stored:
    return next((row for row in version.summary.get("league", []) if row["name"] == name), {})


def _area_of(row: Stored, label: str) -> Stored:
    return next((area for area in row.get("areas", []) if area["area"] == label), {})


def _pair(one: Stored, other: Stored, name: str) -> Pair:
    return Pair(estimate_from(one.get(name)), estimate_from(other.get(name)))


def _main(one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    """The champions' figures that decide: each against its own best plain count, on its own held-out weeks."""
    mine, theirs = _row_of(one, one.champion), _row_of(other, other.champion)
    mine_at, theirs_at = _area_of(mine, MAIN_AREA), _area_of(theirs, MAIN_AREA)
    return [
        {"label": _("Log skill per crime"), "kind": "signed", "pair": _pair(mine, theirs, "log_skill")},
        {"label": _("Lift over the best plain count at 1 %"), "kind": "factor",
         "pair": _pair(mine_at, theirs_at, "lift_over_best_baseline")},
        {"label": _("Hit rate at 1 %"), "kind": "percent", "pair": _pair(mine_at, theirs_at, "hit_rate")},
        {"label": _("Expected / observed"), "kind": "factor", "pair": _pair(mine, theirs, "calibration")},
    ]  # fmt: skip


def _area_rows(one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    """The champions at each area that both were tested at; ``None`` for a PAI that was not measured."""
    mine, theirs = _row_of(one, one.champion), _row_of(other, other.champion)
    labels = dict.fromkeys(area["area"] for row in (mine, theirs) for area in row.get("areas", []))
    rows = []
    for label in labels:
        a, b = _area_of(mine, label), _area_of(theirs, label)
        rows.append(
            {
                "label": label,
                "hit_rate": _pair(a, b, "hit_rate"),
                "lift": _pair(a, b, "lift_over_best_baseline"),
                "pai": (a.get("pai"), b.get("pai")),
                "pei_star": (a.get("pei_star"), b.get("pei_star")),
            }
        )
    return rows


def _league_rows(one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    """Every entrant of either league, in the order of the first; what took part in one only has an empty half."""
    names = dict.fromkeys(
        row["name"] for version in (one, other) for row in version.summary.get("league", [])
    )
    rows = []
    for name in names:
        mine, theirs = _row_of(one, name), _row_of(other, name)
        rows.append(
            {
                "label": model_label(name),
                "is_baseline": (mine or theirs)["is_baseline"],
                "is_champion": (name == one.champion, name == other.champion),
                "log_skill": _pair(mine, theirs, "log_skill"),
                "hit_rate": _pair(_area_of(mine, MAIN_AREA), _area_of(theirs, MAIN_AREA), "hit_rate"),
                "calibration": _pair(mine, theirs, "calibration"),
                "seconds": (mine.get("seconds"), theirs.get("seconds")),
            }
        )
    return rows


def _named_rows(
    one: ModelVersion, other: ModelVersion, part: str, labels: dict[str, str]
) -> list[dict[str, Any]]:
    """By shift or by beat: the log skill of both, and what was expected and observed. Names of either, in order."""
    cards = [
        {row["name"]: row for row in version.summary.get("card", {}).get(part, [])}
        for version in (one, other)
    ]
    names = dict.fromkeys(name for card in cards for name in card)
    found = []
    for name in names:
        mine, theirs = (card.get(name, {}) for card in cards)
        found.append(
            {
                "label": labels.get(name, name),
                "log_skill": _pair(mine, theirs, "log_skill"),
                "one": mine,
                "other": theirs,
            }
        )
    return found


def _types(agency: Agency, one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    """All types of the same training, each beside its live version: who is champion, and how good. Two queries."""
    rows = ModelVersion.objects.filter(agency=agency).select_related("crime_type")
    beside = {row.crime_type_id: row for row in rows.live()} | {other.crime_type_id: other}
    return [
        {
            "version": version,
            "other": theirs if theirs and theirs.pk != version.pk else None,
            "is_this": version.pk == one.pk,
            "log_skill": _pair(
                _row_of(version, version.champion),
                _row_of(theirs, theirs.champion) if theirs and theirs.pk != version.pk else {},
                "log_skill",
            ),
        }
        for version in rows.filter(run_id=one.run_id).order_by("crime_type__name")
        for theirs in [beside.get(version.crime_type_id)]
    ]
