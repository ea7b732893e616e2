"""``python -m ingestion.places.child``: an uploaded file of places read within limits, JSON in and JSON out.

Without ``keep`` it answers with the file's columns, with it by the shapes and the values of those columns. What is wrong with a
file is told in the language of the person who sent it: of Django's settings this process knows the languages alone.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from agencies.engine.limits import answered, limited, question

UNUSED = ("geopandas", "pandas", "pyarrow")
"""Libraries that pyogrio opens where there are any, for half a second, and that nothing here asks for: told that there are none."""


def tongues() -> None:
    """Django with translations and nothing else: no database, no keys, no apps. Before any text of this project is opened."""
    from django.apps import apps
    from django.conf import settings

    told = json.loads(os.environ["MISSIONS_TONGUES"])
    settings.configure(
        INSTALLED_APPS=[],
        LANGUAGES=[tuple(one) for one in told["languages"]],
        LOCALE_PATHS=told["locale_paths"],
        USE_I18N=True,
    )
    # What ``django.setup`` does besides is for a web server, and takes a tenth of a second.
    apps.populate(())


def speak(language: str) -> None:
    """Tell of problems in this language."""
    from django.utils import translation

    translation.activate(language)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from ingestion.places.base import PlacesProblem
    from ingestion.places.packing import packed
    from ingestion.places.reading import columns_of, places_of

    path, shown, osm, layer = Path(asked["path"]), asked["shown"], asked["osm"], asked["layer"]
    try:
        if "keep" in asked:
            found = places_of(path, shown=shown, keep=asked["keep"], crs=asked["crs"], osm=osm, layer=layer)
            return {"file": packed(found)}
        return {"columns": columns_of(path, shown=shown, osm=osm, layer=layer)}
    except PlacesProblem as exc:
        return {"problem": {"message": exc.message, "next_step": exc.next_step}}


def main() -> NoReturn:
    asked = question()
    limited(seconds=asked["seconds"], megabytes=asked["megabytes"])
    # Only now: the libraries' own first steps count, too.
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own word for a module that there is not
    tongues()
    speak(asked["language"])
    answered(_answer(asked))


if __name__ == "__main__":
    main()
