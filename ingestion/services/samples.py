"""A first look at a source that is pulled: a page of rows for the mapping wizard, as if somebody had uploaded it."""

import csv
import io
from contextlib import closing

from django.utils.translation import gettext as _

from ingestion.models import Feed
from ingestion.services.drafts import draft_start
from ingestion.services.fetching import fetch_policy
from ingestion.services.secrets import feed_secrets
from ingestion.sources import SourceError, pull_source
from missions_project.lib.http import Fetcher

SAMPLE_PULL_ROWS = 1_000
"""Enough to see most codes; a person waits for it in front of a page, and web servers give up after thirty seconds."""


def draft_fetch(*, feed: Feed) -> Feed:
    """Fetch a sample of the feed's source and begin its mapping with it. Values of columns about persons are not in it.

    Raises ``MissionsError`` if the source cannot be read; nothing is kept then.
    """
    secrets = feed_secrets(feed)
    source = pull_source(feed.kind, feed.params, secrets)
    policy = fetch_policy(feed.agency, max_seconds=12, max_stream_seconds=12, connect_seconds=5, attempts=1)
    with closing(Fetcher(policy, hidden=tuple(secrets.values()))) as fetcher:
        header, rows = source.sample(SAMPLE_PULL_ROWS, fetcher)
    if not rows:
        raise SourceError(
            _("%(where)s has no rows at present.") % {"where": source.where()},
            _("Try again later, or take back the condition on the feed's page."),
        )
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    content = text.getvalue().encode("utf-8", "surrogatepass")
    return draft_start(
        feed=feed, chunks=[content], file_name=_("Sample of %(where)s") % {"where": source.where()}
    )
