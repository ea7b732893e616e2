"""``manage.py demo``: the demo city, trained and planned, served on this machine."""

import gc
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.utils import timezone
from honcho.manager import Manager

from agencies.models import Agency
from missions_project.demo import setup
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


@contextmanager
def few_collections() -> Iterator[None]:
    """Let Python look for garbage less often: migrating makes classes by the ten thousand, and each look goes over all."""
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        gc.collect()


class Command(MissionsCommand):
    help = "Set up the demo city (once) and serve it with a worker, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", default="8000", help="Port of the web server (make demo PORT=8001).")
        parser.add_argument("--prepare-only", action="store_true", help="Set up and stop before serving.")
        parser.add_argument("--seed", type=int, default=setup.CITY_SEED, help="Seed of the city.")

    def work(self, **options: Any) -> None:
        port = self._free_port(options["port"])
        started = time.monotonic()
        self.progress(0, 1, "Preparing the database")
        with setup.city_drawn_beside(now=timezone.now(), seed=options["seed"]), few_collections():
            call_command("migrate", verbosity=0, interactive=False)
        self.progress(1, 1, "Preparing the database")
        agency = setup.city_ensure(now=timezone.now(), seed=options["seed"], progress=self.progress)
        setup.current_shift_ensure(agency=agency, now=timezone.now(), progress=self.progress)
        self.progress.close()
        self.stdout.write(f"Ready after {time.monotonic() - started:.0f} s.")
        self._print_sign_ins(agency, port)
        if not options["prepare_only"]:
            self._serve(port)

    def _free_port(self, text: str) -> int:
        """The port as a number. A taken one is told before the work, not after it."""
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise MissionsError(
                f"“{text}” is not a port.", next_step="use a number, e.g. make demo PORT=8001."
            )
        port = int(text)
        with socket.socket() as probe:
            # Without this, a port in TIME_WAIT after the last demo looks taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except PermissionError as exc:
                raise MissionsError(
                    f"Port {port} needs more rights.", next_step=f"make demo PORT={port + 8000}"
                ) from exc
            except OSError as exc:
                raise MissionsError(
                    f"Port {port} is taken by another program (perhaps a demo that is still running).",
                    next_step=f"stop it, or run: make demo PORT={min(port + 1, 65535)}",
                ) from exc
        return port

    def _print_sign_ins(self, agency: Agency, port: int) -> None:
        self.stdout.write(
            f"\n  {agency.name}: http://localhost:{port}/\n\n  Sign in as (user name / password):\n"
        )
        for person in setup.sign_ins():
            self.stdout.write(f"    {person.username:<12} {person.password:<22} {person.what}")
        self.stdout.write("\n  Stop with Ctrl-C; `make demo` starts again in seconds and keeps everything.\n")
        self.stdout.flush()

    def _serve(self, port: int) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        manager = Manager()
        manager.add_process(
            "web",
            f"{sys.executable} -m gunicorn missions_project.wsgi --bind 127.0.0.1:{port} --threads 8 --timeout 120 "
            "--log-level warning",
            env=environment,
            cwd=str(settings.BASE_DIR),
        )
        manager.add_process(
            "worker",
            f"{sys.executable} -m celery --app missions_project worker --beat --concurrency 1 --loglevel WARNING",
            env=environment,
            cwd=str(settings.BASE_DIR),
        )
        manager.loop()
        sys.exit(manager.returncode)
