"""What to do at a mission: the tactic that was drawn for it first, then the others that the rules allow."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from patrols.models import Mission
from tactics.models import Tactic, TacticDraw, TacticRule
from tactics.rules import allowed_tactics, kinds_asked
from tactics.surroundings import surroundings


@dataclass(frozen=True)
class Recommendation:
    """A tactic that suits a mission. ``for_this_shift``: the rule that allows it names the mission's shift.

    ``is_drawn``: chance chose it as the one recommended, with ``probability`` (None: it was not in a draw).
    ``is_asked_for``: not by a rule, the person who added the mission asked for it.
    """

    tactic: Tactic
    preference: float
    for_this_shift: bool = False
    is_asked_for: bool = False
    is_drawn: bool = False
    probability: float | None = None

    @property
    def is_first_choice(self) -> bool:
        """Whether lists call it recommended: drawn, or asked for by a person."""
        return self.is_drawn or self.is_asked_for


def recommended_tactics(mission: Mission) -> list[Recommendation]:
    """Return what suits the mission, the recommended tactic first. Two queries where it was drawn; else at most five.

    Drawn missions: the tactic that was drawn, then the others that were allowed at the draw, the likelier first. Rules that
    changed since do not change the list; tactics that were made inactive, or enforcement, leave it. Missions that
    people added, and those of plans from before there were draws: what was asked for, then what the rules of now allow,
    the most preferred first, equal ones by name. Enforcement is never recommended, whatever the rules say.
    """
    return _recommended(mission.agency_id, [mission])[mission.pk]


@dataclass(frozen=True)
class MissionTactics:
    """What to do at one mission, the recommended tactic first, by name. ``is_recommended``: the first was drawn or asked for."""

    mission: Mission
    names: list[str]
    is_recommended: bool = False
    rows: list[Recommendation] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The names in one line, the recommended one marked as that."""
        first = (
            _("%(tactic)s (recommended)") % {"tactic": self.names[0]}
            if self.is_recommended
            else "".join(self.names[:1])
        )
        return " · ".join([first, *self.names[1:]]) if self.names else ""


def tactics_of_missions(agency: Agency, keys: list[int], *, at_most: int = 3) -> list[MissionTactics]:
    """Return what to do at each of the agency's missions. At most eight queries, however many missions.

    The same lists as ``recommended_tactics``, read at once for all of them.
    """
    missions = list(
        Mission.objects.filter(agency=agency, pk__in=keys)
        .select_related("plan", "plan__grid")
        .defer("plan__design")
    )
    found = _recommended(agency.pk, missions)
    return [
        MissionTactics(
            mission,
            [row.tactic.name for row in found[mission.pk][:at_most]],
            bool(found[mission.pk]) and found[mission.pk][0].is_first_choice,
            found[mission.pk],
        )
        for mission in missions
    ]


def _recommended(agency_id: int, missions: list[Mission]) -> dict[int, list[Recommendation]]:
    keys = [mission.pk for mission in missions]
    draws = {draw.mission_id: draw for draw in TacticDraw.objects.filter(agency=agency_id, mission__in=keys)}
    undrawn = [mission for mission in missions if mission.pk not in draws]
    rules: dict[int, list[TacticRule]] = defaultdict(list)
    if undrawn:
        kinds = {mission.crime_type_id for mission in undrawn}
        # With the agency: its time zone would cost another query.
        rows = TacticRule.objects.filter(agency=agency_id, crime_type__in=kinds).select_related(
            "tactic", "agency"
        )
        for rule in rows.defer("agency__boundary"):
            rules[rule.crime_type_id].append(rule)
    offered: dict[str, Tactic] = {}
    if draws or any(mission.tactic for mission in undrawn):
        active = Tactic.objects.filter(agency=agency_id, is_active=True, is_enforcement=False)
        offered = {tactic.slug: tactic for tactic in active}
    found = {pk: _as_drawn(draw, offered) for pk, draw in draws.items()}
    return found | _by_the_rules(undrawn, rules, offered)


def _as_drawn(draw: TacticDraw, offered: dict[str, Tactic]) -> list[Recommendation]:
    weights, chances = draw.policy.get("weights", {}), draw.probabilities
    rows = [
        Recommendation(
            tactic,
            float(weights.get(slug, 0.0)),
            is_drawn=tactic.pk == draw.tactic_id,
            probability=chances.get(slug),
        )
        for slug in weights.keys() | chances.keys()
        if (tactic := offered.get(slug)) is not None
    ]
    return sorted(
        rows, key=lambda row: (not row.is_drawn, -(row.probability or 0.0), -row.preference, row.tactic.name)
    )


def _by_the_rules(
    missions: list[Mission], rules: dict[int, list[TacticRule]], offered: dict[str, Tactic]
) -> dict[int, list[Recommendation]]:
    agency = next((rule.agency for own in rules.values() for rule in own), None)
    # Without a rule no hour is asked for.
    zone = ZoneInfo(agency.time_zone) if agency else dt.UTC
    found: dict[int, list[Recommendation]] = {}
    for grid_id, own in _by_grid(missions).items():
        grid = own[0].plan.grid
        asked = (
            kinds_asked(rule for mission in own for rule in rules[mission.crime_type_id])
            if grid_id
            else set()
        )
        around = (
            surroundings(agency, GridSpec.from_bytes(bytes(grid.spec)), [row.cell_id for row in own], asked)
            if grid is not None and agency is not None and asked
            else None
        )
        for at, mission in enumerate(own):
            rows = allowed_tactics(
                rules[mission.crime_type_id],
                shift_id=mission.plan.shift_id,
                starts=mission.starts_at.astimezone(zone).time(),
                near=around.near[at] if around else (),
                known=around.known if around else (),
            )
            wanted = offered.get(mission.tactic) if mission.tactic else None
            first = [Recommendation(wanted, 0.0, is_asked_for=True)] if wanted else []
            found[mission.pk] = first + [
                Recommendation(row.rule.tactic, row.preference, row.for_this_shift)
                for row in rows
                if wanted is None or row.rule.tactic_id != wanted.pk
            ]
    return found


def _by_grid(missions: Iterable[Mission]) -> dict[int | None, list[Mission]]:
    groups: dict[int | None, list[Mission]] = defaultdict(list)
    for mission in missions:
        groups[mission.plan.grid_id].append(mission)
    return groups
