"""What was stored in English while nobody read it, in the reader's language. Every template has these."""

from django import template

from agencies.audit_words import action_words as words_of_action
from missions_project.lib.run_words import log_said
from missions_project.lib.sentences import said_again

register = template.Library()


@register.filter
def said(text: str | None) -> str:
    """An error, a label or a sentence of work in the background; what nobody has translated stays as it is."""
    return said_again(str(text)) if text else ""


@register.filter
def action_words(action: str) -> str:
    """What the audit log says was done."""
    return words_of_action(action)


@register.filter
def said_log(log: str | None) -> str:
    """The log of a run, line by line."""
    return log_said(str(log)) if log else ""
