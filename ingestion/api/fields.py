"""Fields that every room's addresses share: the agency's own rows by their code, its wall clock, periods of shifts."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from agencies.lookups import FIRST_DATE, LAST_DATE
from agencies.models import Agency, Beat, CrimeType, District, Shift, Unit
from missions_project.lib.rest.paging import PagedQuery

LARGEST_ID = 2**63 - 1
LONGEST_DAYS = 62


class OwnField(serializers.CharField):
    """A row of the agency by its code. Another agency's is as unknown as none."""

    model: type[Model]
    by: str
    heavy: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 60)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        # After the text's own rules, which would look for the length of a row.
        text = super().run_validation(data)
        if text is None:
            return None
        rows: Any = self.model._default_manager
        found = rows.filter(agency=self.context["agency"], **{self.by: text}).defer(*self.heavy).first()
        if found is None:
            raise serializers.ValidationError(
                _("The agency has no %(verbose_name)s “%(text)s”.")
                % {"verbose_name": self.model._meta.verbose_name, "text": text[:40]}
            )
        return found


class ShiftField(OwnField):
    model, by = Shift, "slug"


class BeatField(OwnField):
    model, by, heavy = Beat, "code", ("geometry",)


class DistrictField(OwnField):
    model, by, heavy = District, "code", ("geometry",)


class CrimeTypeField(OwnField):
    model, by = CrimeType, "slug"


class UnitField(OwnField):
    model, by = Unit, "call_sign"


def id_field(what: str, **kwargs: Any) -> serializers.IntegerField:
    """A number by which the database knows a row."""
    return serializers.IntegerField(min_value=1, max_value=LARGEST_ID, help_text=what, **kwargs)


@extend_schema_field(OpenApiTypes.DATETIME)
class LocalTime(serializers.Field):  # type: ignore[type-arg]  # read only
    """An instant on the agency's wall clock, with its offset."""

    def to_representation(self, value: dt.datetime) -> str:
        return value.isoformat(timespec="seconds")


@extend_schema_field(
    {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {
            "type": {"type": "string", "enum": ["Polygon", "MultiPolygon"]},
            "coordinates": {"type": "array", "items": {}},
        },
    }
)
class AreaJson(serializers.JSONField):
    """A GeoJSON polygon in WGS84."""


class PeriodQuery(PagedQuery):
    """A list of shifts' rows: those whose shift starts on these local dates."""

    days_back, days_on = 1, 6

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of the language, and cannot be written as an attribute.
        first = serializers.DateField(
            required=False,
            help_text=_(
                "First local date on which the shift starts. Without it: %(days_back)s days before today."
            )
            % {"days_back": self.days_back},
        )
        last = serializers.DateField(
            required=False,
            help_text=_(
                "Last local date. Without it: %(days_back)s days after `from`, which may be at most %(longest_days)s days earlier."
            )
            % {"days_back": self.days_back + self.days_on, "longest_days": LONGEST_DAYS},
        )
        return {"from": first, "to": last, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        agency: Agency = self.context["agency"]
        today = timezone.localdate(timezone=ZoneInfo(agency.time_zone))
        first = attrs.get("from") or attrs.get("to", today) - dt.timedelta(days=self.days_back)
        last = attrs.get("to") or first + dt.timedelta(days=self.days_back + self.days_on)
        for name, day in (("from", first), ("to", last)):
            if not FIRST_DATE <= day <= LAST_DATE:
                raise serializers.ValidationError(
                    {
                        name: _("Choose a date from %(first_date)s to %(last_date)s.")
                        % {"first_date": FIRST_DATE, "last_date": LAST_DATE}
                    }
                )
        if not first <= last <= first + dt.timedelta(days=LONGEST_DAYS):
            raise serializers.ValidationError(
                {
                    "to": _("“from” to “to” must be 0 to %(longest_days)s days. Ask for a shorter period.")
                    % {"longest_days": LONGEST_DAYS}
                }
            )
        return {**attrs, "from": first, "to": last}
