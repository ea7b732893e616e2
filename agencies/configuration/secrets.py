"""Taking secrets out of what travels: addresses can carry a password or a key that nobody thought of as one."""

import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

PLACEHOLDER = "ENTER-AGAIN"
_SECRET_NAME = re.compile(
    r"(?:^|[_\-.])(?:api)?_?(?:key|token|secret|password|passwd|pwd|auth|signature|sig|credential)s?(?:$|[_\-.])"
    r"|apikey|accesstoken|access_token|subscription-key",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name usually holds a secret: “access_token”, “apiKey”, “sig”."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return bool(_SECRET_NAME.search(spaced))


def without_secrets(text: str) -> str:
    """An address without its password and with every secret-looking parameter replaced; other texts unchanged.

    The braces of tile addresses (``{z}``) stay as they are.

    >>> without_secrets("https://tiles.example/{z}/{x}/{y}.png?style=dark&apiKey=abc")
    'https://tiles.example/{z}/{x}/{y}.png?style=dark&apiKey=ENTER-AGAIN'
    >>> without_secrets("https://me:pw@data.example/rows.csv")
    'https://data.example/rows.csv'
    >>> without_secrets("no address")
    'no address'
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if not parts.scheme or not parts.netloc:
        return text
    netloc = parts.netloc.rpartition("@")[2]
    pairs = []
    for pair in parts.query.split("&") if parts.query else []:
        name, equals, _ = pair.partition("=")
        secret = bool(equals) and is_secret_name(unquote(name))
        pairs.append(f"{name}={quote(PLACEHOLDER)}" if secret else pair)
    return urlunsplit((parts.scheme, netloc, parts.path, "&".join(pairs), parts.fragment))


def without_secrets_within(value: Any) -> Any:
    """The same for every text inside a JSON value; values under a secret-looking name are replaced as a whole."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, list):
        return [without_secrets_within(item) for item in value]
    if isinstance(value, dict):
        return {
            name: PLACEHOLDER
            if isinstance(inner, str) and inner and is_secret_name(str(name))
            else without_secrets_within(inner)
            for name, inner in value.items()
        }
    return value


def holds_placeholder(value: Any) -> bool:
    """Whether a secret was taken out of the value."""
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, list):
        return any(holds_placeholder(item) for item in value)
    return isinstance(value, dict) and any(holds_placeholder(item) for item in value.values())
