"""What a browser calls itself, in words that its owner knows it by."""

from django import template
from django.utils.translation import gettext as _

register = template.Library()
# The order decides: nearly every browser also names the ones that it wants to be taken for.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
LONGEST = 60


@register.filter
def browser_words(user_agent: str) -> str:
    """Say a browser's user agent as a person would: “Firefox on Windows”; what is not known is given as it came, cut short.

    >>> browser_words("Car tablet")
    'Car tablet'
    >>> browser_words("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox on Linux'
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    short = user_agent[:LONGEST]
    return browser or system or (f"{short}…" if len(user_agent) > LONGEST else short) or _("unknown browser")
