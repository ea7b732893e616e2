"""What fetching gives and how it fails: answers, limits and errors, in words that show no key."""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from missions_project.lib.errors import MissionsError


class FetchError(MissionsError):
    """A request that failed for good; the message says which server and what to do, never the query."""


class FetchLater(FetchError):
    """The server asks for patience beyond what one run should wait; ``seconds`` from now it may be asked again."""

    def __init__(self, message: str, *, next_step: str, seconds: float) -> None:
        super().__init__(message, next_step=next_step)
        self.seconds = seconds


class TryAgain(Exception):
    """Ask again: raised for "later" answers, and by a caller's ``check`` where a body says so although the status says 200."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True)
class FetchPolicy:
    """How far, how much and how long."""

    private_hosts: tuple[str, ...] = ()
    private_setting: str = "PULL_PRIVATE_HOSTS"
    """The setting that holds those, for messages."""
    max_bytes: int = 64 * 1024 * 1024
    """Largest answer that is read whole: parsed, it takes several times its size."""
    max_stream_bytes: int = 512 * 1024 * 1024
    """Largest answer that is read as it arrives."""
    max_seconds: float = 300.0
    """Wall time of one request, its answer included."""
    max_head_seconds: float = 120.0
    """Wall time from a request to the end of its answer's head; never more than ``max_seconds``."""
    max_stream_seconds: float = 3600.0
    """The same for an answer that is read as it arrives."""
    max_wait_seconds: float = 120.0
    """All waiting between the tries of one request."""
    attempts: int = 6
    connect_seconds: float = 10.0
    read_seconds: float = 60.0


@dataclass(frozen=True)
class Fetched:
    """An answer: 200 with its body, or 304 without."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def validators(self) -> dict[str, str]:
        """What to send along next time, so that the server may answer "unchanged"."""
        known = {"etag": self.headers.get("etag", ""), "last_modified": self.headers.get("last-modified", "")}
        return {name: value for name, value in known.items() if value}


def shown_address(url: str) -> str:
    """An address as it may stand in a log: without user, query and fragment.

    >>> shown_address("https://me:pw@data.example.org:8443/rows.json?token=abc#x")
    'https://data.example.org:8443/rows.json'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def conditional_headers(validators: Mapping[str, str]) -> dict[str, str]:
    """Headers that ask for the body only if it has changed since the answer that had these validators."""
    headers = {}
    if validators.get("etag"):
        headers["If-None-Match"] = validators["etag"]
    if validators.get("last_modified"):
        headers["If-Modified-Since"] = validators["last_modified"]
    return headers


def retry_after_seconds(value: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for; None for one that cannot be read.

    >>> retry_after_seconds("120", 0.0), retry_after_seconds("Thu, 01 Jan 1970 00:01:00 GMT", 10.0)
    (120.0, 50.0)
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError):
        return None
