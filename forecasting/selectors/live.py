"""Reading the live record of one crime type: what was sealed, how it scored, and what that shows."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.models import Agency, CrimeType
from forecasting.engine.live_record import THRESHOLD, Evidence, evidence
from forecasting.models import ForecastSeal, LiveScore
from forecasting.selectors.governance import model_policy

State = ForecastSeal.State
LARGEST_TOLD = 1e6
_COLUMNS = (
    "shift__slug", "on", "period_from", "sealed_at", "seal__number", "seal__hash", "version_number", "n_cells", "expected",
    "largest_gain", "crimes", "log_score", "plain_log_score", "scored_at", "final_crimes", "final_log_score",
    "final_plain_log_score", "final_at",
)  # fmt: skip


@dataclass(frozen=True)
class VersionPart:
    """One version's share of the record: shifts, crimes, nats per crime ahead of its plain count (None: nothing to compare)."""

    number: int
    shifts: int
    crimes: int
    skill: float | None


@dataclass(frozen=True)
class LiveCard:
    """The live record of one crime type, shifts in order. ``rows`` are all scored shifts as mappings by column.

    ``compared`` are those with a plain count beside the model: ``shown`` is about them, on their first scores, which never
    change; ``final`` is the same on the scores with late reports, as far as those are there.
    """

    crime_type: CrimeType
    rows: list[dict[str, Any]]
    compared: list[dict[str, Any]]
    shown: Evidence
    final: Evidence
    states: Counter[str]
    settle_days: int

    @property
    def n_waiting(self) -> int:
        return self.states[State.WAITING]

    @property
    def n_late(self) -> int:
        return self.states[State.LATE]

    @property
    def n_lost(self) -> int:
        return self.states[State.CHANGED] + self.states[State.GONE]

    @property
    def n_clipped(self) -> int:
        return int(self.shown.clipped.sum())

    @property
    def crimes(self) -> int:
        return sum(row["crimes"] for row in self.compared)

    @property
    def plain_skill(self) -> float | None:
        """Nats per crime ahead, every shift weighing the same and nothing clipped."""
        return _skill(self.compared)

    @property
    def per_cell_period(self) -> float | None:
        """The model's mean Poisson log score per cell and shift, in nats."""
        cells = sum(row["n_cells"] for row in self.rows)
        return sum(row["log_score"] for row in self.rows) / cells if cells else None

    @property
    def e_model(self) -> float:
        """The e-value after the last shift, at most a million: more would be no more convincing."""
        return _capped(self.shown.log_e_model)

    @property
    def e_plain(self) -> float:
        return _capped(self.shown.log_e_plain)

    @property
    def e_final(self) -> float:
        return _capped(self.final.log_e_model)

    @property
    def interval(self) -> tuple[float, float, float] | None:
        """Nats per crime ahead: (estimate, low, high); None while no crime was compared."""
        if not len(self.shown) or not np.isfinite(self.shown.skill[-1]):
            return None
        return float(self.shown.skill[-1]), float(self.shown.low[-1]), float(self.shown.high[-1])

    @property
    def versions(self) -> list[VersionPart]:
        """What each version did, newest first."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self.rows:
            found.setdefault(row["version_number"], []).append(row)
        return [
            VersionPart(number, len(rows), sum(row["crimes"] for row in rows), _skill(rows))
            for number, rows in sorted(found.items(), reverse=True)
        ]

    @property
    def sentence(self) -> str:
        """What the record shows so far, in one plain sentence."""
        name = self.crime_type.name.lower()
        if not self.rows:
            return _(
                "Nothing is scored yet: %(forecasts)s sealed and waiting for the shift to end and for %(settle_days)s days of reports."
            ) % {"forecasts": _forecasts(self.n_waiting), "settle_days": self.settle_days}
        if not self.compared:
            return _(
                "%(shifts)s sealed and scored, all by the plain count itself: there is nothing that it could be better than."
            ) % {"shifts": _shifts(len(self.rows))}
        over = _("Over %(shifts)s sealed before they began, with %(crimes)s crimes,") % {
            "shifts": _shifts(len(self.compared)),
            "crimes": f"{self.crimes:,}",
        }
        if self.shown.verdict == "model":
            return _(
                "%(over)s the model forecast %(name)s better than the plain count it was approved against%(by)s; if it were no better, evidence like this would turn up at most once in %(capped_peak)s records."
            ) % {
                "over": over,
                "name": name,
                "by": self._by(),
                "capped_peak": f"{round(_capped_peak(self.shown.log_e_model)):,}",
            }
        if self.shown.verdict == "plain":
            return _(
                "%(over)s the plain count forecast %(name)s better than the model in service%(by)s; were it otherwise, evidence like this would turn up at most once in %(capped_peak)s records."
            ) % {
                "over": over,
                "name": name,
                "by": self._by(),
                "capped_peak": f"{round(_capped_peak(self.shown.log_e_plain)):,}",
            }
        if self._both():
            return _(
                "%(over)s the model and the plain count it was approved against were each shown to be better at some time%(by)s: look at the curve."
            ) % {"over": over, "by": self._by()}
        return _(
            "%(over)s it is not shown whether the model or the plain count it was approved against forecasts %(name)s better%(by)s."
        ) % {"over": over, "name": name, "by": self._by()}

    def _both(self) -> bool:
        top = np.log(THRESHOLD)
        return bool((self.shown.log_e_model >= top).any() and (self.shown.log_e_plain >= top).any())

    def _by(self) -> str:
        if self.interval is None:
            return ""
        skill, low, high = self.interval
        return _(": %(skill)s nats per crime (%(low)s to %(high)s)") % {
            "skill": f"{skill:+.3f}",
            "low": f"{low:+.3f}",
            "high": f"{high:+.3f}",
        }


def live_card(agency: Agency, crime_type: CrimeType) -> LiveCard:
    """Return the live record of one crime type. Three queries, whatever its length; about 1,100 rows a year."""
    scores = LiveScore.objects.filter(agency=agency, crime_type=crime_type).order_by("period_from", "pk")
    rows = list(scores.values(*_COLUMNS))
    states = Counter(
        dict(
            ForecastSeal.objects.filter(agency=agency).order_by().values_list("state").annotate(n=Count("pk"))
        )
    )
    compared = [row for row in rows if row["plain_log_score"] is not None]
    final = [row for row in compared if row["final_plain_log_score"] is not None]
    return LiveCard(
        crime_type=crime_type,
        rows=rows,
        compared=compared,
        shown=_evidence(compared, ""),
        final=_evidence(final, "final_"),
        states=states,
        settle_days=model_policy(agency).settle_days,
    )


def _evidence(rows: list[dict[str, Any]], prefix: str) -> Evidence:
    gain = [row[f"{prefix}log_score"] - row[f"{prefix}plain_log_score"] for row in rows]
    return evidence(
        np.array(gain),
        np.array([row["largest_gain"] for row in rows]),
        np.array([row[f"{prefix}crimes"] for row in rows]),
    )


def _skill(rows: list[dict[str, Any]]) -> float | None:
    compared = [row for row in rows if row["plain_log_score"] is not None]
    crimes = sum(row["crimes"] for row in compared)
    return sum(row["log_score"] - row["plain_log_score"] for row in compared) / crimes if crimes else None


def _capped(log_e: Any) -> float:
    return float(min(np.exp(min(float(log_e[-1]), 700.0)), LARGEST_TOLD)) if len(log_e) else 1.0


def _capped_peak(log_e: Any) -> float:
    return float(min(np.exp(min(float(log_e.max()), 700.0)), LARGEST_TOLD))


def _shifts(n: int) -> str:
    return ngettext("%(count)s shift", "%(count)s shifts", n) % {"count": f"{n:,}"}


def _forecasts(n: int) -> str:
    return ngettext("%(count)s forecast is", "%(count)s forecasts are", n) % {"count": f"{n:,}"}
