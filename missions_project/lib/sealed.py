"""Seal what must not be readable in the database or its backups: passwords and keys of other systems."""

import base64
import json
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from missions_project.lib.errors import MissionsError

_PURPOSE = b"missions: secrets of feeds, version 1"


def _box(keys: Sequence[str]) -> MultiFernet:
    derived = (HKDF(hashes.SHA256(), 32, None, _PURPOSE).derive(key.encode()) for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])


def seal(values: Mapping[str, str], keys: Sequence[str]) -> str:
    """Encrypt and sign the values under the first key (any text of enough chance); empty for no values."""
    kept = {name: value for name, value in values.items() if value}
    return _box(keys).encrypt(json.dumps(kept).encode()).decode() if kept else ""


def unseal(sealed: str, keys: Sequence[str]) -> dict[str, str]:
    """The values again, whichever of the keys sealed them. Raises ``MissionsError`` if none did."""
    if not sealed:
        return {}
    try:
        found: dict[str, str] = json.loads(_box(keys).decrypt(sealed.encode()))
    except InvalidToken:
        raise MissionsError(
            "The feed's keys and passwords cannot be read: they were sealed under another FEED_SECRETS_KEY.",
            next_step="restore that key, or enter the feed's keys and passwords again.",
        ) from None
    return found
