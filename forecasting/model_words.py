"""What a model is called, in the reader's language: the names of ``forecasting.engine.drawing``."""

from django.utils.translation import gettext, gettext_noop

from forecasting.engine import drawing

NAMES = (
    gettext_noop("All-history counts"),
    gettext_noop("Decayed counts"),
    gettext_noop("Kernel density"),
    gettext_noop("Counts + kernel density"),
    gettext_noop("Prospective hot spot"),
    gettext_noop("Self-exciting (ETAS)"),
    gettext_noop("Risk terrain"),
    gettext_noop("Log-linear"),
    gettext_noop("Boosting"),
    gettext_noop("Mixture of counts"),
    gettext_noop("Boosted mixture"),
    gettext_noop("Blend of the learned"),
)


def model_label(name: str) -> str:
    """What a league's entrant is called on pages and charts. No query."""
    label = drawing.model_label(name)
    return gettext(label) if label else ""
