"""Malformed requests against the web server as it runs: no answer of 500 or more, and none that does not come.

    .venv/bin/python -m tests.faults.malformed_run [--requests 10000] [--seed 8] [--database postgresql|sqlite] [--folder DIR]

A city of its own, the server as `make demo` starts it, four connections at a time. Says by kind what was answered and how long the
slowest took; ends with 1 where a request was answered by an error of the server, by half an answer, or not at all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.installation import ROOT, Installation, closing
from tests.faults.malformed import Malformed, Source
from tools import postgres

AT_ONCE = 4
LOOKS = 90
"""So often, a second each, it is looked whether an answer comes. Looks and not a clock: what is stopped meanwhile does not hang."""
PROTOCOL = ("501", "505")
"""What a server may say of bytes that are no HTTP: a coding or a version that it does not have."""
MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Answer:
    """``status`` is a number, or "closed" where the server hung up; ``fault`` what no server may do, in words."""

    status: str
    seconds: float
    fault: str = ""


def received(line: socket.socket) -> tuple[bytes, bool]:
    """All that the server sends until it closes, and whether it did. The last look is for whoever keeps silent."""
    pieces, size, silent = [], 0, 0
    while silent < LOOKS and size < MOST_BYTES:
        if not select.select([line], [], [], 1.0)[0]:
            silent += 1
            continue
        try:
            piece = line.recv(65_536)
        except ConnectionError:
            break
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        silent = 0
    return b"".join(pieces), silent < LOOKS


def exchanged(port: int, request: Malformed) -> Answer:
    """Send the bytes, close our half so that nobody waits for more, and judge what comes back."""
    began = time.monotonic()
    told, ended = b"", True
    with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), LOOKS) as line:
        with contextlib.suppress(ConnectionError):
            # Whoever refuses a head does not read the body.
            line.sendall(request.sent)
            line.shutdown(socket.SHUT_WR)
        told, ended = received(line)
    seconds = time.monotonic() - began
    if not ended:
        return Answer("hangs", seconds, "no answer, or no end of it")
    return judged(request, told, seconds)


def judged(request: Malformed, told: bytes, seconds: float) -> Answer:
    while re.match(rb"HTTP/1\.[01] 1\d\d ", told):
        told = told.partition(b"\r\n\r\n")[2]
    found = re.match(rb"HTTP/1\.[01] (\d{3})[ \r]", told)
    if found is None:
        silent = request.is_http or bool(told)
        return Answer("closed", seconds, "hung up without an answer" if silent else "")
    status = found[1].decode()
    head, _, body = told.partition(b"\r\n\r\n")
    head = head.lower()
    if status >= "500":
        busy = status == "503" and b"\r\nretry-after:" in head
        # RFC 9112, 6.1: "should respond with 501" to a transfer coding that it does not know. gunicorn does, before the product.
        is_coded = re.search(rb"\r\ntransfer-encoding: (?!chunked\r)", request.sent.lower()) is not None
        allowed = busy or (status in PROTOCOL and (is_coded or not request.is_http))
        return Answer(status, seconds, "" if allowed else status)
    has_body = not request.sent.startswith(b"HEAD ") and status not in ("204", "304")
    if has_body and b"\r\ntransfer-encoding: chunked" in head and not body.endswith(b"0\r\n\r\n"):
        return Answer(status, seconds, "an answer that ends in its middle")
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    if has_body and length and len(body) < int(length[1]):
        return Answer(status, seconds, "an answer that ends in its middle")
    return Answer(status, seconds)


class Run:
    """Sends every request of ``source`` and keeps what was answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, Counter[str]] = defaultdict(Counter)
        self.slowest: dict[str, tuple[float, str]] = {}
        self.faults: list[str] = []
        self._lock = threading.Lock()

    def send(self, requests: Iterator[Malformed]) -> None:
        threads = [
            threading.Thread(target=self._sends, args=(requests,), daemon=True) for _ in range(AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _sends(self, requests: Iterator[Malformed]) -> None:
        while True:
            with self._lock:
                request = next(requests, None)
            if request is None:
                return
            answer = exchanged(self.port, request)
            with self._lock:
                self._keep(request, answer)

    def _keep(self, request: Malformed, answer: Answer) -> None:
        self.answers[request.kind][answer.status] += 1
        if answer.seconds > self.slowest.get(request.kind, (0.0, ""))[0]:
            self.slowest[request.kind] = (answer.seconds, request.told)
        if answer.fault:
            start = request.sent[:4000].decode("latin-1")
            self.faults.append(f"{answer.fault}: {request.kind}, {request.told}\n      {start!r:.1500}")

    def still_there(self, sessions: dict[str, str], cookie: str) -> None:
        """Afterwards the server answers as before, and nobody was signed out: else the requests came no further than the door."""
        for who, key in sessions.items():
            head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: {cookie}={key}\r\n\r\n"
            with (
                contextlib.suppress(ConnectionError),
                socket.create_connection(("127.0.0.1", self.port), LOOKS) as line,
            ):
                line.sendall(head.encode())
                line.shutdown(socket.SHUT_WR)
                told, ended = received(line)
                if not ended or re.match(rb"HTTP/1\.1 (200|302) ", told) is None:
                    self.faults.append(f"afterwards the start page is not shown to {who}: {told[:200]!r}")
                elif b"/accounts/login/" in told.partition(b"\r\n\r\n")[0]:
                    self.faults.append(f"{who} was signed out by a malformed request")

    def table(self) -> Iterator[str]:
        """A line for each kind: how many, answered how, the slowest."""
        for kind, answers in sorted(self.answers.items()):
            statuses = ", ".join(f"{status}: {n}" for status, n in sorted(answers.items()))
            seconds, told = self.slowest[kind]
            yield f"  {kind:<13} {answers.total():>6}  {statuses}; slowest {seconds:.2f} s ({told[:90]!r})"

    @property
    def statuses(self) -> Counter[str]:
        return sum(self.answers.values(), Counter())


def run(one: Installation, *, requests: int, seed: int) -> Run:
    """Found a city in the installation, serve it, and send."""
    one.environment |= {"API_REQUESTS_PER_SECOND": "100000"}
    made = subprocess.run(
        [sys.executable, "-m", "tests.faults.known", str(one.folder)],
        cwd=ROOT, env=one.environment, capture_output=True, text=True, timeout=3_600,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-3000:]
    known: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    port = postgres.free_port()
    one.serve(port)
    sent = Run(port)
    sent.send(Source(known, seed).requests(requests))
    if sent.statuses.total() != requests:
        sent.faults.append(f"only {sent.statuses.total():,} of {requests:,} requests were sent")
    sent.still_there(known["sessions"], known["cookie"])
    log = (one.folder / "web.log").read_text(errors="replace")
    sent.faults += [line for line in log.splitlines() if "WORKER TIMEOUT" in line or "was sent SIG" in line]
    if sent.faults and (raised := log.find("ERROR django.request")) >= 0:
        sent.faults.append(f"the first error that the server's log tells of:\n{log[raised:][:5000]}")
    return sent


def report(sent: Run, *, seed: int, began: float, database: str) -> int:
    for line in sent.table():
        print(line)
    for fault in sent.faults[:40]:
        print(f"  FAULT {fault}")
    busy = sent.statuses["503"]
    print(
        f"MALFORMED REQUESTS {'FAILED' if sent.faults else 'PASSED'}: {sent.statuses.total():,} on {database}, seed {seed}, "
        f"{len(sent.faults)} faults, {busy} answered 503 (busy, try again), {time.monotonic() - began:.0f} s"
    )
    return 1 if sent.faults else 0


def storm(folder: Path, *, requests: int, seed: int, database: str) -> int:
    """Everything, on a database of its own; "" takes PostgreSQL where this machine has it."""
    began = time.monotonic()
    binaries = postgres.find_binaries() if database != "sqlite" else None
    if database == "postgresql" and binaries is None:
        raise SystemExit(f"No PostgreSQL found. To run it: {postgres.INSTALL_HINT}")
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres.cluster(binaries)) if binaries else ""
        one = stack.enter_context(closing(Installation(folder, database_url=url)))
        sent = run(one, requests=requests, seed=seed)
    return report(sent, seed=seed, began=began, database="PostgreSQL" if binaries else "SQLite")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="")
    parser.add_argument(
        "--folder", type=Path, default=None, help="Kept; by default a folder that is deleted."
    )
    chosen = parser.parse_args()
    how = {"requests": chosen.requests, "seed": chosen.seed, "database": chosen.database}
    if chosen.folder is not None:
        return storm(chosen.folder.resolve(), **how)
    with tempfile.TemporaryDirectory(prefix="missions-malformed-", ignore_cleanup_errors=True) as folder:
        return storm(Path(folder), **how)


if __name__ == "__main__":
    sys.exit(main())
