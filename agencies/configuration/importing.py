"""Making an agency from a document: all of it, or nothing."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from agencies.configuration.documents import ConfigurationError, configuration_text
from agencies.configuration.exporting import AGENCY_FIELDS, configuration_export
from agencies.configuration.sections import Section, section_of, sections
from agencies.models import Agency, User
from agencies.services.audit import audit_record
from missions_project.lib import walls


@dataclass
class ImportedConfiguration:
    """What an import made, or would make."""

    agency: Agency
    counts: dict[str, int] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)
    """What a person must still enter: secrets do not travel."""
    dry_run: bool = False


class _DryRunDoneError(Exception):
    """Rolls the transaction back."""


def configuration_import(
    *,
    document: dict[str, Any],
    slug: str = "",
    name: str = "",
    actor: User | None = None,
    switched_off: bool = False,
    dry_run: bool = False,
) -> ImportedConfiguration:
    """Make a new agency as the (parsed) document describes it, under another slug and name if given.

    All or nothing: every row is checked as the admin checks it, and every problem is listed, before anything stays.
    ``switched_off``: what acts by itself (feeds, drop folders, schedules) waits until somebody switches it on.
    ``dry_run``: everything is tried and nothing stays. Raises ``ConfigurationError``.
    """
    imported = ImportedConfiguration(agency=Agency(), dry_run=dry_run)
    try:
        with transaction.atomic():
            imported.agency = _agency(document, slug, name)
            reader = _Reader(imported, switched_off)
            reader.read(document.get("sections", {}))
            audit_record(
                agency=imported.agency,
                actor=actor,
                action="agency.configuration_imported",
                subject=imported.agency.name,
                detail={
                    "from": str(document["agency"].get("slug", "")),
                    "sha256": hashlib.sha256(configuration_text(document).encode()).hexdigest(),
                    "rows": imported.counts,
                },
            )
            if dry_run:
                raise _DryRunDoneError
    except _DryRunDoneError:
        pass
    except IntegrityError as exc:
        raise _refused([_("the database refused it: %(exc)s") % {"exc": exc}]) from exc
    return imported


def configuration_clone(
    *,
    agency: Agency,
    slug: str,
    name: str,
    actor: User | None = None,
    switched_off: bool = True,
    dry_run: bool = False,
) -> ImportedConfiguration:
    """Make a new agency with the configuration of this one. Its people, data and secrets stay where they are."""
    return configuration_import(
        document=configuration_export(agency),
        slug=slug,
        name=name,
        actor=actor,
        switched_off=switched_off,
        dry_run=dry_run,
    )


def _refused(problems: list[str]) -> ConfigurationError:
    number = _("one problem") if len(problems) == 1 else _("%(count)s problems") % {"count": len(problems)}
    return ConfigurationError(
        _("Nothing was imported: the configuration has %(number)s.") % {"number": number},
        next_step=_("mend the file."),
        problems=problems,
    )


def _agency(document: dict[str, Any], slug: str, name: str) -> Agency:
    told = document.get("agency")
    if not isinstance(told, dict):
        raise _refused([_("agency: there is none in the file")])
    if unknown := sorted(set(told) - set(AGENCY_FIELDS)):
        raise _refused([_("agency: %(unknown)s is unknown here") % {"unknown": ", ".join(unknown)}])
    agency = Agency(**told)
    agency.slug, agency.name = slug or agency.slug, name or agency.name
    # An agency beyond the asker's reach has its slug all the same.
    with walls.within(walls.EVERYTHING):
        is_taken = agency.slug and Agency.objects.filter(slug=agency.slug).exists()
    if is_taken:
        raise ConfigurationError(
            _("There is an agency “%(slug)s” already; an import makes a new one and changes none.")
            % {"slug": agency.slug},
            next_step=_("give another slug."),
        )
    try:
        agency.full_clean()
    except ValidationError as exc:
        raise _refused(list(_told("agency", exc))) from exc
    agency.save()
    return agency


def _told(where: str, exc: ValidationError) -> list[str]:
    if not hasattr(exc, "error_dict"):
        return [f"{where}: {message}" for message in exc.messages]
    return [
        f"{where}: {message}" if name == "__all__" else f"{where}, {name}: {message}"
        for name, messages in exc.message_dict.items()
        for message in messages
    ]


class _Reader:
    """Makes rows section by section and remembers them by their keys, so that later rows can point to them."""

    def __init__(self, imported: ImportedConfiguration, switched_off: bool) -> None:
        self.imported = imported
        self.agency = imported.agency
        self.switched_off = switched_off
        self.rows: dict[tuple[str, str], Any] = {}
        self.problems: list[str] = []

    def read(self, told: Any) -> None:
        """Make every row, or raise ``ConfigurationError`` with all that is wrong."""
        if not isinstance(told, dict):
            raise _refused([_("sections: these must be named lists of rows")])
        if unknown := sorted(set(told) - {section.name for section in sections()}):
            # Left aside, a part of the configuration would be missing and nobody would know.
            raise _refused([_("sections, %(name)s: unknown here") % {"name": name} for name in unknown])
        for section in sections():
            self._section(section, told.get(section.name, []))
        if self.problems:
            raise _refused(self.problems)

    def _section(self, section: Section, told: Any) -> None:
        if not isinstance(told, list):
            self.problems.append(_("%(name)s: this must be a list of rows") % {"name": section.name})
            return
        for number, values in enumerate(told, start=1):
            where = _("%(name)s, row %(number)s") % {"name": section.name, "number": number}
            if not isinstance(values, dict):
                self.problems.append(_("%(where)s: this must be an object") % {"where": where})
            elif unknown := sorted(set(values) - set(section.columns)):
                self.problems.append(
                    _("%(where)s: %(unknown)s is unknown here")
                    % {"where": where, "unknown": ", ".join(unknown)}
                )
            else:
                self._row(section, where, values)
        self.imported.counts[section.name] = len(told)

    def _row(self, section: Section, where: str, values: dict[str, Any]) -> None:
        label = ", ".join(str(values.get(name, "")) for name in section.key)
        where = f"{where} ({label})" if label else where
        row = section.model(agency=self.agency)
        many: dict[str, list[Any]] = {}
        before = len(self.problems)
        for name, value in values.items():
            column = section.column(name)
            if column.many_to_many:
                many[name] = self._many(column, f"{where}, {name}", value)
            elif column.is_relation:
                setattr(row, name, self._related(column, f"{where}, {name}", value))
            elif isinstance(value, list | dict) and not isinstance(column, models.JSONField):
                # A text column would keep the list's spelling as its text.
                self.problems.append(
                    _("%(where)s, %(name)s: this must be one value") % {"where": where, "name": name}
                )
            else:
                setattr(row, name, value)
        if self.switched_off and section.switch:
            setattr(row, section.switch, False)
        if len(self.problems) > before:
            return
        try:
            row.full_clean()
            if section.check is not None and (wrong := section.check(row)):
                self.problems += [f"{where}: {problem}" for problem in wrong]
                return
            row.save()
        except ValidationError as exc:
            self.problems += _told(where, exc)
            return
        except (TypeError, ValueError, AttributeError) as exc:
            # A list where a text belongs: the models' own checks expect what a form would hand them.
            self.problems.append(
                _("%(where)s: a value is of the wrong kind (%(exc)s)") % {"where": where, "exc": exc}
            )
            return
        for name, related in many.items():
            getattr(row, name).set(related)
        self.rows[section.name, _token([values.get(name) for name in section.key])] = row
        if section.by_hand is not None:
            self.imported.by_hand += section.by_hand(row)

    def _related(self, column: Any, where: str, key: Any) -> Any:
        if key is None:
            return None
        section = section_of(column.related_model)
        if section is None:
            raise ValueError(f"{column.related_model.__name__} is no section of the configuration.")
        parts = [key] if len(section.key) == 1 else key
        found = self.rows.get((section.name, _token(parts)))
        if found is None:
            self.problems.append(
                _("%(where)s: %(name)s has no “%(key)s”") % {"where": where, "name": section.name, "key": key}
            )
        return found

    def _many(self, column: Any, where: str, keys: Any) -> list[Any]:
        if not isinstance(keys, list):
            self.problems.append(_("%(where)s: this must be a list") % {"where": where})
            return []
        return [row for key in keys if (row := self._related(column, where, key)) is not None]


def _token(parts: Any) -> str:
    """A key as one text: keys of several parts come as lists, which no dictionary takes."""
    return repr(parts)
