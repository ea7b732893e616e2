"""What of this room is an agency's configuration: feeds and how they are read, drop folders, retention."""

from django.utils.translation import gettext as _

from agencies.configuration import Section, register
from agencies.configuration.secrets import PLACEHOLDER, holds_placeholder, without_secrets_within
from ingestion.models import DropFolder, Feed, OffenceCode, RetentionPolicy
from ingestion.services.retention_kinds import retention_kinds
from ingestion.sources import SourceError, parameter_infos


def _secret_parameters(feed: Feed) -> list[str]:
    try:
        return [info.label for info in parameter_infos(feed.kind) if info.secret]
    except SourceError:
        return []


def feed_check(feed: Feed) -> list[str]:
    """A feed's kind must be one that this installation knows; other rooms' tables do not know the kinds."""
    try:
        parameter_infos(feed.kind)
    except SourceError as exc:
        return [str(exc)]
    return []


def feed_by_hand(feed: Feed) -> list[str]:
    """The secrets that did not travel."""
    told = [
        _("Feed “%(name)s”: enter again where needed: %(label)s.") % {"name": feed.name, "label": label}
        for label in _secret_parameters(feed)
    ]
    if holds_placeholder(feed.params):
        told.append(
            _("Feed “%(name)s”: an address or parameter holds %(placeholder)s where a secret stood.")
            % {"name": feed.name, "placeholder": PLACEHOLDER}
        )
    return told


def retention_check(row: RetentionPolicy) -> list[str]:
    """The kind must be known, and its own limits hold: the admin's form asks the same."""
    kind = {known.key: known for known in retention_kinds()}.get(row.kind)
    if kind is None:
        return [_("there is no kind of record “%(kind)s”") % {"kind": row.kind}]
    problems = []
    if row.coarsen_after_days is not None and kind.coarse is None:
        problems.append(
            _("%(label)s have no place and time that could be made coarse") % {"label": kind.label}
        )
    given = [days for days in (row.coarsen_after_days, row.delete_after_days) if days is not None]
    if any(days < kind.minimum_days for days in given):
        problems.append(
            _("%(label)s: at least %(minimum_days)s days are kept")
            % {"label": kind.label, "minimum_days": kind.minimum_days}
        )
    return problems


def register_own() -> None:
    """Tell the register about this room's tables."""
    made_here = "the installation's own state"
    register(
        Section(
            "feeds",
            Feed,
            ("slug",),
            (
                *("name", "record_kind", "kind", "params", "mapping", "is_active", "lag_median_hours"),
                *("lag_p90_hours", "every_minutes", "silent_after_hours"),
            ),
            order=20,
            left_out={
                "next_due_at": made_here,
                "cursor": made_here,
                "draft": made_here,
                "sealed_secrets": "secrets do not travel",
            },
            switch="is_active",
            cleaned={"params": without_secrets_within},
            check=feed_check,
            by_hand=feed_by_hand,
        ),
        Section(
            "offence_codes",
            OffenceCode,
            ("feed", "code"),
            ("description", "nibrs_code", "crime_type", "is_ignored", "written_reason"),
            order=21,
        ),
        Section(
            "drop_folders",
            DropFolder,
            ("name",),
            ("feed", "is_active", "settle_seconds", "needs_marker", "keep_days"),
            order=22,
            left_out={"looked_at": made_here, "message": made_here},
            switch="is_active",
        ),
        Section(
            "retention",
            RetentionPolicy,
            ("kind",),
            ("coarsen_after_days", "delete_after_days"),
            order=23,
            left_out={"claimed_on": made_here, "finished_at": made_here, "unlogged": made_here},
            check=retention_check,
        ),
    )
