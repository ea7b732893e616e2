"""What is forecast and refused, what is read, how good it is, and how patrols are drawn: the first half of a pack."""

from typing import Any

from agencies.engine.offence_codes import ENFORCEMENT_BIAS, NOT_FORECAST, OFFENCE_CLASSES, REFUSED_BY_CODE
from agencies.engine.offence_policy import offence_class_of
from agencies.models import Agency
from agencies.selectors import active_crime_types
from forecasting.engine.metrics import MAIN_AREA
from forecasting.model_words import model_label
from forecasting.models import ModelVersion
from forecasting.selectors import live_card
from ingestion.engine.withheld import withheld
from ingestion.models import CensusArea, ContextLayer, Feed
from patrols.models import PatrolPolicy
from patrols.selectors import active_policy
from tactics.reports.shapes import Cell, Column, Table
from tactics.transparency.inputs import DesignFigures
from tactics.transparency.shapes import PackChart, Section

REASONS = {
    ENFORCEMENT_BIAS: "Refused, because records of these show where police looked, not where crime was (a forecast would send them "
    "back to the same places)",
    NOT_FORECAST: "Refused, because this product does not forecast them",
}


def forecast_section(agency: Agency) -> Section:
    """What is forecast and what is refused, with the reasons. One query."""
    types = active_crime_types(agency)
    names = ", ".join(one.name.lower() for one in types) or "nothing yet"
    rows: list[tuple[Cell, ...]] = []
    for one in types:
        known = offence_class_of(one.nibrs_code)
        rows.append((one.name, known.label if known else one.nibrs_code, one.weight))
    refused: dict[str, dict[str, None]] = {}
    for family in REFUSED_BY_CODE.values():
        refused.setdefault(family.reason, {})[family.label] = None
    forecast = Table(
        "forecast", "What is forecast",
        (
            Column("crime_type", "Crime type"), Column("class", "National class of offence"),
            Column("weight", "Weight", "number", about="How much one of them counts when patrols are shared out"),
        ),
        rows, note="A type of weight 4 counts four times as much as one of weight 1. The agency sets the weights.",
        empty="No crime type is forecast yet.",
    )  # fmt: skip
    return Section(
        "forecast",
        "What is forecast, and what is refused",
        (
            f"For each shift the system estimates how many reported crimes to expect in each square of the map. It does so for: "
            f"{names}.",
            "It forecasts places, never persons. A box on the map is not a reason to stop anybody.",
            f"The list of what may be forecast at all is part of the program, {len(OFFENCE_CLASSES)} kinds of offence long. "
            "No switch adds drugs, prostitution, loitering, traffic or other offences that are found where police look for them.",
        ),
        (forecast,),
        lists=[(REASONS[reason], list(labels)) for reason, labels in refused.items()],
    )


def data_section(agency: Agency) -> Section:
    """What is read, and what is never read. Three queries."""
    feeds = list(Feed.objects.filter(agency=agency, is_active=True).order_by("record_kind", "name"))
    layers = list(ContextLayer.objects.filter(agency=agency, kind=ContextLayer.Kind.RISK).defer("geojson"))
    used: list[tuple[Cell, ...]] = [(feed.name, feed.get_record_kind_display()) for feed in feeds]
    used += [(layer.name, "Places on the map, as the number of them near each square") for layer in layers]
    if CensusArea.objects.filter(agency=agency).exists():
        used.append(("Census", "How many people live, and how many homes stand empty, near each square"))
    return Section(
        "data",
        "What data is used, and what never is",
        (
            f"{len(used)} source{'' if len(used) == 1 else 's'} of data {'is' if len(used) == 1 else 'are'} read.",
            "Of the census only the number of people, households and homes, empty homes and age can be read. Race, ethnicity, "
            "income, education and ownership of homes are refused by name.",
            "The exposure audit below may use such figures to check who gets how much patrol. They are kept in a separate store "
            "that no forecast and no plan can reach.",
            "No name, date of birth, address, plate, phone number or report text of a person is stored.",
        ),
        (
            Table(
                "used", "Data that is used", (Column("source", "Source"), Column("what", "What it tells")), used,
                empty="No data is read yet.",
            ),
        ),
        lists=[
            (f"Never used: {kind[:1].lower()}{kind[1:]}", items)
            for kind, items in withheld()
            if not kind.startswith("Offences")
        ],
    )  # fmt: skip


def accuracy_section(agency: Agency) -> Section:
    """How good the forecasts are against plain counts: the test before approval, and the record since. Some 3 queries a type."""
    tested: list[tuple[Cell, ...]] = []
    record: list[tuple[Cell, ...]] = []
    sentences = []
    types = active_crime_types(agency)
    live = {row.crime_type_id: row for row in ModelVersion.objects.filter(agency=agency).live()}
    for one in types:
        version = live.get(one.pk)
        if version is not None:
            tested.append(_tested(one.name, version))
        card = live_card(agency, one)
        if card.rows:
            sentences.append(card.sentence)
            skill = card.interval or (None, None, None)
            record.append((one.name, len(card.compared), card.crimes, *skill))
    models = sum(1 for row in live.values() if row.beats_baseline and not row.is_baseline)
    first = (
        f"{models} of {len(tested)} crime types are forecast by a model that beat the best plain count on weeks that it had not "
        "seen; the others are forecast by a plain count of the past."
        if tested
        else "No forecast is in use yet."
    )
    return Section(
        "accuracy",
        "How accurate the forecasts are",
        (
            first,
            "Single squares prove nothing: even the ones with the highest risk hold a few hundredths of a crime a shift. So "
            "forecasts are judged over many weeks, and always against a plain count of past crimes.",
            *sentences,
        ),
        (
            Table(
                "tested", "Tested before use: crimes in the 1 % of squares with the highest forecast",
                (
                    Column("crime_type", "Crime type"), Column("model", "In use"), Column("plain", "Best plain count"),
                    Column("caught", "Share of crimes there", "share"), Column("low", "from", "share"), Column("high", "to", "share"),
                    Column("lift", "Times the plain count", "number", digits=2), Column("lift_low", "from", "number", digits=2),
                    Column("lift_high", "to", "number", digits=2), Column("calibration", "Expected / observed", "number", digits=2),
                ),
                tested,
                note="“From … to” are 95 % intervals by drawing weeks with replacement. An interval of times the plain count that "
                "holds 1 means: not shown to be better there. Expected / observed of 1 is right on average.",
                empty="No model was tested yet.",
            ),
            Table(
                "record", "In use: forecasts sealed before their shift, against the plain count",
                (
                    Column("crime_type", "Crime type"), Column("shifts", "Shifts", "int"), Column("crimes", "Crimes", "int"),
                    Column("skill", "Nats per crime ahead", "number", digits=3), Column("low", "from", "number", digits=3),
                    Column("high", "to", "number", digits=3),
                ),
                record,
                note="Above 0: better than the plain count. An interval that holds 0: not shown which is better.",
                empty="No sealed forecast is scored yet.",
            ),
        ),
        (
            PackChart(
                "accuracy", "Share of crimes in the 1 % of squares with the highest forecast",
                "Bars: the share of each crime type that fell into the one per cent of squares with the highest forecast, with its "
                "95 per cent interval; the table below holds the figures.",
                "tested", "crime_type", ("caught",), "low", "high",
            ),
        ),
    )  # fmt: skip


def _tested(name: str, version: ModelVersion) -> tuple[Cell, ...]:
    league = version.summary.get("league", [])
    own: dict[str, Any] = next((row for row in league if row["name"] == version.champion), {})
    baselines = [row for row in league if row.get("is_baseline")]
    area = _area(own)
    best = max(baselines, key=lambda row: _value(_area(row).get("hit_rate")) or 0.0, default=None)
    hit, lift = area.get("hit_rate", {}), area.get("lift_over_best_baseline", {})
    return (
        name, model_label(version.champion), model_label(best["name"]) if best else "–",
        _value(hit), _value(hit, "low"), _value(hit, "high"), _value(lift), _value(lift, "low"), _value(lift, "high"),
        _value(own.get("calibration")),
    )  # fmt: skip


def _area(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next((one for one in row.get("areas", []) if one["area"] == MAIN_AREA), {})
    return found


def _value(interval: dict[str, Any] | None, name: str = "value") -> float | None:
    found = (interval or {}).get(name)
    return None if found is None else float(found)


def randomised_section(agency: Agency, design: DesignFigures) -> Section:
    """How patrols are drawn at random, and what the draws of the period were like. One query."""
    policy = active_policy(agency) or PatrolPolicy(agency=agency)
    chance = design.with_chance / design.candidates if design.candidates else 0.0
    guessed = sum(design.predictability) / len(design.predictability) if design.predictability else 0.0
    low_risk = sum(design.low_risk) / len(design.low_risk) if design.low_risk else 0.0
    sentences = [
        "Which squares get a patrol is drawn by chance. Squares with more expected harm have a higher chance; hardly any square is "
        "certain to get one, and hardly any is certain to get none.",
        f"{100 * policy.exploration:.0f} % of patrols are spread evenly over all squares of a beat, whatever the forecast. No "
        f"square's chance is higher than {100 * policy.cap_max:.0f} %.",
        "Because chance decides, squares that were drawn can be compared with squares that were not: that is how the effect of "
        "patrols is measured. And nobody can work out beforehand where a car will be.",
        f"A visit is meant to last {policy.dose_min_minutes} to {policy.dose_max_minutes} minutes. A square that was visited lately "
        "has a lower chance for a while.",
        "Each draw is kept with the number that it was drawn from: it can be drawn again and must come out the same.",
    ]
    figures: list[tuple[Cell, ...]] = [
        ("Plans (draws)", f"{design.plans:,}"),
        ("Squares in the draws, over all plans", f"{design.candidates:,}"),
        ("Squares drawn", f"{design.drawn:,}"),
        ("Squares that chance could send to, or leave alone", f"{100 * chance:.1f} %"),
        ("Lowest and highest chance of a square", f"{100 * design.lowest:.2g} % to {100 * design.highest:.2g} %"),
        ("Patrols that fell to the half of squares with less expected harm, on average", f"{100 * low_risk:.0f} %"),
        ("Patrols that somebody who knows all chances would guess", f"{100 * guessed:.0f} %"),
    ]  # fmt: skip
    if design.other_grid or design.unreadable:
        figures.append(
            (
                "Plans left out (drawn on another grid, or unreadable)",
                f"{design.other_grid + design.unreadable:,}",
            )
        )
    return Section(
        "randomised",
        "How patrols are drawn at random",
        sentences,
        (
            Table(
                "draws",
                "The draws of the period",
                (Column("what", "Figure"), Column("value", "Value")),
                figures,
            ),
        ),
    )
