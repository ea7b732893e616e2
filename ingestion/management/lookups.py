"""Finding a feed by what a person typed on a command line."""

from agencies.models import Agency
from ingestion.models import Feed
from missions_project.lib.errors import MissionsError


def feed_by_slug(agency: Agency, slug: str, *, or_else: str = "add it in Admin → Feeds") -> Feed:
    """Return the agency's feed, or raise ``MissionsError`` that lists those that exist."""
    feed = Feed.objects.filter(agency=agency, slug=slug).first()
    if feed is None:
        known = ", ".join(Feed.objects.filter(agency=agency).values_list("slug", flat=True)) or "none yet"
        raise MissionsError(
            f"Agency “{agency.slug}” has no feed “{slug}”.", next_step=f"use one of: {known}; or {or_else}."
        )
    return feed
