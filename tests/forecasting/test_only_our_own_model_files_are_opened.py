"""A model file is a program: one that this installation did not seal is never opened, even if the database vouches for it."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from forecasting.artefacts import SEAL_ENDING, artefact_load, artefact_seal, artefacts_forget
from missions_project.lib.errors import MissionsError
from missions_project.lib.seals import seal, seal_problem


class Harm:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def planted(tmp_path: Path) -> tuple[str, str, Path]:
    mark = tmp_path / "it-ran"
    data = pickle.dumps(Harm(mark))
    path = Path(settings.ARTEFACT_DIR) / "planted.joblib"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_name(path.name + SEAL_ENDING).unlink(missing_ok=True)
    artefacts_forget()
    return path.name, hashlib.sha256(data).hexdigest(), mark


@pytest.mark.parametrize(
    ("sealed", "words"),
    [(None, "bears no seal"), ("model file", "does not fit"), ("audit row", "does not hold")],
)
def test_a_planted_file_with_a_fitting_fingerprint_does_not_run(
    planted: tuple[str, str, Path], sealed: str | None, words: str
) -> None:
    name, digest, mark = planted
    if sealed:
        (Path(settings.ARTEFACT_DIR) / (name + SEAL_ENDING)).write_text(seal(sealed, b"another file"))
    with pytest.raises(MissionsError, match=f"not made by this installation.*{words}.*not opened"):
        artefact_load(name=name, sha256=digest)
    assert not mark.exists()


def test_sealing_knows_the_fingerprint(planted: tuple[str, str, Path]) -> None:
    name, digest, _ = planted
    assert not artefact_seal(name=name, sha256="0" * 64)
    assert not artefact_seal(name="gone.joblib", sha256=digest)
    assert artefact_seal(name=name, sha256=digest)


@pytest.mark.django_db
def test_an_installation_without_models_has_nothing_to_seal() -> None:
    said = io.StringIO()
    call_command("seal_models", stdout=said)
    assert said.getvalue() == "0 model files sealed, 0 missing or changed.\n"


def test_an_older_key_is_known_and_a_strangers_is_not(settings: Any) -> None:
    old = seal("x", b"data")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a newer key", [settings.SECRET_KEY]
    assert seal_problem("x", b"data", old) == ""
    assert seal_problem("x", b"date", old) == "its seal does not fit"
    settings.SECRET_KEY_FALLBACKS = []
    assert "does not hold" in seal_problem("x", b"data", old)
