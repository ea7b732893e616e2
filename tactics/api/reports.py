"""``/api/v1/<agency>/reports/``: the same reports as on the pages, as data."""

from typing import Any
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import EVERYONE
from ingestion.api.access import AgencyView
from missions_project.lib.rest.queries import NoQuery, Query
from tactics.reports.asked import FILTERS, PERIODS, asked_from, choices_of
from tactics.reports.files import as_json, json_pieces
from tactics.reports.kept import report_of
from tactics.reports.kinds import all_kinds
from tactics.reports.pages import kind_of, kinds_of


class OptionOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    name = serializers.CharField()
    title = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField())
    default = serializers.ListField(child=serializers.CharField())
    many = serializers.BooleanField(  # type: ignore[assignment]  # DRF has a parameter of this name, no attribute
        help_text="Whether several may be chosen, separated by commas."
    )


class ReportKindOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    report = serializers.CharField(help_text="Its name in addresses.")
    title = serializers.CharField()
    what = serializers.CharField()
    filters = serializers.ListField(child=serializers.CharField(), help_text="What it can be filtered by.")
    days = serializers.IntegerField(help_text="How many days it looks back where none are named.")
    options = OptionOut(many=True, help_text="What else it lets choose, each a parameter of its own.")


class ReportKindsOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    results = ReportKindOut(many=True)


class PeriodOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of the language, and cannot be written as an attribute.
        return {"from": serializers.DateField(), "to": serializers.DateField()}


class FigureOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    label = serializers.CharField()  # type: ignore[assignment]  # a serializer has a label of its own
    value = serializers.CharField(help_text="As people read it.")
    note = serializers.CharField(allow_blank=True)


class ColumnOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    key = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=["text", "int", "number", "share"], help_text="A share is 0 to 1.")
    unit = serializers.CharField(allow_blank=True)


class TableOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    table = serializers.CharField()
    title = serializers.CharField()
    note = serializers.CharField(allow_blank=True)
    columns = ColumnOut(many=True)
    rows = serializers.ListField(
        child=serializers.DictField(),
        help_text="One object a row, by the columns' keys; null where not known.",
    )


class ReportOut(serializers.Serializer):  # type: ignore[type-arg]  # it shows dictionaries
    report = serializers.CharField()
    title = serializers.CharField()
    agency = serializers.CharField()
    period = PeriodOut()
    filters = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    options = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    time_zone = serializers.CharField()
    generated_at = serializers.DateTimeField()
    model = serializers.CharField(help_text="Model versions behind the missions of the period.")
    about = serializers.ListField(child=serializers.CharField())
    sentence = serializers.CharField()
    figures = FigureOut(many=True)
    tables = TableOut(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class ReportQuery(Query):
    def get_fields(self) -> dict[str, Any]:
        words = "Codes or slugs, separated by commas. Without it: all."
        dates: dict[str, serializers.Field] = {  # type: ignore[type-arg]  # of whatever kind
            "from": serializers.DateField(
                required=False, help_text="First local date. Without it: the report's own days before `to`."
            ),
            "to": serializers.DateField(required=False, help_text="Last local date. Without it: yesterday."),
        }
        dates["period"] = serializers.ChoiceField(
            required=False,
            choices=list(PERIODS.items()),
            help_text="A period that ends yesterday, instead of dates.",
        )
        own = {
            option.name: serializers.CharField(
                required=False, max_length=200, help_text=f"{option.title}, for the report “{kind.slug}”."
            )
            for kind in all_kinds().values()
            for option in kind.options
        }
        return (
            dates
            | {
                name: serializers.CharField(required=False, max_length=2000, help_text=words)
                for name in FILTERS
            }
            | own
        )


class Reports(AgencyView):
    reads = EVERYONE

    @extend_schema(
        operation_id="reports_list",
        summary="Which reports there are",
        tags=["reports"],
        responses=ReportKindsOut,
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """Those that this role may see."""
        NoQuery.of(request)
        found = [
            {
                "report": kind.slug,
                "title": kind.title,
                "what": kind.what,
                "filters": list(kind.filters),
                "days": kind.days,
                "options": [
                    {
                        "name": one.name,
                        "title": one.title,
                        "choices": [value for value, _ in one.choices],
                        "default": list(one.default),
                        "many": one.many,
                    }
                    for one in kind.options
                ],
            }
            for kind in kinds_of(self.caller)
        ]
        if not found:
            raise PermissionDenied("Your role sees no report. Next step: ask the agency's administrator.")
        return Response({"results": found})


class OneReport(AgencyView):
    reads = EVERYONE

    @extend_schema(
        operation_id="reports_get",
        summary="One report",
        tags=["reports"],
        parameters=[ReportQuery],
        responses=ReportOut,
    )
    def get(self, request: Request, agency_slug: str, slug: str) -> Response | StreamingHttpResponse:
        """Sentence, figures and all tables of a period, made now or within the last minute."""
        kind = kind_of(self.caller, slug)
        query = ReportQuery.of(request)
        own = [option.name for option in kind.options]
        fixed = ("from", "to", "period")
        if strange := sorted(set(query) - {*fixed, *FILTERS, *own}):
            raise ValidationError(dict.fromkeys(strange, "This report has no such choice."))
        wanted: dict[str, Any] = {name: str(query[name]) for name in fixed if name in query}
        wanted |= {
            name: [code.strip() for code in query.get(name, "").split(",")] for name in (*FILTERS, *own)
        }
        today = timezone.localdate(timezone=ZoneInfo(self.agency.time_zone))
        asked = asked_from(
            wanted,
            choices_of(self.agency),
            today=today,
            days=kind.days,
            longest=kind.longest,
            options=kind.options,
        )
        report = report_of(self.agency, kind, asked, self.caller)
        if any(table.is_streamed for table in report.tables):
            return StreamingHttpResponse(json_pieces(report), content_type="application/json")
        return Response(as_json(report))
