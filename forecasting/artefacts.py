"""Model files: written once under a name that holds their fingerprint, and never read without checking it."""

import hashlib
import os
import platform
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import joblib
import numpy as np
import scipy
import sklearn
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from forecasting.engine.train import ShiftWindow, TrainedType
from missions_project.lib.errors import MissionsError
from missions_project.lib.seals import seal, seal_problem

FORMAT = 1
SEAL_PURPOSE, SEAL_ENDING = "model file", ".seal"
TRAIN_AGAIN = gettext_lazy("Admin → Training runs → Train now, or `manage.py train --agency SLUG`.")
_KEPT_IN_MEMORY = 24
_loaded: OrderedDict[str, "Artefact"] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Artefact:
    """A trained model and all that a forecast must agree on with its training."""

    trained: TrainedType
    shifts: tuple[ShiftWindow, ...]
    context_names: tuple[str, ...]
    grid_hash: str

    @property
    def categories(self) -> tuple[str, ...]:
        return self.trained.model.categories

    @property
    def terms(self) -> tuple[Any, ...]:
        """Models with equal terms can be forecast in one pass."""
        return (self.shifts, self.context_names, self.grid_hash, self.categories)


def library_version() -> str:
    """What the pickled estimators depend on: another scikit-learn may read them wrongly without saying so."""
    return f"scikit-learn {sklearn.__version__}"


def library_versions() -> str:
    """Everything whose version could change a number: for the model card."""
    parts = [f"Python {platform.python_version()}", f"numpy {np.__version__}", f"scipy {scipy.__version__}"]
    return ", ".join([*parts, library_version(), f"joblib {joblib.__version__}"])


def artefact_store(artefact: Artefact, *, agency_slug: str, type_slug: str) -> tuple[str, str]:
    """Write the file and return its name under the artefact folder, and its sha256."""
    buffer = BytesIO()
    joblib.dump({"format": FORMAT, "artefact": artefact}, buffer, compress=("zlib", 3))
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    name = f"{agency_slug}/{type_slug}-{digest[:16]}.joblib"
    path = Path(settings.ARTEFACT_DIR) / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A killed training must not leave half a file under the final name.
    # The seal first: a model file without one is never opened, a seal without its file harms nobody.
    _write(path.with_name(path.name + SEAL_ENDING), seal(SEAL_PURPOSE, data).encode())
    _write(path, data)
    return name, digest


def _write(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(handle.name, path)


def artefact_check(*, name: str, sha256: str) -> bytes:
    """Read a model file and compare its fingerprint; nothing is opened. Raises ``MissionsError`` with the next step."""
    if not name:
        raise MissionsError(_("The version has no model file."), next_step=str(TRAIN_AGAIN))
    path = Path(settings.ARTEFACT_DIR) / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissionsError(
            _("The model file %(name)s cannot be read (%(strerror)s).")
            % {"name": name, "strerror": error.strerror},
            next_step=str(TRAIN_AGAIN),
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise MissionsError(
            _(
                "The model file %(name)s is not the one that was trained: its fingerprint differs. It was not opened."
            )
            % {"name": name},
            next_step=_("restore it from a backup, or train again: %(train_again)s")
            % {"train_again": TRAIN_AGAIN},
        )
    if problem := seal_problem(SEAL_PURPOSE, data, _seal_of(path)):
        # Who can write into the database could name the fingerprint of a file of their own.
        raise MissionsError(
            _("The model file %(name)s was not made by this installation: %(problem)s. It was not opened.")
            % {"name": name, "problem": problem},
            next_step=_(
                "train again, or `manage.py seal_models` if you know where it comes from: %(train_again)s"
            )
            % {"train_again": TRAIN_AGAIN},
        )
    return data


def _seal_of(path: Path) -> str:
    try:
        return path.with_name(path.name + SEAL_ENDING).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def artefact_seal(*, name: str, sha256: str) -> bool:
    """Seal a model file that this installation's database knows by its fingerprint; False where it is missing or another.

    For files from before seals, and after the keys were changed without keeping the old ones.
    """
    path = Path(settings.ARTEFACT_DIR) / name
    try:
        data = path.read_bytes()
    except OSError:
        return False
    if hashlib.sha256(data).hexdigest() != sha256:
        return False
    _write(path.with_name(path.name + SEAL_ENDING), seal(SEAL_PURPOSE, data).encode())
    return True


def artefact_load(*, name: str, sha256: str, library: str = "") -> Artefact:
    """Read a model file, or the copy in this process's memory. Raises ``MissionsError`` with the next step.

    Fingerprint and seal are checked before unpickling: a pickle runs code, so a file that was changed, or that this
    installation did not make, must never be opened.
    """
    with _lock:
        if sha256 in _loaded:
            _loaded.move_to_end(sha256)
            return _loaded[sha256]
    if library and library != library_version():
        raise MissionsError(
            _("The model was made with %(library)s; this installation has %(library_version)s.")
            % {"library": library, "library_version": library_version()},
            next_step=str(TRAIN_AGAIN),
        )
    data = artefact_check(name=name, sha256=sha256)
    try:
        content = joblib.load(BytesIO(data))
    except (AttributeError, ImportError, TypeError, ValueError, KeyError, EOFError, UnpicklingError) as error:
        # Pickles name classes: one of an older program names what is not here any more.
        raise MissionsError(
            _("The model file %(name)s was made by another version of this program (%(error)s).")
            % {"name": name, "error": error},
            next_step=str(TRAIN_AGAIN),
        ) from error
    if content.get("format") != FORMAT:
        raise MissionsError(
            _("The model file %(name)s has another format.") % {"name": name}, next_step=str(TRAIN_AGAIN)
        )
    artefact: Artefact = content["artefact"]
    with _lock:
        _loaded[sha256] = artefact
        while len(_loaded) > _KEPT_IN_MEMORY:
            _loaded.popitem(last=False)
    return artefact


def artefacts_forget() -> None:
    """Empty this process's memory of model files."""
    with _lock:
        _loaded.clear()
