"""What the audit log says was done, in the reader's language; what is kept and hashed stays as it was written."""

import re
from functools import cache
from typing import Any

from django.apps import apps
from django.utils.translation import get_language, gettext, gettext_noop

from missions_project.lib.sentences import Sentences

DONE = (
    gettext_noop("API key made"),
    gettext_noop("API key revoked"),
    gettext_noop("API key rotated"),
    gettext_noop("API token made"),
    gettext_noop("API token revoked"),
    gettext_noop("API token rotated"),
    gettext_noop("addition ended"),
    gettext_noop("addition made"),
    gettext_noop("area suppressed"),
    gettext_noop("audit log exported"),
    gettext_noop("changed by key"),
    gettext_noop("decision asked for"),
    gettext_noop("decision dismissed"),
    gettext_noop("devices signed out"),
    gettext_noop("duty cleared"),
    gettext_noop("duty set"),
    gettext_noop("exposure finding answered"),
    gettext_noop("file exported"),
    gettext_noop("hand-over note written"),
    gettext_noop("hunch answered"),
    gettext_noop("mission added"),
    gettext_noop("mission assigned"),
    gettext_noop("mission moved"),
    gettext_noop("mission swapped"),
    gettext_noop("mission withdrawn"),
    gettext_noop("offence code mapped with a written reason"),
    gettext_noop("pack published"),
    gettext_noop("pack set aside"),
    gettext_noop("notice secret renewed"),
    gettext_noop("notices chosen"),
    gettext_noop("password changed"),
    gettext_noop("password reset"),
    gettext_noop("password set"),
    gettext_noop("personal report mailed"),
    gettext_noop("personal report seen"),
    gettext_noop("plan not as drawn"),
    gettext_noop("plan published"),
    gettext_noop("plan replayed"),
    gettext_noop("recovery codes renewed"),
    gettext_noop("role given by sign-on"),
    gettext_noop("role taken by sign-on"),
    gettext_noop("second factor added"),
    gettext_noop("second factor failed"),
    gettext_noop("second factor removed"),
    gettext_noop("sign-in failed"),
    gettext_noop("sign-on refused"),
    gettext_noop("signed in"),
    gettext_noop("signed out"),
    gettext_noop("study cancelled"),
    gettext_noop("study frozen"),
    gettext_noop("suppression ended"),
)
"""Events about more than one row, or about none."""

VERBS = (
    gettext_noop("activated"),
    gettext_noop("added"),
    gettext_noop("approved"),
    gettext_noop("changed"),
    gettext_noop("chosen"),
    gettext_noop("configuration exported"),
    gettext_noop("configuration imported"),
    gettext_noop("created"),
    gettext_noop("declined"),
    gettext_noop("deleted"),
    gettext_noop("dial set"),
    gettext_noop("done"),
    gettext_noop("drift acknowledged"),
    gettext_noop("ended"),
    gettext_noop("refused"),
    gettext_noop("retired"),
    gettext_noop("rolled back to"),
    gettext_noop("set"),
    gettext_noop("starter set added"),
    gettext_noop("uploaded"),
    gettext_noop("weight set"),
    gettext_noop("went live"),
)
"""What was done to a row, behind the name of its table and a dot."""

SUBJECTS = (
    gettext_noop("person"),
    gettext_noop("retention"),
    gettext_noop("proposal"),
)
"""Names before the dot that are no table's."""

OWN_WORDS = frozenset(
    {"addition ended", "addition made", "area suppressed", "suppression ended", "sign-on refused"}
)
"""Events whose subject somebody wrote: it stands as it was written."""

ABOUT = Sentences(
    (
        # What rows are called: ``audit_record`` keeps that in English. The more particular before the more general.
        gettext_noop("%(shift)s %(on)s, plan %(self_pk)s"),
        gettext_noop("%(shift)s %(on)s, round %(round)s"),
        gettext_noop("%(version)s, %(rule)s, through the week of %(through_week)s"),
        gettext_noop("%(version)s, week of %(week_from)s"),
        gettext_noop("%(crime_type)s in cell %(cell_id)s, %(period_from)s"),
        gettext_noop("%(where)s: %(ratio)s × its part of %(basis)s"),
        gettext_noop("%(shift)s: %(lead_minutes)s minutes before"),
        gettext_noop("%(n_cells)s cells of %(cell_size_m)s m"),
        gettext_noop("%(agency)s: asked %(asked_at)s"),
        gettext_noop("Mission %(self_number)s (%(crime_type)s)"),
        gettext_noop("Seal %(self_number)s: %(shift)s %(on)s"),
        gettext_noop("Import %(pk)s of %(file_name)s"),
        gettext_noop("Model policy of %(agency)s"),
        gettext_noop("Report policy of %(agency)s"),
        gettext_noop("Transparency policy of %(agency)s"),
        gettext_noop("Officer's page of %(agency)s"),
        gettext_noop("Live record of %(agency)s"),
        gettext_noop("Practice of %(officer)s"),
        gettext_noop("Presence in %(shift)s %(on)s"),
        gettext_noop("Note of %(shift)s %(on)s"),
        gettext_noop("Notices to %(user)s"),
        gettext_noop("Quality of feed %(feed_id)s"),
        gettext_noop("Retention of %(kind)s"),
        gettext_noop("Transparency pack %(self_number)s"),
        gettext_noop("Training %(self_pk)s"),
        gettext_noop("Update %(self_number)s"),
        gettext_noop("Row %(row_number)s: %(code)s"),
        gettext_noop("District %(code)s"),
        gettext_noop("Beat %(code)s"),
        gettext_noop("Area %(pk)s"),
        gettext_noop("All shifts"),
        gettext_noop("off duty"),
        # Where a finding is, and what its part of patrol is held against.
        gettext_noop("The %(area)s by %(kind)s"),
        gettext_noop("lowest tenth"),
        gettext_noop("second tenth"),
        gettext_noop("third tenth"),
        gettext_noop("fourth tenth"),
        gettext_noop("fifth tenth"),
        gettext_noop("sixth tenth"),
        gettext_noop("seventh tenth"),
        gettext_noop("eighth tenth"),
        gettext_noop("ninth tenth"),
        gettext_noop("highest tenth"),
        gettext_noop("forecast risk"),
        gettext_noop("residents"),
        gettext_noop("reported crime"),
        # What a file brought, what a night deleted.
        gettext_noop("%(count)s districts"),
        gettext_noop("%(count)s beats"),
        gettext_noop("%(count)s deleted"),
        gettext_noop("%(count)s coarsened"),
        gettext_noop("area of %(count)s points"),
        # Roles, behind a person's or a group's name.
        gettext_noop("Officer"),
        gettext_noop("Supervisor"),
        gettext_noop("Analyst"),
        gettext_noop("Agency administrator"),
        gettext_noop("Auditor"),
    )
)
"""What an event is about: names of rows that are made of words, and not only of an agency's own names."""
PERIOD = Sentences((gettext_noop("%(report)s, %(first)s to %(last)s"),))
"""What a personal report showed. Among the others it would fit whatever goes from here to there."""
_PARTS = re.compile(r"(: |, )")


@cache
def _names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model in apps.get_models():
        found[str(model._meta.model_name)] = model._meta.verbose_name
        # Files are of all rows of a table.
        found[f"{model._meta.model_name}s"] = model._meta.verbose_name_plural
    return found


def action_words(action: str) -> str:
    """What was done, in the reader's language, English too: what is kept names tables as the code does. No query.

    >>> action_words("modelversion.went_live")
    'model version: went live'
    >>> action_words("plan published")
    'plan published'
    """
    name, dot, verb = action.partition(".")
    if not dot:
        return gettext(action) if action else ""
    return f"{_names().get(name) or gettext(name)}: {gettext(verb.replace('_', ' '))}"


def subject_words(action: str, subject: str) -> str:
    """What an event is about, in the reader's language: names that the agency gave, and what a person wrote, stay. No query.

    >>> subject_words("membership.added", "jane, Supervisor")
    'jane, Supervisor'
    """
    if (get_language() or "en").startswith("en") or action in OWN_WORDS:
        return subject
    if action.startswith("personal report"):
        return PERIOD.said(subject)
    if ABOUT.pattern_of(subject) is not None:
        return ABOUT.said(subject)
    # "jane, Supervisor" and "11A, Evening 2026-01-01: Beat 12": each part by itself.
    return "".join(part if _PARTS.fullmatch(part) else ABOUT.said(part) for part in _PARTS.split(subject))
