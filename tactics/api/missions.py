"""``/api/v1/<agency>/missions/<id>/tactics/``: what to do at a mission, with the chances of the draw."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api.access import AgencyView
from missions_project.lib.rest.queries import NoQuery
from patrols.api.missions import mission_or_404
from tactics.models import DrawMethod, TacticDraw
from tactics.recommended import Recommendation, recommended_tactics

ASKED_FOR, RULES = "asked_for", "rules"
METHODS = [
    *DrawMethod.choices,
    (ASKED_FOR, "The person who added the mission asked for it"),
    (RULES, "Not drawn: what the rules allow now, the most preferred first"),
]


class TacticChanceOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    tactic = serializers.CharField(help_text="Its slug.")
    name = serializers.CharField()
    probability = serializers.FloatField(
        allow_null=True,
        help_text="Its chance of being the recommended one when that was drawn. Null: it was not in a draw.",
    )
    preference = serializers.FloatField(
        help_text="The agency's weight: as at the draw; undrawn, as it is now."
    )


class MissionTacticsOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    mission = serializers.IntegerField()
    method = serializers.ChoiceField(METHODS, help_text="How the recommended tactic came about.")
    drawn_at = serializers.DateTimeField(allow_null=True, help_text="Null: it was not drawn.")
    recommended = TacticChanceOut(
        allow_null=True, help_text="Null: nothing was drawn or asked for, or it is no longer offered."
    )
    others = TacticChanceOut(many=True, help_text="What else is allowed, the likelier first.")


class MissionTactics(AgencyView):
    @extend_schema(
        operation_id="missions_tactics",
        summary="What to do at a mission",
        tags=["missions"],
        responses=MissionTacticsOut,
    )
    def get(self, request: Request, agency_slug: str, mission_id: int) -> Response:
        """The recommended tactic, its chance, and the others that are allowed. An officer sees the own unit's missions only."""
        NoQuery.of(request)
        mission = mission_or_404(self.caller, mission_id)
        rows = recommended_tactics(mission)
        draw = TacticDraw.objects.filter(agency=self.agency, mission=mission).first()
        first = next((row for row in rows if row.is_first_choice), None)
        undrawn = ASKED_FOR if first is not None else RULES
        return Response(
            {
                "mission": mission.pk,
                "method": draw.method if draw else undrawn,
                "drawn_at": draw.drawn_at if draw else None,
                "recommended": _shown(first) if first else None,
                "others": [_shown(row) for row in rows if row is not first],
            }
        )


def _shown(row: Recommendation) -> dict[str, Any]:
    return {
        "tactic": row.tactic.slug,
        "name": row.tactic.name,
        "probability": row.probability,
        "preference": row.preference,
    }
