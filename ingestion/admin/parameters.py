"""A feed's page shows the parameters that its kind declares, each as a field; secrets go in and never come out again."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext as _

from ingestion import services
from ingestion.admin.position_columns import position_fields, position_mapping_read
from ingestion.forms import FeedForm
from ingestion.models import Feed, RecordKind
from ingestion.sources import ParameterInfo, SourceError, is_pull, parameter_infos, source_from

PREFIX = "param_"
FORGET = "param_forget_secrets"
_WHERE = ("domain", "url", "host", "port")


class ParameterNames(tuple[str, ...]):
    """The form's fields of which the audit log says only that they changed: all parameters, keys among them."""

    def __contains__(self, name: object) -> bool:
        return str(name).startswith(PREFIX)


def _infos(kind: str) -> list[ParameterInfo]:
    try:
        return parameter_infos(kind)
    except SourceError:
        return []


def parameter_names(kind: str) -> list[str]:
    """The names of the form's fields for this kind, in order."""
    infos = _infos(kind)
    names = [PREFIX + info.name for info in infos]
    return [*names, FORGET] if any(info.secret for info in infos) else names


def _field(info: ParameterInfo, stored: bool) -> forms.Field:
    common: dict[str, Any] = {"label": info.label, "required": info.required, "help_text": info.help}
    if info.secret:
        words = _("A value is stored; leave this empty to keep it.") if stored else _("Nothing is stored.")
        common |= {"required": info.required and not stored, "help_text": f"{info.help} {words}".strip()}
        secret = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})
        return forms.CharField(widget=secret, strip=True, max_length=4_000, **common)
    if info.choices:
        return forms.ChoiceField(choices=info.choices, **common)
    if info.type is bool:
        return forms.BooleanField(**common | {"required": False})
    if info.type is int:
        return forms.IntegerField(min_value=info.minimum, **common)
    if info.name == "query":
        return forms.CharField(widget=forms.Textarea(attrs={"rows": 6, "cols": 90}), **common)
    return forms.CharField(max_length=2_000, widget=forms.TextInput(attrs={"size": 80}), **common)


class ParameterForm(FeedForm):
    """The feed's form with its kind's parameters. Another kind chosen: those are asked for on the next page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind_before: str = self.instance.kind
        params = self.instance.params or {}
        for info in _infos(self.kind_before):
            field = self.fields[PREFIX + info.name]
            if not info.secret:
                field.initial = params.get(info.name, info.default)
            if self.is_bound and self.data.get("kind", self.kind_before) != self.kind_before:
                field.required = False

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        self.given_positions = position_mapping_read(self)
        self.given_params: dict[str, Any] = {}
        self.given_secrets: dict[str, str] = {}
        if cleaned.get("kind") != self.kind_before or self.errors:
            return cleaned
        for info in _infos(self.kind_before):
            value = cleaned.get(PREFIX + info.name)
            if info.secret:
                self.given_secrets |= {info.name: value} if value else {}
            elif value is not None and value != info.default:
                self.given_params[info.name] = value
        try:
            source_from(self.kind_before, {**self.given_params, **self.given_secrets})
        except SourceError as exc:
            self.add_error(None, str(exc))
        return cleaned

    def apply(self, feed: Feed) -> None:
        """Give the feed what was entered. Does not save."""
        if self.given_positions is not None and feed.record_kind == RecordKind.POSITIONS:
            feed.mapping = self.given_positions.to_json()
        if feed.kind != self.kind_before:
            feed.params, feed.cursor, feed.sealed_secrets, feed.draft = {}, {}, "", {}
            return
        forget = bool(self.cleaned_data.get(FORGET)) or self._moved(feed.params or {})
        services.feed_secrets_seal(feed=feed, values=self.given_secrets, forget=forget)
        services.pull_params_save(feed=feed, params=self.given_params, names=("page_rows", "overlap_minutes"))

    def _moved(self, before: dict[str, Any]) -> bool:
        """Whether requests go to another server now: a key for the one is not to be sent to the other."""
        return any(_server(before.get(name)) != _server(self.given_params.get(name)) for name in _WHERE)


def _server(value: Any) -> str:
    text = str(value or "")
    return urlsplit(text).netloc if "://" in text else text


def feed_form(feed: Feed | None) -> type[FeedForm]:
    """The form class of a feed's page, with a field for each parameter of its kind."""
    if feed is None:
        return FeedForm
    known = services.secrets_known(feed)
    declared: dict[str, Any] = position_fields(feed) | {
        PREFIX + info.name: _field(info, info.name in known) for info in _infos(feed.kind)
    }
    if known:
        declared[FORGET] = forms.BooleanField(
            label=_("Forget the stored keys and passwords"),
            required=False,
            help_text=_("Deletes those that are not entered anew."),
        )
    elif FORGET in parameter_names(feed.kind):
        declared[FORGET] = forms.BooleanField(required=False, widget=forms.HiddenInput)
    return type("ThisFeedForm", (ParameterForm,), declared)


def schedule_names(feed: Feed | None) -> list[str]:
    """The fields about when to pull, for feeds that are pulled."""
    return ["every_minutes", "next_pull"] if feed is not None and is_pull(feed.kind) else []
