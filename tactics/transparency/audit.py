"""The exposure audit: who gets how much patrol, as designed and as delivered, against residents and reported crime."""

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agencies.models import Agency
from tactics.engine.exposure import (
    Disparity,
    Spread,
    beyond,
    by_area,
    disparity,
    for_each,
    part_of_all,
    tenths,
)
from tactics.models import ExposureFinding, TransparencyPolicy
from tactics.models.transparency import RISK, TENTHS
from tactics.transparency.demographics import measures_of, tenths_of_cells
from tactics.transparency.inputs import ExposureInputs

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Measure, Basis = ExposureFinding.Measure, ExposureFinding.Basis
FEW_CRIMES = 10
"""Below this an area's part of reported crime is luck; it is shown and never a finding."""
FEW_RESIDENTS = 100
"""Below this an area's part of residents is that of a park or a port: shown and never a finding."""


@dataclass(frozen=True, eq=False)
class AreaKind:
    """One way of cutting the city: its name, its areas, the area of each cell (-1: none), and whether the audit store says so."""

    name: str
    areas: list[str]
    area: Ints
    from_audit_store: bool = False


@dataclass(frozen=True, eq=False)
class AuditPart:
    """One comparison over one way of cutting the city, with the areas beyond the threshold (1 more, -1 less, 0 neither)."""

    kind: AreaKind
    measure: str
    basis: str
    found: Disparity
    beyond: Ints


@dataclass(frozen=True, eq=False)
class AreaTotals:
    """Each area's missions, minutes, crimes and residents over the period. Arrays [A]; residents None without a census."""

    kind: AreaKind
    cells: Floats
    missions: Floats
    as_if: Floats
    actual: Floats
    crimes: Floats
    residents: Floats | None
    mission_part: Spread
    minutes_part: Spread
    for_each_resident: Spread | None


@dataclass(frozen=True, eq=False)
class ExposureAudit:
    """The whole audit of a period. ``missing``: measures of the audit store that could not be read."""

    kinds: list[AreaKind]
    totals: list[AreaTotals]
    parts: list[AuditPart]
    threshold: float
    blocks: str
    missing: list[str]


def threshold_of(agency: Agency) -> float:
    """Return how many times its part an area may get before somebody must answer for it. One query."""
    row = TransparencyPolicy.objects.filter(agency=agency).first()
    return (row or TransparencyPolicy(agency=agency)).disparity_threshold


def exposure_audit(agency: Agency, given: ExposureInputs, first: dt.date, last: dt.date) -> ExposureAudit:
    """Work the audit out. Three queries and two for each figure of the audit store. The same data give the same figures.

    Residents' tenths by a demographic figure need a census: without one that part is left out.
    """
    kinds, missing = _kinds(agency, given)
    threshold = threshold_of(agency)
    # From the period and nothing else: nobody can try seeds until a disparity falls under the threshold.
    mark = hashlib.sha256(f"{agency.slug}:{first}:{last}".encode()).digest()
    seed = int.from_bytes(mark[:8], "big")
    rng, rng_of_parts = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    totals, parts = [], []
    for kind in kinds:
        n = len(kind.areas)
        crimes = by_area(given.crimes, kind.area, n)
        residents = None if given.residents is None else by_area(given.residents[None], kind.area, n)[0]
        spent = {
            Measure.AS_IF: by_area(given.as_if, kind.area, n),
            Measure.ACTUAL: by_area(given.actual, kind.area, n),
        }
        missions, delivered = by_area(given.missions, kind.area, n), spent[Measure.ACTUAL]
        totals.append(
            AreaTotals(
                kind, by_area(np.ones((1, len(given.spec))), kind.area, n)[0], missions.sum(axis=0),
                spent[Measure.AS_IF].sum(axis=0), delivered.sum(axis=0), crimes.sum(axis=0), residents,
                part_of_all(missions, rng=rng_of_parts), part_of_all(delivered, rng=rng_of_parts),
                None if residents is None else for_each(delivered, residents, rng=rng_of_parts),
            )
        )  # fmt: skip
        for measure, minutes in spent.items():
            if not minutes.sum():
                continue
            for basis, base in ((Basis.RESIDENTS, residents), (Basis.CRIME, crimes)):
                if base is None or not base.sum():
                    continue
                found = disparity(minutes, base, rng=rng)
                total = base if base.ndim == 1 else base.sum(axis=0)
                some = total >= (FEW_RESIDENTS if basis == Basis.RESIDENTS else FEW_CRIMES)
                # More patrol at higher risk is the design, not a disparity that anybody could answer for.
                if kind.name == RISK and basis == Basis.RESIDENTS:
                    some = np.zeros_like(some)
                parts.append(
                    AuditPart(kind, measure, basis, found, np.where(some, beyond(found, threshold), 0))
                )
    return ExposureAudit(kinds, totals, parts, threshold, given.blocks, missing)


def _kinds(agency: Agency, given: ExposureInputs) -> tuple[list[AreaKind], list[str]]:
    """The ways of cutting the city, and the measures of the audit store that could not be read."""
    kinds = [AreaKind("District", given.districts, given.district), AreaKind("Beat", given.beats, given.beat)]
    kinds.append(AreaKind(RISK, list(TENTHS), tenths(given.harm, np.ones(len(given.harm)))))
    missing = []
    for measure in measures_of(agency):
        sorted_cells = (
            tenths_of_cells(agency, measure, given.spec, given.residents)
            if given.residents is not None
            else None
        )
        if sorted_cells is None:
            missing.append(measure.name)
        else:
            kinds.append(AreaKind(measure.name, list(TENTHS), sorted_cells, from_audit_store=True))
    return kinds, missing


def disparities(audit: ExposureAudit) -> list[tuple[AuditPart, int]]:
    """The comparisons and areas that are beyond the threshold, the largest first."""
    found = [(part, int(at)) for part in audit.parts for at in np.flatnonzero(part.beyond)]
    return sorted(found, key=lambda one: -abs(float(np.log(max(one[0].found.ratio[one[1]], 1e-9)))))
