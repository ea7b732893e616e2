"""Pages that look into a file which somebody has just uploaded: the mapping wizard's, and those of an agency's areas.

No link leads to them before. They are measured with the demo's own files, as ``benchmarks/bench_pages.py`` measures the others; between
two answers half a second passes, for a person reads the page before the next, and the file's reader opens its libraries then.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

    from tools.page_walk import Found

READ_SECONDS = 0.5


@contextmanager
def uploaded(client: Client) -> Iterator[list[Found]]:
    """The pages, while the demo's incidents and beats wait there as uploads. None where the demo city's files are not kept."""
    from django.conf import settings
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.urls import reverse

    from agencies.models import Agency
    from ingestion.models import Feed
    from ingestion.services import draft_discard, draft_start
    from tools.page_walk import Found

    folder = settings.VAR_DIR / "demo-city"
    agency = Agency.objects.filter(slug="riverton").first()
    feed = Feed.objects.filter(agency=agency, slug="rms-incidents").first()
    if agency is None or feed is None or not (folder / "complete").exists():
        yield []
        return
    with gzip.open(folder / "incidents.csv.gz") as rows:
        draft_start(feed=feed, chunks=iter(lambda: rows.read(1024**2), b""), file_name="incidents.csv")
    try:
        steps = ("upload", "columns", "places", "codes", "review")
        pages = [
            Found(f"wizard: {step}", reverse(f"admin:ingestion_feed_{step}", args=[feed.pk]))
            for step in steps
        ]
        beats = SimpleUploadedFile("beats.geojson", (folder / "beats.geojson").read_bytes())
        address = reverse("admin:agencies_geography_upload", args=[agency.pk, "beats"])
        checked = client.post(address, {"file": beats})
        assert checked.status_code == 302, "the demo's beats were not taken"
        areas = reverse("admin:agencies_geography_areas", args=[agency.pk, "beats"])
        query = checked["Location"].partition("?")[2]
        yield [
            *pages,
            Found("areas: check", checked["Location"]),
            Found("areas: map", f"{areas}?{query}&code=beat"),
        ]
    finally:
        draft_discard(feed=feed)
