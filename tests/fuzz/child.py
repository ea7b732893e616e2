"""One parser in a process of its own, fed for so many seconds: what it dies of takes nobody else with it.

    .venv/bin/python -m tests.fuzz.child PARSER SECONDS SEED FOLDER

Coverage-guided by atheris where it is installed, else by the mutations alone. Each new fault is a line of JSON in FOLDER/faults;
what is being read stands in FOLDER/current, the number of executions in FOLDER/count.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.mutations import MOST_BYTES, mutated

OURS = ("agencies", "ingestion", "forecasting", "patrols", "tactics", "missions_project")
WATCHED = [*OURS, "openpyxl", "icalendar", "recurring_ical_events", "json", "csv"]
SLOW_SECONDS = 20.0
"""No example is larger than some kilobytes: a reader that needs as long was led round in circles."""


ROOT = Path(__file__).resolve().parent.parent.parent


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-3:])


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OURS


class Harness:
    """Feeds one parser and keeps what came out that may not, once for each place in the code."""

    def __init__(self, name: str, folder: Path) -> None:
        from tests.fuzz.parsers import parsers

        self.parser = next(parser for parser in parsers() if parser.name == name)
        self.examples = self.parser.examples()
        self.folder = folder
        self.seen: set[str] = set()
        self.count = 0

    def feed(self, data: bytes) -> None:
        (self.folder / "current").write_bytes(data)
        began = time.process_time()
        fault = self.parser.fault(data)
        self.count += 1
        if self.count % 50 == 0:
            (self.folder / "count").write_text(str(self.count))
        if fault is not None:
            frames = traceback.extract_tb(fault.__traceback__)
            # Where our own code was left: what lies below is a library's, and one gap of ours shows in many places of it.
            own = [frame for frame in frames if _is_ours(frame.filename)] or list(frames)
            self.keep(
                f"{type(fault).__name__} at {_short(own[-1].filename)}:{own[-1].lineno}", str(fault), data
            )
        elif time.process_time() - began > SLOW_SECONDS:
            self.keep("takes too long", f"{time.process_time() - began:.0f} s", data)

    def keep(self, where: str, words: str, data: bytes) -> None:
        if where in self.seen:
            return
        self.seen.add(where)
        line = {"where": where, "words": words[:300], "data": base64.b64encode(data[:20_000]).decode()}
        with (self.folder / "faults").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def by_mutations(self, seconds: float, seed: int) -> None:
        rng = random.Random(seed)
        for example in self.examples:
            self.feed(example)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.feed(mutated(rng, self.examples))

    def by_atheris(self, atheris: Any, seconds: float, seed: int) -> None:
        corpus = self.folder / "corpus"
        corpus.mkdir()
        for number, example in enumerate(self.examples):
            (corpus / str(number)).write_bytes(example)

        def mutator(data: bytes, max_size: int, mutation_seed: int) -> bytes:
            rng = random.Random(mutation_seed)
            if rng.random() < 0.5:
                return bytes(atheris.Mutate(data, len(data) + 200))[:max_size]
            return mutated(rng, [bytes(data), *self.examples])[:max_size]

        options = [f"-max_total_time={int(seconds)}", f"-seed={seed}", "-timeout=120", "-rss_limit_mb=4000", f"-max_len={MOST_BYTES}",
                   f"-artifact_prefix={self.folder}/", "-print_final_stats=1", "-close_fd_mask=0"]  # fmt: skip
        atheris.Setup(["fuzz", *options, str(corpus)], self.feed, custom_mutator=mutator)
        atheris.Fuzz()


def load(name: str, folder: Path) -> Harness:
    import django

    django.setup()
    harness = Harness(name, folder)
    # Once: what a reader imports only when it reads must be watched, too.
    harness.parser.fault(harness.examples[0])
    return harness


def main() -> None:
    name, seconds, seed, folder = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    if importlib.util.find_spec("atheris") is None:
        harness = load(name, folder)
        harness.by_mutations(seconds, seed)
        (folder / "count").write_text(str(harness.count))
        return
    import atheris

    with atheris.instrument_imports(include=WATCHED):
        harness = load(name, folder)
    harness.by_atheris(atheris, seconds, seed)


if __name__ == "__main__":
    main()
