"""Seals: proof that this installation wrote something, which nobody can make who holds only its database or its disk.

A seal is an HMAC with SHA-256 (RFC 2104) under a key derived for one purpose, so that a model file's seal is never taken
for an audit row's. It names its key by eight letters that tell nothing about it: "another key" and "not ours" are different
findings. The keys are those of ``missions_project.lib.sealed``: the first makes seals, all are known.
"""

import hashlib
import hmac

from missions_project.lib.sealed import installation_keys

SEAL_LENGTH = 8 + 1 + 64
"""Letters of a seal: the key's name, a colon, the code."""


def _derived(key: str, purpose: str) -> bytes:
    return hmac.new(key.encode(), f"missions seal: {purpose}".encode(), hashlib.sha256).digest()


def _name(derived: bytes) -> str:
    return hashlib.sha256(b"name" + derived).hexdigest()[:8]


def seal(purpose: str, data: bytes) -> str:
    """The seal of ``data`` for one purpose, 73 letters, made with the installation's first key."""
    derived = _derived(installation_keys()[0], purpose)
    return f"{_name(derived)}:{hmac.new(derived, data, hashlib.sha256).hexdigest()}"


def seal_problem(purpose: str, data: bytes, sealed: str) -> str:
    """What is wrong with a seal, in words that end a sentence; empty where it is ours and fits."""
    name, _, code = sealed.partition(":")
    if not code:
        return "it bears no seal"
    for derived in (_derived(key, purpose) for key in installation_keys()):
        if _name(derived) == name:
            # Compared in constant time: a difference in time would tell a forger how far he is.
            fits = hmac.compare_digest(code, hmac.new(derived, data, hashlib.sha256).hexdigest())
            return "" if fits else "its seal does not fit"
    return "it was sealed with a key that this installation does not hold"
