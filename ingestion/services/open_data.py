"""A city's open data as feeds: made, mapped, their codes decided, and pulled until nothing is left."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import Agency, CrimeType
from ingestion.engine.codes import Accepted
from ingestion.models import Feed, ImportRun, OffenceCode
from ingestion.opendata import City, OpenDataset
from ingestion.opendata.base import Kind
from ingestion.services.context import code_table
from ingestion.services.fetching import fetch_policy
from ingestion.services.imports import import_run_execute
from ingestion.services.pulls import pull_queue, unfinished_pull
from ingestion.services.secrets import feed_secrets_seal
from ingestion.sources.arcgis import service_layers
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher
from missions_project.lib.progress import Progress, no_progress

DEFAULT_YEARS = 3
"""How far back a trial reaches without --since: enough to learn from, and not a city's whole history."""


@dataclass(frozen=True)
class Portal:
    """Where a trial's data sets are fetched instead, for an agency's own mirror and for tests; and its key."""

    base: str = ""
    app_token: str = ""


def open_data_feeds(
    *,
    agency: Agency,
    city: City,
    kinds: tuple[Kind, ...],
    since: date,
    now: datetime,
    portal: Portal | None = None,
) -> list[Feed]:
    """Make the city's feeds of these kinds, or bring those that are there to this beginning. Codes a person has set stay.

    Raises ``MissionsError`` for a kind that the city does not publish, and where a layer cannot be found.
    """
    chosen = [dataset for kind in kinds for dataset in city.of_kind(kind)]
    if not chosen:
        known = sorted({dataset.kind for dataset in city.datasets})
        raise MissionsError(
            _("%(name)s publishes no %(kinds)s that can be used.")
            % {"name": city.name, "kinds": " or ".join(kinds)},
            next_step=_("ask for %(known)s.") % {"known": ", ".join(known)},
        )
    portal = portal or Portal()
    found = []
    for dataset in chosen:
        for one in _expanded(_moved(dataset, portal.base), since, now):
            found.append(_feed(agency, city, one, since, portal))
    return found


def _moved(dataset: OpenDataset, base: str) -> OpenDataset:
    """The data set at another server, its path unchanged."""
    if not base:
        return dataset
    params = dict(dataset.params)
    for name in ("domain", "url"):
        if name in params:
            params[name] = re.sub(r"^(?:https?://)?[^/]+", base.rstrip("/"), str(params[name]))
    return replace(dataset, params=params)


def _expanded(dataset: OpenDataset, since: date, now: datetime) -> Iterator[OpenDataset]:
    """The data set, or one a year where the server has a layer a year."""
    if not dataset.layer_name:
        yield dataset
        return
    with closing(Fetcher(fetch_policy(None, max_seconds=60))) as fetcher:
        layers = service_layers(str(dataset.params["url"]), fetcher)
    years = [
        year for year in range(since.year, now.year + 1) if dataset.layer_name.format(year=year) in layers
    ]
    if not years:
        raise MissionsError(
            _("The server has no layer “%(layer)s”. It has: %(layers)s.")
            % {"layer": dataset.layer_name.format(year=now.year), "layers": ", ".join(sorted(layers)[:20])},
            next_step=_("make a feed of the kind “ArcGIS layer” in the admin, with the right layer."),
        )
    for year in years:
        name = dataset.layer_name.format(year=year)
        params = {**dataset.params, "url": f"{dataset.params['url']}/{layers[name]}"}
        yield replace(dataset, name=f"{dataset.name} {year}", params=params, layer_name="")


def _feed(agency: Agency, city: City, dataset: OpenDataset, since: date, portal: Portal) -> Feed:
    slug = re.sub(r"[^a-z0-9]+", "-", f"{city.key} {dataset.name}".lower()).strip("-")[:60]
    params = dataset.feed_params()
    if dataset.source == "csv_url":
        params["url"] = params["url"].replace("{since}", since.isoformat())
    else:
        params["since"] = since.isoformat()
    with transaction.atomic():
        feed = Feed.objects.select_for_update().filter(agency=agency, slug=slug).first()
        if feed is None:
            feed = Feed(agency=agency, slug=slug, name=f"{city.name}: {dataset.name}"[:80])
        if (feed.kind, feed.params) != (dataset.source, params):
            feed.cursor = {}
        feed.kind, feed.params, feed.record_kind = dataset.source, params, dataset.record_kind
        mapping = dataset.mapping
        if not mapping.time_zone and city.time_zone != agency.time_zone:
            mapping = mapping.replaced(time_zone=city.time_zone)
        # A mapping that somebody has mended is theirs.
        feed.mapping = feed.mapping or mapping.to_json()
        if dataset.source == "socrata":
            feed_secrets_seal(feed=feed, values={"app_token": portal.app_token})
        feed.full_clean()
        feed.save()
        _codes(feed, dataset)
    return feed


def _codes(feed: Feed, dataset: OpenDataset) -> None:
    """Enter the city's codes; those whose national code means one of the agency's crime types are mapped."""
    known = set(OffenceCode.objects.filter(feed=feed).values_list("code", flat=True))
    types = {crime_type.slug: crime_type for crime_type in CrimeType.objects.filter(agency=feed.agency)}
    table = code_table(feed.agency, feed)
    for code, nibrs in dataset.codes.items():
        if code in known:
            continue
        entry = OffenceCode(agency=feed.agency, feed=feed, code=code, nibrs_code=nibrs)
        decision = table.decide(code=code, nibrs=nibrs, kind=dataset.record_kind)
        if isinstance(decision, Accepted) and decision.crime_type:
            entry.crime_type = types[decision.crime_type]
        entry.full_clean(exclude=["agency", "feed"])
        entry.save()


def feed_pull_all(*, feed: Feed, progress: Progress = no_progress) -> list[ImportRun]:
    """Pull the feed, and again while a pull had to stop for its size. An unfinished pull is taken up again first.

    Raises ``ImportBusy`` while a process is at work on it, and ``MissionsError`` where a pull fails.
    """
    runs: list[ImportRun] = []
    while not runs or (runs[-1].pull or {}).get("more"):
        feed.refresh_from_db()
        # A pull whose process was killed still says that it runs; whoever gets the feed's lock goes on with it.
        run = unfinished_pull(feed) or pull_queue(feed=feed)
        runs.append(import_run_execute(run=run, progress=progress))
    return runs
