"""What a process of the product does with its connections, told line by line: ``python -m tests.operations.pooled``.

Reads the name of a step a line and prints what came of it as JSON: ``crowd`` (twelve threads ask at once), ``walls`` (whose rows a connection
shows that somebody else gave back), ``ask`` (one question, and how long it took).
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()
from django.db import OperationalError, close_old_connections, connection  # noqa: E402 - after the set-up

from missions_project.lib import walls  # noqa: E402 - as above


def asked(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def in_threads(work: Callable[[], Any], number: int) -> list[Any]:
    """What each of so many threads found, each as a request: its connection is given back at the end."""
    found: list[Any] = []

    def one() -> None:
        try:
            found.append(work())
        finally:
            close_old_connections()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def crowd() -> dict[str, Any]:
    def slow() -> int:
        asked("SELECT pg_sleep(0.2)")
        return int(asked("SELECT pg_backend_pid()"))

    pids = in_threads(slow, 12)
    open_now = asked("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user")
    return {"answers": len(pids), "connections": len(set(pids)), "open": open_now}


def told() -> str:
    return str(asked(f"SELECT current_setting('{walls.SETTING}', true)"))


def reached(wanted: walls.Scope) -> list[Any]:
    def one() -> tuple[int, str]:
        with walls.within(wanted):
            return asked("SELECT pg_backend_pid()"), told()

    return list(in_threads(one, 1)[0])


def wall() -> list[list[Any]]:
    """(connection, what it was told) of people in turn, by the same connection."""
    return [reached(one) for one in (walls.EVERYTHING, walls.of_agency(7), walls.NOTHING, walls.of_agency(8))]


def ask() -> dict[str, Any]:
    began = time.monotonic()
    try:
        answer = asked("SELECT 1")
    except OperationalError as exc:
        answer = type(exc).__name__
    finally:
        close_old_connections()
    return {"answer": answer, "seconds": round(time.monotonic() - began, 2)}


STEPS: dict[str, Callable[[], Any]] = {"crowd": crowd, "walls": wall, "ask": ask}


def main() -> None:
    for line in sys.stdin:
        result = STEPS[line.strip()]()
        close_old_connections()
        sys.stdout.write(f"{json.dumps(result)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
