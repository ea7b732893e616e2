"""Where and how strongly crime happens in Riverton: the known conditional intensity, written once.

For crime type k, place b and time t, with history H of events before t,

    lambda_k(b, t | H) = sum_c S_kc(b) T_kc(t) (1 + boost of events on at t near b)
                       + sum_{i in H} A[type_i, k] K_{type_i}(place_i, b) g_{type_i}(t - t_i) D_k(t)

S: surfaces from covariates and lasting differences between places (per year); T: hour of the week x season
x weather x trend; A: mean direct children; K: Gaussian over the places nearby, rows summing to 1; g: the
exponential density; D: the type's usual hours of the week, mean 1. A space-time Hawkes process on a finite
set of places (Mohler et al. 2011, Reinhart 2018), so that every expected count is a finite sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

from missions_project.demo.city import City
from missions_project.demo.places import Places, Spot, distance_from_centre_m
from missions_project.demo.profiles import (
    DAY_S,
    HOUR_S,
    CalendarEvent,
    HourAxis,
    Weather,
    hour_of_week_profile,
)
from missions_project.demo.terrain import Floats, smooth_field

CRIME_TYPES = (
    "burglary",
    "robbery",
    "motor_vehicle_theft",
    "theft",
    "aggravated_assault",
    "homicide",
    "gunfire",
)
GUNFIRE = CRIME_TYPES.index("gunfire")
KERNEL_REACH_M = 480.0
EVENT_REACH_M = 350.0
SECONDS_A_YEAR = 365.25 * DAY_S


@dataclass(frozen=True)
class Component:
    """One kind of setting in which a crime type happens. weights: log-linear in the standardised covariates."""

    share: float
    hours: str
    weights: dict[str, float]


@dataclass(frozen=True)
class TypeModel:
    """How one crime type behaves. per_year: mean events a year in all, children included."""

    per_year: float
    components: tuple[Component, ...]
    place_sd: float  # log-scale spread between neighbouring places
    area_sd: float  # log-scale spread between neighbourhoods
    near_days: float  # mean delay of a repeat
    near_m: float  # spread of repeats
    summer: float  # relative swing of the season, peak in late July
    trend_a_year: float  # log change a year
    warmth: float  # log change per 10 degrees above the season
    rain: float  # log change in a wet hour
    event_boost: float  # extra relative rate at a venue's door with 20,000 people


MODELS: dict[str, TypeModel] = {
    "burglary": TypeModel(
        3_050.0,
        (
            Component(0.48, "workday", {"residents": 0.75, "hardship": 0.35, "vacant": 0.25, "main": -0.4}),
            Component(0.32, "night", {"residents": 0.55, "hardship": 0.45, "vacant": 0.30, "transit": 0.15}),
            Component(0.20, "night", {"commerce": 0.5, "main": 0.9, "bars": 0.2}),
        ),
        1.20, 0.75, 9.0, 120.0, 0.16, -0.06, 0.05, -0.10, 0.2,
    ),
    "robbery": TypeModel(
        1_650.0,
        (
            Component(0.34, "bar_hours", {"bars": 0.70, "commerce": 0.15, "hardship": 0.30}),
            Component(0.30, "rush", {"transit": 0.85, "hardship": 0.50, "main": 0.5}),
            Component(0.36, "evening", {"residents": 0.35, "hardship": 0.85, "vacant": 0.35, "bars": 0.15}),
        ),
        1.20, 0.65, 7.0, 150.0, 0.12, -0.03, 0.10, -0.25, 1.2,
    ),
    "motor_vehicle_theft": TypeModel(
        3_150.0,
        (
            Component(0.55, "night", {"residents": 0.65, "hardship": 0.35}),
            Component(0.27, "rush", {"transit": 0.60, "commerce": 0.30, "main": 0.3}),
            Component(0.18, "bar_hours", {"bars": 0.60, "commerce": 0.20}),
        ),
        1.20, 0.75, 7.0, 180.0, 0.08, 0.07, 0.00, -0.08, 1.6,
    ),
    "theft": TypeModel(
        8_600.0,
        (
            Component(0.46, "shopping", {"commerce": 0.75, "main": 0.7, "transit": 0.25}),
            Component(0.32, "night", {"residents": 0.70, "hardship": 0.15}),
            Component(0.12, "bar_hours", {"bars": 0.7, "commerce": 0.2}),
            Component(0.10, "school_run", {"schools": 1.1, "residents": 0.3}),
        ),
        1.15, 0.65, 6.0, 110.0, 0.14, -0.02, 0.06, -0.15, 3.0,
    ),
    "aggravated_assault": TypeModel(
        3_650.0,
        (
            Component(0.32, "bar_hours", {"bars": 0.75, "hardship": 0.30, "commerce": 0.1}),
            Component(0.43, "evening", {"hardship": 0.95, "residents": 0.50, "vacant": 0.40}),
            Component(0.19, "home", {"residents": 0.85, "hardship": 0.65}),
            Component(0.06, "school_run", {"schools": 1.2, "hardship": 0.4}),
        ),
        1.05, 0.65, 8.0, 130.0, 0.20, 0.01, 0.14, -0.20, 1.5,
    ),
    "homicide": TypeModel(
        62.0,
        (
            Component(0.70, "night", {"hardship": 1.25, "residents": 0.45, "vacant": 0.50}),
            Component(0.30, "bar_hours", {"bars": 0.80, "hardship": 0.70}),
        ),
        1.00, 0.50, 14.0, 200.0, 0.18, 0.02, 0.12, -0.15, 0.3,
    ),
    "gunfire": TypeModel(
        2_500.0,
        (Component(1.0, "night", {"hardship": 1.25, "residents": 0.35, "vacant": 0.55, "bars": 0.15}),),
        1.20, 0.55, 12.0, 180.0, 0.22, 0.03, 0.15, -0.25, 0.1,
    ),
}  # fmt: skip
"""The truth about Riverton. Not fitted to any real city; orders of magnitude from published ones."""

BRANCHING: dict[tuple[str, str], float] = {
    ("burglary", "burglary"): 0.20,
    ("robbery", "robbery"): 0.12,
    ("motor_vehicle_theft", "motor_vehicle_theft"): 0.14,
    ("theft", "theft"): 0.10,
    ("aggravated_assault", "aggravated_assault"): 0.08,
    ("gunfire", "gunfire"): 0.24,
    ("gunfire", "aggravated_assault"): 0.06,
    ("gunfire", "homicide"): 0.004,
    ("aggravated_assault", "gunfire"): 0.06,
    ("homicide", "gunfire"): 0.50,
    ("homicide", "aggravated_assault"): 0.20,
    ("robbery", "aggravated_assault"): 0.03,
}
"""Mean direct children: (parent, child). Burglary repeats burglary; shots are answered with shots."""


@dataclass(frozen=True)
class Intensity:
    """The known intensity over a span: all that is needed to draw events or to evaluate the truth.

    surfaces: events a year per (component, place); rates: relative rate per (component, hour), about 1 on average;
    type_of_component: index into CRIME_TYPES; venue_boost: (type, venue, place) extra relative rate at 20,000 people.
    """

    hours: HourAxis
    surfaces: npt.NDArray[np.float32]
    rates: npt.NDArray[np.float32]
    type_of_component: npt.NDArray[np.int64]
    branching: Floats
    near_seconds: Floats
    kernels: tuple[sparse.csr_matrix, ...]
    child_hours: Floats  # (type, 168), mean 1
    venue_boost: npt.NDArray[np.float32]
    events: tuple[CalendarEvent, ...]


def branching_matrix() -> Floats:
    """Return mean direct children, (parent type, child type)."""
    matrix = np.zeros((len(CRIME_TYPES), len(CRIME_TYPES)))
    for (parent, child), mean in BRANCHING.items():
        matrix[CRIME_TYPES.index(parent), CRIME_TYPES.index(child)] = mean
    return matrix


def background_per_year() -> Floats:
    """Return events a year that nothing triggered, per type: totals less the children of the totals.

    Solves total = background + A' total, the stationary mean of a multivariate Hawkes process.
    """
    total = np.array([MODELS[name].per_year for name in CRIME_TYPES])
    background = total - branching_matrix().T @ total
    if (background <= 0).any():
        names = [CRIME_TYPES[k] for k in np.flatnonzero(background <= 0)]
        raise ValueError(f"BRANCHING gives {names} more children than events; lower it or raise per_year.")
    return background


def density_near(places: Places, spots: tuple[Spot, ...], scale_m: float) -> Floats:
    """Return how many spots are near each place, a spot at distance d counting exp(-d^2 / (2 scale^2))."""
    here = cKDTree(np.column_stack([places.x_m, places.y_m]))
    there = cKDTree(np.array([[s.x_m, s.y_m] for s in spots]))
    pairs = here.sparse_distance_matrix(there, 3.0 * scale_m, output_type="coo_matrix")
    near = np.exp(-(pairs.data**2) / (2 * scale_m**2))
    return np.bincount(pairs.row, weights=near, minlength=len(places)).astype(np.float64)


def covariates(city: City) -> dict[str, Floats]:
    """Return the standardised covariates at every place, cut at about 3 standard deviations."""
    places = city.places
    rail = tuple(s for s in city.stops if s.kind == "rail")
    bus = tuple(s for s in city.stops if s.kind == "bus")
    bars = np.log1p(4.0 * density_near(places, city.bars, 140.0))
    centre = np.exp(-distance_from_centre_m(places.x_m, places.y_m) / 900.0)
    raw = {
        "bars": bars,
        "transit": np.log1p(4.0 * density_near(places, rail, 170.0) + 1.2 * density_near(places, bus, 90.0)),
        "vacant": np.log1p(density_near(places, city.vacant_parcels, 150.0)),
        "schools": np.log1p(5.0 * density_near(places, city.schools, 160.0)),
        "residents": np.log(city.residents + 0.5),
        "hardship": city.hardship,
        "main": places.on_main.astype(np.float64),
        "commerce": 0.8 * places.on_main + 1.5 * centre + 0.5 * bars,
    }
    # Cut: log-linear effects of a bar street's tail would put half the city's theft on one square.
    return {name: np.clip((v - v.mean()) / v.std(), -3.0, 3.2) for name, v in raw.items()}


def near_kernels(places: Places) -> tuple[sparse.csr_matrix, ...]:
    """Return, per crime type, where a repeat of an event at place b falls: rows sum to 1."""
    tree = cKDTree(np.column_stack([places.x_m, places.y_m]))
    distance_m = tree.sparse_distance_matrix(tree, KERNEL_REACH_M, output_type="coo_matrix").tocsr()
    distance_m.sort_indices()
    rows = np.repeat(np.arange(len(places)), np.diff(distance_m.indptr))
    made: dict[float, sparse.csr_matrix] = {}
    for name in CRIME_TYPES:
        scale_m = MODELS[name].near_m
        if scale_m not in made:
            weight = np.exp(-(distance_m.data**2) / (2 * scale_m**2))
            weight /= np.bincount(rows, weights=weight, minlength=len(places))[rows]
            made[scale_m] = sparse.csr_matrix(
                (weight, distance_m.indices, distance_m.indptr), distance_m.shape
            )
    return tuple(made[MODELS[name].near_m] for name in CRIME_TYPES)


def known_intensity(
    rng: np.random.Generator,
    *,
    city: City,
    hours: HourAxis,
    sky: Weather,
    events: tuple[CalendarEvent, ...],
) -> Intensity:
    """Write down the truth: surfaces from covariates and lasting luck of places, rates from clock and weather."""
    x = covariates(city)
    places = city.places
    common_place = rng.standard_normal(len(places))
    common_area = smooth_field(rng, 420.0)(places.x_m, places.y_m)
    background = background_per_year()
    surfaces, rates, owner = [], [], []
    child_hours = np.zeros((len(CRIME_TYPES), 168))
    for k, name in enumerate(CRIME_TYPES):
        model = MODELS[name]
        own_place = rng.standard_normal(len(places))
        own_area = smooth_field(rng, 420.0)(places.x_m, places.y_m)
        luck = model.place_sd * (0.7 * common_place + np.sqrt(1 - 0.49) * own_place)
        luck += model.area_sd * (0.7 * common_area + np.sqrt(1 - 0.49) * own_area)
        slow = (
            (1.0 + model.summer * np.cos(2 * np.pi * (hours.day_of_year - 205.0) / 365.25))
            * np.exp(-model.trend_a_year * (hours.years_before_end - 1.5))
            * np.exp(model.warmth * sky.anomaly_c / 10.0 - 0.5 * (model.warmth * 0.46) ** 2)
            * np.exp(model.rain * (sky.rain_mm > 0))
        )
        for part in model.components:
            surface = np.exp(luck + sum(w * x[covariate] for covariate, w in part.weights.items()))
            weekly = hour_of_week_profile(part.hours)
            surfaces.append(background[k] * part.share * surface / surface.sum())
            rates.append(weekly[hours.hour_of_week] * slow)
            child_hours[k] += part.share * weekly
            owner.append(k)
    return Intensity(
        hours=hours,
        surfaces=np.array(surfaces, dtype=np.float32),
        rates=np.array(rates, dtype=np.float32),
        type_of_component=np.array(owner, dtype=np.int64),
        branching=branching_matrix(),
        near_seconds=np.array([MODELS[name].near_days * DAY_S for name in CRIME_TYPES]),
        kernels=near_kernels(places),
        child_hours=child_hours / child_hours.mean(axis=1, keepdims=True),
        venue_boost=_venue_boost(city),
        events=events,
    )


def _venue_boost(city: City) -> npt.NDArray[np.float32]:
    boost = np.array([MODELS[name].event_boost for name in CRIME_TYPES])
    near = np.stack(
        [
            np.exp(
                -((city.places.x_m - v.x_m) ** 2 + (city.places.y_m - v.y_m) ** 2) / (2 * EVENT_REACH_M**2)
            )
            for v in city.venues
        ]
    )
    near[near < 0.01] = 0.0
    return (boost[:, None, None] * near[None, :, :]).astype(np.float32)


def cumulative_years(intensity: Intensity) -> Floats:
    """Return, per component and hour edge, the relative rate integrated from the start, in years (c, n_hours + 1)."""
    total = np.zeros((len(intensity.rates), intensity.hours.n_hours + 1))
    np.cumsum(intensity.rates, axis=1, dtype=np.float64, out=total[:, 1:])
    return total * (HOUR_S / SECONDS_A_YEAR)
