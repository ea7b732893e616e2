"""What is forecast and refused, what is read, how good it is, and how patrols are drawn: the first half of a pack."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.engine.offence_codes import ENFORCEMENT_BIAS, NOT_FORECAST, OFFENCE_CLASSES, REFUSED_BY_CODE
from agencies.engine.offence_policy import offence_class_of
from agencies.models import Agency
from agencies.selectors import active_crime_types
from agencies.words import said
from forecasting.engine.metrics import MAIN_AREA
from forecasting.model_words import model_label
from forecasting.models import ModelVersion
from forecasting.selectors import live_card
from ingestion.engine.withheld import withheld
from ingestion.models import CensusArea, ContextLayer, Feed
from missions_project.lib.lazy import gettext_lazy
from patrols.models import PatrolPolicy
from patrols.selectors import active_policy
from tactics.reports.shapes import Cell, Column, Table
from tactics.transparency.inputs import DesignFigures
from tactics.transparency.shapes import PackChart, Section

REASONS = {
    ENFORCEMENT_BIAS: gettext_lazy(
        "Refused, because records of these show where police looked, not where crime was (a forecast would send them back to the "
        "same places)"
    ),
    NOT_FORECAST: gettext_lazy("Refused, because this product does not forecast them"),
}


def forecast_section(agency: Agency) -> Section:
    """What is forecast and what is refused, with the reasons. One query."""
    types = active_crime_types(agency)
    names = ", ".join(one.name.lower() for one in types) or _("nothing yet")
    rows: list[tuple[Cell, ...]] = []
    for one in types:
        known = offence_class_of(one.nibrs_code)
        rows.append((one.name, said(known.label) if known else one.nibrs_code, one.weight))
    refused: dict[str, dict[str, None]] = {}
    for family in REFUSED_BY_CODE.values():
        refused.setdefault(family.reason, {})[said(family.label)] = None
    forecast = Table(
        "forecast", _("What is forecast"),
        (
            Column("crime_type", _("Crime type")), Column("class", _("National class of offence")),
            Column("weight", _("Weight"), "number", about=_("How much one of them counts when patrols are shared out")),
        ),
        rows, note=_("A type of weight 4 counts four times as much as one of weight 1. The agency sets the weights."),
        empty=_("No crime type is forecast yet."),
    )  # fmt: skip
    return Section(
        "forecast",
        _("What is forecast, and what is refused"),
        (
            _(
                "For each shift the system estimates how many reported crimes to expect in each square of the map. It does so for: "
                "%(names)s."
            )
            % {"names": names},
            _("It forecasts places, never persons. A box on the map is not a reason to stop anybody."),
            _(
                "The list of what may be forecast at all is part of the program, %(kinds)s kinds of offence long. No switch adds "
                "drugs, prostitution, loitering, traffic or other offences that are found where police look for them."
            )
            % {"kinds": len(OFFENCE_CLASSES)},
        ),
        (forecast,),
        lists=[(str(REASONS[reason]), list(labels)) for reason, labels in refused.items()],
    )


def data_section(agency: Agency) -> Section:
    """What is read, and what is never read. Three queries."""
    feeds = list(Feed.objects.filter(agency=agency, is_active=True).order_by("record_kind", "name"))
    layers = list(ContextLayer.objects.filter(agency=agency, kind=ContextLayer.Kind.RISK).defer("geojson"))
    used: list[tuple[Cell, ...]] = [(feed.name, str(feed.get_record_kind_display())) for feed in feeds]
    used += [(layer.name, _("Places on the map, as the number of them near each square")) for layer in layers]
    if CensusArea.objects.filter(agency=agency).exists():
        used.append(
            (_("Census"), _("How many people live, and how many homes stand empty, near each square"))
        )
    return Section(
        "data",
        _("What data is used, and what never is"),
        (
            ngettext("%(count)s source of data is read.", "%(count)s sources of data are read.", len(used))
            % {"count": len(used)},
            _("Of the census only the number of people, households and homes, empty homes and age can be read. Race, ethnicity, "
            "income, education and ownership of homes are refused by name."),
            _("The exposure audit below may use such figures to check who gets how much patrol. They are kept in a separate store "
            "that no forecast and no plan can reach."),
            _("No name, date of birth, address, plate, phone number or report text of a person is stored."),
        ),
        (
            Table(
                "used", _("Data that is used"), (Column("source", _("Source")), Column("what", _("What it tells"))), used,
                empty=_("No data is read yet."),
            ),
        ),
        lists=[
            (_("Never used: %(kind)s") % {"kind": _begun_small(said(kind))}, [said(item) for item in items])
            for kind, items in withheld()
            if not kind.startswith("Offences")
        ],
    )  # fmt: skip


def _begun_small(words: str) -> str:
    return words[:1].lower() + words[1:]


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
        _(
            "%(models)s of %(tested)s crime types are forecast by a model that beat the best plain count on weeks that it had not "
            "seen; the others are forecast by a plain count of the past."
        )
        % {"models": models, "tested": len(tested)}
        if tested
        else _("No forecast is in use yet.")
    )
    return Section(
        "accuracy",
        _("How accurate the forecasts are"),
        (
            first,
            _("Single squares prove nothing: even the ones with the highest risk hold a few hundredths of a crime a shift. So "
            "forecasts are judged over many weeks, and always against a plain count of past crimes."),
            *sentences,
        ),
        (
            Table(
                "tested", _("Tested before use: crimes in the 1 % of squares with the highest forecast"),
                (
                    Column("crime_type", _("Crime type")), Column("model", _("In use")), Column("plain", _("Best plain count")),
                    Column("caught", _("Share of crimes there"), "share"), Column("low", _("from"), "share"), Column("high", _("to"), "share"),
                    Column("lift", _("Times the plain count"), "number", digits=2), Column("lift_low", _("from"), "number", digits=2),
                    Column("lift_high", _("to"), "number", digits=2), Column("calibration", _("Expected / observed"), "number", digits=2),
                ),
                tested,
                note=_("“From … to” are 95 % intervals by drawing weeks with replacement. An interval of times the plain count that "
                "holds 1 means: not shown to be better there. Expected / observed of 1 is right on average."),
                empty=_("No model was tested yet."),
            ),
            Table(
                "record", _("In use: forecasts sealed before their shift, against the plain count"),
                (
                    Column("crime_type", _("Crime type")), Column("shifts", _("Shifts"), "int"), Column("crimes", _("Crimes"), "int"),
                    Column("skill", _("Nats per crime ahead"), "number", digits=3), Column("low", _("from"), "number", digits=3),
                    Column("high", _("to"), "number", digits=3),
                ),
                record,
                note=_("Above 0: better than the plain count. An interval that holds 0: not shown which is better."),
                empty=_("No sealed forecast is scored yet."),
            ),
        ),
        (
            PackChart(
                "accuracy", _("Share of crimes in the 1 % of squares with the highest forecast"),
                _("Bars: the share of each crime type that fell into the one per cent of squares with the highest forecast, with its "
                "95 per cent interval; the table below holds the figures."),
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
        _(
            "Which squares get a patrol is drawn by chance. Squares with more expected harm have a higher chance; hardly any square is "
            "certain to get one, and hardly any is certain to get none."
        ),
        _(
            "%(even)s %% of patrols are spread evenly over all squares of a beat, whatever the forecast. No square's chance is higher "
            "than %(cap)s %%."
        )
        % {"even": f"{100 * policy.exploration:.0f}", "cap": f"{100 * policy.cap_max:.0f}"},
        _(
            "Because chance decides, squares that were drawn can be compared with squares that were not: that is how the effect of "
            "patrols is measured. And nobody can work out beforehand where a car will be."
        ),
        _(
            "A visit is meant to last %(least)s to %(most)s minutes. A square that was visited lately has a lower chance for a while."
        )
        % {"least": policy.dose_min_minutes, "most": policy.dose_max_minutes},
        _(
            "Each draw is kept with the number that it was drawn from: it can be drawn again and must come out the same."
        ),
    ]
    figures: list[tuple[Cell, ...]] = [
        (_("Plans (draws)"), f"{design.plans:,}"),
        (_("Squares in the draws, over all plans"), f"{design.candidates:,}"),
        (_("Squares drawn"), f"{design.drawn:,}"),
        (_("Squares that chance could send to, or leave alone"), f"{100 * chance:.1f} %"),
        (_("Lowest and highest chance of a square"), _("%(low)s %% to %(high)s %%") % {"low": f"{100 * design.lowest:.2g}", "high": f"{100 * design.highest:.2g}"}),
        (_("Patrols that fell to the half of squares with less expected harm, on average"), f"{100 * low_risk:.0f} %"),
        (_("Patrols that somebody who knows all chances would guess"), f"{100 * guessed:.0f} %"),
    ]  # fmt: skip
    if design.other_grid or design.unreadable:
        figures.append(
            (
                _("Plans left out (drawn on another grid, or unreadable)"),
                f"{design.other_grid + design.unreadable:,}",
            )
        )
    return Section(
        "randomised",
        _("How patrols are drawn at random"),
        sentences,
        (
            Table(
                "draws",
                _("The draws of the period"),
                (Column("what", _("Figure")), Column("value", _("Value"))),
                figures,
            ),
        ),
    )
