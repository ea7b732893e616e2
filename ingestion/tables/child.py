"""``python -m ingestion.tables.child``: an uploaded table looked into within limits, JSON in and JSON out.

What is wrong with a file is told in the language of the person who sent it: of Django's settings this process knows the languages alone.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from agencies.engine.limits import answered, limited, question
from ingestion.places.child import speak, tongues


def without_settings() -> None:
    """Let the readers find ``missions_project.lib``, but not the package's own first lines: they read the installation's ``.env``."""
    package = ModuleType("missions_project")
    package.__path__ = [str(Path(__file__).resolve().parents[2] / "missions_project")]
    sys.modules["missions_project"] = package


def main() -> NoReturn:
    without_settings()
    tongues()
    from django.conf import settings

    # Before anything is asked: whoever started this process ahead need not wait for its libraries.
    from ingestion.tables.looks import answer_to

    for language, _name in settings.LANGUAGES:
        speak(language)
    asked = question()
    limited(seconds=asked["seconds"], megabytes=asked["megabytes"])
    speak(asked["language"])
    answered(answer_to(asked))


if __name__ == "__main__":
    main()
