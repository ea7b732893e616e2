"""Seal what must not be readable in the database or its backups: passwords and keys of other systems."""

import base64
import json
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from missions_project.lib.errors import MissionsError

_PURPOSE = b"missions: secrets of %s, version 1"
FEEDS = "feeds"
NOTICES = "notices"
_WHOSE = {
    FEEDS: (
        gettext_lazy("The feed's keys and passwords"),
        gettext_lazy("enter the feed's keys and passwords again"),
    ),
    NOTICES: (gettext_lazy("The web-hook's secret"), gettext_lazy("ask for a new one on the page Notices")),
}
"""What cannot be read once the key is lost, and what to do then."""


def installation_keys() -> tuple[str, ...]:
    """The keys under which this installation seals, the newest first."""
    return settings.FEED_SECRETS_KEYS or (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS))


def _box(keys: Sequence[str], purpose: str) -> MultiFernet:
    # A key of its own for each purpose: what was sealed for one cannot be passed off as another's.
    info = _PURPOSE % purpose.encode()
    derived = (HKDF(hashes.SHA256(), 32, None, info).derive(key.encode()) for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])


def seal(values: Mapping[str, str], keys: Sequence[str], purpose: str = FEEDS) -> str:
    """Encrypt and sign the values under the first key (any text of enough chance); empty for no values."""
    kept = {name: value for name, value in values.items() if value}
    return _box(keys, purpose).encrypt(json.dumps(kept).encode()).decode() if kept else ""


def unseal(sealed: str, keys: Sequence[str], purpose: str = FEEDS) -> dict[str, str]:
    """The values again, whichever of the keys sealed them. Raises ``MissionsError`` if none did."""
    if not sealed:
        return {}
    try:
        found: dict[str, str] = json.loads(_box(keys, purpose).decrypt(sealed.encode()))
    except InvalidToken:
        what, otherwise = _WHOSE[purpose]
        raise MissionsError(
            _("%(what)s cannot be read: sealed under another FEED_SECRETS_KEY.") % {"what": what},
            next_step=_("restore that key, or %(otherwise)s.") % {"otherwise": otherwise},
        ) from None
    return found
