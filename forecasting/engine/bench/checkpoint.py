"""What a backtest has done so far, kept in its folder: a killed run goes on, a run with other options does not mix."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import forecasting.engine
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.bench.replay import Block, Choices

Floats32 = npt.NDArray[np.float32]

RUN_FILE = "run.json"
_FOLDER = "checkpoint"
_ELSE = "give another --out, or delete the folder to start anew."


def program_digest() -> str:
    """A fingerprint of the engine's source: forecasts of two versions must not end up in one file."""
    root = Path(forecasting.engine.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class Checkpoint:
    """The folder of one run. ``options`` is everything that decides the result, made of JSON's own types."""

    def __init__(self, out: Path, options: Mapping[str, Any]) -> None:
        self.out = out
        self.options = json.loads(json.dumps(options))
        self.folder = out / _FOLDER

    def open(self) -> bool:
        """Make the folder or go on in it; say whether the run was finished before.

        Raises ``BenchProblem`` for a folder that holds something else, or a run with other options.
        """
        if self.out.exists() and not self.out.is_dir():
            raise BenchProblem(f"{self.out} is a file, not a folder.", next_step="give another --out.")
        stored = self.out / RUN_FILE
        if stored.exists():
            try:
                before = json.loads(stored.read_text())
                old, finished = dict(before["options"]), bool(before["finished"])
            except (ValueError, KeyError, TypeError) as exc:
                raise BenchProblem(f"{stored} is damaged.", next_step=_ELSE) from exc
            if old != self.options:
                raise BenchProblem(
                    f"{self.out} holds a run with other options ({self._differences(old)}).", next_step=_ELSE
                )
            if finished:
                return True
        elif self.out.exists() and any(self.out.iterdir()):
            raise BenchProblem(
                f"{self.out} is not empty and holds no backtest; its files would be mixed up with the forecast.",
                next_step="give a new folder as --out.",
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise BenchProblem(
                f"{self.out} cannot be made ({exc}).", next_step="give another --out."
            ) from exc
        self._write(finished=False)
        return False

    def finish(self) -> None:
        """Everything is written: the parts are not needed any more."""
        self._write(finished=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def choices(self) -> Choices | None:
        """What the time before the test decided, if that was done already."""
        path = self.folder / "choices.npz"
        return Choices.load(path) if path.exists() else None

    def choices_keep(self, choices: Choices) -> None:
        part = self.folder / "choices.part"
        choices.save(part)
        os.replace(part, self.folder / "choices.npz")

    def has(self, number: int) -> bool:
        """Whether this block was forecast already."""
        return self._path(number).exists()

    def keep(self, number: int, block: Block, surfaces: list[Floats32]) -> None:
        """Store a block whole or not at all."""
        part = self._path(number).with_suffix(".part")
        named: dict[str, Any] = {f"surfaces_{target}": surface for target, surface in enumerate(surfaces)}
        with part.open("wb") as file:
            np.savez(file, **block.__dict__, **named)
        os.replace(part, self._path(number))

    def block(self, number: int) -> Block:
        """The scores of a stored block."""
        with np.load(self._path(number)) as kept:
            fields = {name: kept[name] for name in Block.__dataclass_fields__}
        return Block(**{**fields, "walk_seconds": float(fields["walk_seconds"])})

    def surfaces(self, number: int, target: int) -> Floats32:
        """One type's surfaces of a stored block, float32 [S, N]; the others are not read."""
        with np.load(self._path(number)) as kept:
            found: Floats32 = kept[f"surfaces_{target}"]
        return found

    def _path(self, number: int) -> Path:
        return self.folder / f"block-{number:04}.npz"

    def _write(self, *, finished: bool) -> None:
        part = self.out / f"{RUN_FILE}.part"
        part.write_text(json.dumps({"finished": finished, "options": self.options}, indent=1))
        os.replace(part, self.out / RUN_FILE)

    def _differences(self, old: dict[str, Any]) -> str:
        names = [name for name in {**old, **self.options} if old.get(name) != self.options.get(name)]
        return "; ".join(
            f"{name}: {_short(old.get(name))} there, {_short(self.options.get(name))} now"
            for name in names[:6]
        )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
