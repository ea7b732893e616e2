"""`make soak`: simulated days with random kills, fuzz and load, and the same days without; both must end with the same plans and counts.

    .venv/bin/python -m tests.faults.soak [--days 3] [--seed 7] [--kills-a-minute 6] [--minutes 360] [--folder DIR] [--requests 1000] [--stack]

SIGKILL at moments that the seed chooses: the worker with all its children, the process that works, or the web server's
process; no run more often than it may be tried. Meanwhile four people read page after page and malformed requests arrive.
Ends with 0 where nothing was lost, nothing doubled, and no request met an error of the server or no answer.

By default on SQLite and the file broker with one worker; with --stack on PostgreSQL and Redis with the processes of `make up`, of
which the scheduler is killed, too.

Afterwards so many malformed requests meet a server that nobody kills (tests.faults.malformed_run): `ARGS="--days 0 --requests 10000"`
sends these alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.installation import ROOT, TABLES, Installation, closing
from tests.faults.load import Load
from tests.faults.malformed_run import storm
from tests.faults.servers import Servers, Stack
from tools import up
from tools.postgres import free_port

PAUSE_SECONDS = 0.5
"""Between two requests of one sender: the machine is shared with the work that is disturbed."""
MAX_ATTEMPTS = 3
"""As in ``missions_project.lib.runs``, which wants Django set up."""


def running(one: Installation) -> list[tuple[str, int]]:
    """Kind and attempts of the runs that are at work."""
    query = " UNION ALL ".join(
        f"SELECT '{what}', attempts FROM {table} WHERE status = 'running'" for what, table in TABLES.items()
    )
    return [(str(what), int(attempts)) for what, attempts in one.rows(query)]


def children(process: subprocess.Popen[bytes]) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):
            pid = int(path.name)
            if pid != process.pid and os.getpgid(pid) == process.pid:
                found.append(pid)
    return found


def kill_children(process: subprocess.Popen[bytes]) -> None:
    for pid in children(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Rough:
    """The days with kills, load and fuzz: how many there were of each, and what went wrong on the network."""

    def __init__(self, one: Installation, seed: int, kills_a_minute: float, minutes: float) -> None:
        self.one, self.kills_a_minute, self.minutes = one, kills_a_minute, minutes
        self.rng = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.bag: list[str] = []
        self.cookies = json.loads(one.order("cookies").splitlines()[-1])
        port = free_port()
        self.web = one.serve(port)
        self.crew = one.keeper()
        self.kinds = ("worker", "work", "web", *(("scheduler",) if isinstance(one, Stack) else ()))
        self.load = Load(port, self.cookies, seed=seed, pause_seconds=PAUSE_SECONDS)

    def pass_days(self, days: int) -> None:
        one, asking_log = self.one, self.one.folder / "line.log"
        with asking_log.open("ab") as sink:
            asking = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.city", "rough", str(one.folder), str(days)],
                cwd=ROOT, env=one.environment, stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.load.start()
        self.crew()
        next_at = time.monotonic() + self._pause()
        deadline = time.monotonic() + self.minutes * 60
        try:
            while asking.poll() is None:
                if time.monotonic() > deadline:
                    raise SystemExit(
                        f"SOAK FAILED: the days did not end within {self.minutes:g} minutes. The log ends:\n{one.log}"
                    )
                self.crew()
                if time.monotonic() >= next_at and (found := running(one)) and max(tries for _, tries in found) < MAX_ATTEMPTS:  # fmt: skip
                    self._kill(found[0][0])
                    next_at = time.monotonic() + self._pause()
                time.sleep(0.02)
        finally:
            asking.kill()
            self.load.stop()
        if asking.returncode != 0:
            raise SystemExit(
                f"SOAK FAILED: asking for the work failed:\n{asking_log.read_text(errors='replace')[-3000:]}"
            )

    def _pause(self) -> float:
        return self.rng.expovariate(self.kills_a_minute / 60)

    def _kill(self, what_works: str) -> None:
        if not self.bag:
            # Each kind as often as the others, also in a day with few kills.
            self.bag = self.rng.sample(self.kinds, len(self.kinds))
        what, worker = self.bag.pop(), self.crew.held[self.one.worker_of(what_works)]
        if what == "worker":
            self.one.kill(worker)
        elif what == "scheduler":
            self.one.kill(self.crew.held["beat"])
        else:
            kill_children(worker if what == "work" else self.web)
        self.kills[what] += 1

    def faults(self) -> list[str]:
        """What no client may meet, and what would make this no load at all."""
        answers = self.load.answers
        found = [f"{what} ({n} times)" for what, n in self.load.wrong.most_common(20)]
        # A killed process takes each reader's open request with it, and no other.
        cut, allowed = answers["reader cut off"], len(self.cookies) * self.kills["web"]
        if cut > allowed:
            found.append(
                f"{cut} pages were cut off, {self.kills['web']} kills of the web server explain {allowed}"
            )
        if not answers["reader 200"]:
            found.append("nobody read a page")
        if not self._sent("malformed") or not self._sent("raw"):
            found.append("no malformed request was sent")
        return found

    def _sent(self, who: str) -> int:
        return sum(n for name, n in self.load.answers.items() if name.startswith(f"{who} "))

    def figures(self) -> str:
        kills = f"{self.kills['worker']} workers, {self.kills['work']} working processes, {self.kills['web']} web processes"
        kills += f", {self.kills['scheduler']} schedulers" if "scheduler" in self.kinds else ""
        return (
            f"{self.kills.total()} kills ({kills}), {self.load.answers['reader 200']} pages read, "
            f"{self._sent('malformed') + self._sent('raw')} malformed requests"
        )


def unlike(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What the rough installation has otherwise than the calm one."""
    faults = [
        f"{label}: {wanted['rows'][label]} calm, {found['rows'][label]} rough{_rows_unlike(wanted, found, label)}"
        for label in wanted["rows"]
        if wanted["rows"][label] != found["rows"][label]
    ]
    faults += [
        f"{run['kind']}: {run['status']} {run['error']}"
        for run in found["runs"]
        if run["status"] != "succeeded" or not run["closed"]
    ]
    if [run["counts"] for run in wanted["runs"]] != [run["counts"] for run in found["runs"]]:
        faults.append("the runs' counts differ")
    return faults


def _rows_unlike(wanted: dict[str, Any], found: dict[str, Any], label: str) -> str:
    """The first rows of a small table that only one of the two has."""
    calm, rough = (Counter(one.get("shown", {}).get(label, [])) for one in (wanted, found))
    sides = [("only calm", calm - rough), ("only rough", rough - calm)]
    return "".join(f"; {side}: {row}" for side, rows in sides for row in list(rows)[:3])


@contextlib.contextmanager
def two_cities(folder: Path, *, stack: bool) -> Iterator[tuple[Installation, Installation]]:
    """Two installations with the same city, nothing imported yet: one for the calm days and one for the others."""
    with contextlib.ExitStack() as held:
        if stack:
            servers = held.enter_context(contextlib.closing(Servers(folder / "servers")))
            calm, rough = servers.stack(folder / "calm"), servers.stack(folder / "rough")
        else:
            calm = Installation(folder / "calm")
            calm.order("found")
            rough = calm.copy(folder / "rough")
        # Less hasty than the other tests: the machine serves readers, too.
        rough.environment |= {"FAULTS_EVERY": "2", "FAULTS_PATIENCE": "4"}
        yield calm, held.enter_context(closing(rough))


def soak(folder: Path, *, days: int, seed: int, kills_a_minute: float, minutes: float, stack: bool) -> int:
    with two_cities(folder, stack=stack) as (calm, rough):
        return verdict(calm, rough, days=days, seed=seed, kills_a_minute=kills_a_minute, minutes=minutes)


def verdict(
    calm: Installation, rough: Installation, *, days: int, seed: int, kills_a_minute: float, minutes: float
) -> int:
    began = time.monotonic()
    calm.order("calm", str(days), seconds=minutes * 60)
    print(f"{days} calm days took {time.monotonic() - began:.0f} s; now the same with faults.", flush=True)
    disturbed = Rough(rough, seed, kills_a_minute, minutes)
    disturbed.pass_days(days)
    found = rough.summed()
    faults = unlike(calm.summed(), found) + disturbed.faults()
    for label, (n, digest) in found["rows"].items():
        print(f"  {label:<28} {n:>8}  {digest}")
    print("  " + ", ".join(f"{name}: {n}" for name, n in sorted(disturbed.load.answers.items())))
    for fault in faults:
        print(f"  FAULT {fault}")
    print(
        f"SOAK {'FAILED' if faults else 'PASSED'}: {days} days, seed {seed}, {len(found['runs'])} runs, {disturbed.figures()}, "
        f"{time.monotonic() - began:.0f} s; {f'{len(faults)} faults' if faults else 'rows, plans and counts as in the calm run'}"
    )
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills-a-minute", type=float, default=6.0)
    parser.add_argument(
        "--minutes", type=float, default=360.0, help="It has failed if it takes longer than this."
    )
    parser.add_argument(
        "--folder", type=Path, default=None, help="Kept; by default a folder that is deleted."
    )
    parser.add_argument(
        "--requests",
        type=int,
        default=1_000,
        help="Malformed requests afterwards, on PostgreSQL where it is.",
    )
    parser.add_argument(
        "--stack", action="store_true", help="On PostgreSQL and Redis, with the processes of `make up`."
    )
    chosen = parser.parse_args()
    if chosen.stack and (lack := up.missing()):
        parser.error(lack)
    how = {
        "days": chosen.days, "seed": chosen.seed, "kills_a_minute": chosen.kills_a_minute, "minutes": chosen.minutes,
        "stack": chosen.stack,
    }  # fmt: skip
    # Ended by anybody, it ends what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if chosen.folder is not None and chosen.folder.exists() and any(chosen.folder.iterdir()):
        parser.error(f"{chosen.folder} is not empty: two soaks in one folder would be counted together.")
    with contextlib.ExitStack() as stack:
        kept = chosen.folder and chosen.folder.resolve()
        folder = kept or Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="missions-soak-", ignore_cleanup_errors=True)
            )
        )
        return both(folder, how, requests=chosen.requests)


def both(folder: Path, how: dict[str, Any], *, requests: int) -> int:
    """The days, then the requests; 1 where either failed."""
    try:
        codes = [soak(folder, **how)] if how["days"] else []
        if requests:
            codes.append(storm(folder / "malformed", requests=requests, seed=how["seed"], database=""))
    except (AssertionError, subprocess.TimeoutExpired) as exc:
        print(f"SOAK FAILED: it did not come to its end: {exc}")
        return 1
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
