"""Keys and passwords of feeds: sealed when they come in, opened only where a request is made, shown nowhere."""

from collections.abc import Mapping

from ingestion.models import Feed
from missions_project.lib.errors import MissionsError
from missions_project.lib.sealed import installation_keys, seal, unseal


def feed_secrets(feed: Feed) -> dict[str, str]:
    """The feed's secrets in the clear, for a request that is about to be made. Raises ``MissionsError``."""
    return unseal(feed.sealed_secrets, installation_keys())


def feed_secrets_seal(*, feed: Feed, values: Mapping[str, str], forget: bool = False) -> Feed:
    """Put these secrets with the feed's others, sealed; empty values leave what is there. Does not save.

    With ``forget`` the others are dropped: what was a key for one server must not be sent to another.
    """
    given = {name: value for name, value in values.items() if value}
    if not (given or forget):
        return feed
    kept = {} if forget else feed_secrets(feed)
    feed.sealed_secrets = seal({**kept, **given}, installation_keys())
    return feed


def secrets_known(feed: Feed) -> set[str]:
    """The names of the secrets that are stored; none where they cannot be opened any more."""

    try:
        return set(feed_secrets(feed))
    except MissionsError:
        return set()
