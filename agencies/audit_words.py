"""What the audit log says was done, in the reader's language; what is kept and hashed stays as it was written."""

from functools import cache
from typing import Any

from django.apps import apps
from django.utils.translation import get_language, gettext, gettext_noop

DONE = (
    gettext_noop("API key made"),
    gettext_noop("API key revoked"),
    gettext_noop("API token made"),
    gettext_noop("API token revoked"),
    gettext_noop("addition made"),
    gettext_noop("area suppressed"),
    gettext_noop("audit log exported"),
    gettext_noop("changed by key"),
    gettext_noop("decision asked for"),
    gettext_noop("decision dismissed"),
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
    gettext_noop("personal report mailed"),
    gettext_noop("personal report seen"),
    gettext_noop("plan not as drawn"),
    gettext_noop("plan published"),
    gettext_noop("plan replayed"),
    gettext_noop("role given by sign-on"),
    gettext_noop("role taken by sign-on"),
    gettext_noop("sign-on refused"),
    gettext_noop("study cancelled"),
    gettext_noop("study frozen"),
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


@cache
def _names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model in apps.get_models():
        found[str(model._meta.model_name)] = model._meta.verbose_name
        # Files are of all rows of a table.
        found[f"{model._meta.model_name}s"] = model._meta.verbose_name_plural
    return found


def action_words(action: str) -> str:
    """What was done, in the reader's language; in English, and where nobody translated it, as it is kept. No query.

    >>> action_words("beats.uploaded")
    'beats.uploaded'
    """
    if (get_language() or "en").startswith("en"):
        return action
    name, dot, verb = action.partition(".")
    if not dot:
        return gettext(action) if action else ""
    return f"{_names().get(name) or gettext(name)}: {gettext(verb.replace('_', ' '))}"
