"""The document itself: its kind, its schema's number, and how text becomes one."""

import json
from typing import Any

from django.utils.translation import gettext as _

from missions_project.lib.errors import MissionsError

KIND = "missions-configuration"
SCHEMA = 1
"""Raised whenever a document of before could be read wrongly; readers refuse a higher number than their own."""
MAX_BYTES = 64 * 1024 * 1024
"""Boundaries of 20,000 areas fit; a file that fills the memory does not."""
SHOWN_PROBLEMS = 20


class ConfigurationError(MissionsError):
    """The document cannot be imported; nothing was. ``problems`` lists why, each with its place in the document."""

    def __init__(self, message: str, *, next_step: str, problems: list[str] | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.problems = problems or []

    def __str__(self) -> str:
        shown = [f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            shown.append(_("  and %(count)s more") % {"count": len(self.problems) - SHOWN_PROBLEMS})
        return "\n".join([super().__str__(), *shown])


def configuration_text(document: dict[str, Any]) -> str:
    """The document as text: the same configuration is always the same text, and a change is one changed line."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _no_constant(name: str) -> Any:
    raise ValueError(_("%(name)s is no number") % {"name": name})


def configuration_parse(text: str | bytes) -> dict[str, Any]:
    """Read a document. Raises ``ConfigurationError`` for anything that is not one this installation understands."""
    if len(text) > MAX_BYTES:
        raise ConfigurationError(
            _("The file is larger than %(max_bytes)s MB.") % {"max_bytes": MAX_BYTES // 1024 // 1024},
            next_step=_("check that it is the right file."),
        )
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise ConfigurationError(
            _("This is not JSON: %(exc)s.") % {"exc": exc},
            next_step=_("choose a file that config_export or the admin has written."),
        ) from exc
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ConfigurationError(
            _("This is not an agency's configuration: it does not say “kind”: “%(kind)s”.") % {"kind": KIND},
            next_step=_("choose a file that config_export or the admin has written."),
        )
    schema = document.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise ConfigurationError(
            _("The file's schema is %(schema)s, which never was one.") % {"schema": f"{schema!r}"},
            next_step=_("export the configuration anew."),
        )
    if schema > SCHEMA:
        raise ConfigurationError(
            _("The file has schema %(schema)s; this installation reads schemas up to %(schema_2)s.")
            % {"schema": schema, "schema_2": SCHEMA},
            next_step=_("update this installation, or export from one of the same version."),
        )
    return document
