"""`make soak`: simulated days with random kills, and the same days without; both must end with the same plans and counts.

    .venv/bin/python -m tests.faults.soak [--days 3] [--seed 7] [--kills-a-minute 8] [--folder DIR]

Workers are killed with SIGKILL at moments that the seed chooses, half the time the process that works, half the time all of
it; no run more often than it may be tried. Ends with 0 where nothing was lost and nothing doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from missions_project.lib.runs import MAX_ATTEMPTS
from tests.faults.installation import ROOT, TABLES, Installation

HOURS = 6


def running(one: Installation) -> list[int]:
    """Attempts of the runs that are at work."""
    query = " UNION ALL ".join(
        f"SELECT attempts FROM {table} WHERE status = 'running'" for table in TABLES.values()
    )
    return [int(attempts) for (attempts,) in one.rows(query)]


def children(process: subprocess.Popen[bytes]) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):
            pid = int(path.name)
            if pid != process.pid and os.getpgid(pid) == process.pid:
                found.append(pid)
    return found


def rough_days(one: Installation, days: int, seed: int, kills_a_minute: float) -> int:
    """Let the days pass while workers are killed; return how many kills there were."""
    rng = random.Random(seed)
    kills = 0
    asking = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.city", "rough", str(one.folder), str(days)],
        cwd=ROOT, env=one.environment,
    )  # fmt: skip
    worker = one.start()
    next_at = time.monotonic() + rng.expovariate(kills_a_minute / 60)
    deadline = time.monotonic() + HOURS * 3600
    try:
        while asking.poll() is None:
            if time.monotonic() > deadline:
                raise SystemExit(f"The days did not end within {HOURS} hours. The log ends:\n{one.log}")
            if worker.poll() is not None:
                worker = one.start()
            if time.monotonic() >= next_at and (tries := running(one)) and max(tries) < MAX_ATTEMPTS:
                if rng.random() < 0.5:
                    one.kill(worker)
                else:
                    for pid in children(worker):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                kills += 1
                next_at = time.monotonic() + rng.expovariate(kills_a_minute / 60)
            time.sleep(0.02)
    finally:
        asking.kill()
        one.close()
    if asking.returncode != 0:
        raise SystemExit("Asking for the work failed; the reason is above.")
    return kills


def soak(folder: Path, *, days: int, seed: int, kills_a_minute: float) -> int:
    calm, rough = Installation(folder / "calm"), Installation(folder / "rough")
    calm.order("found")
    shutil.copytree(calm.folder, rough.folder, dirs_exist_ok=True)
    calm.order("calm", str(days), seconds=HOURS * 3600)
    print(f"{days} calm days are over.", flush=True)
    kills = rough_days(rough, days, seed, kills_a_minute)
    wanted, found = calm.summed(), rough.summed()
    faults = [
        f"{label}: {wanted['rows'][label]} calm, {found['rows'][label]} rough"
        for label in wanted["rows"]
        if wanted["rows"][label] != found["rows"][label]
    ]
    unlike = [run for run in found["runs"] if run["status"] != "succeeded" or not run["closed"]]
    faults += [f"{run['kind']}: {run['status']} {run['error']}" for run in unlike]
    if [run["counts"] for run in wanted["runs"]] != [run["counts"] for run in found["runs"]]:
        faults.append("the runs' counts differ")
    for label, (n, digest) in found["rows"].items():
        print(f"  {label:<28} {n:>8}  {digest}")
    print(
        f"{days} days, {kills} kills, {len(found['runs'])} runs, seed {seed}: "
        + ("; ".join(faults) or "as calm")
    )
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills-a-minute", type=float, default=8.0)
    parser.add_argument(
        "--folder", type=Path, default=None, help="Kept; by default a folder that is deleted."
    )
    chosen = parser.parse_args()
    how = {"days": chosen.days, "seed": chosen.seed, "kills_a_minute": chosen.kills_a_minute}
    if chosen.folder is not None:
        return soak(chosen.folder.resolve(), **how)
    with tempfile.TemporaryDirectory(prefix="missions-soak-", ignore_cleanup_errors=True) as folder:
        return soak(Path(folder), **how)


if __name__ == "__main__":
    sys.exit(main())
