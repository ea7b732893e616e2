"""A throwaway PostgreSQL cluster for the tests: started on a free port, gone when the block ends.

.venv/bin/python tools/postgres.py COMMAND…      run a command with DATABASE_URL pointing at a fresh cluster
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

INSTALL_HINT = "apt-get install postgresql"
START_SECONDS = 60
SUPERUSER = "postgres"
SERVER_SETTINGS = {
    # Nothing here has to survive a power cut, so no write waits for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "128MB",
    # As docs/operations/install.md asks: else reading a few plans of a large city means reading every year.
    "random_page_cost": "1.1",
}


def find_binaries() -> Path | None:
    """The folder that holds initdb and postgres, the newest version first; None where there is none."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: (
            float(folder.parent.name) if folder.parent.name.replace(".", "").isdigit() else 0.0
        ),
        reverse=True,
    )
    on_path = [Path(os.path.realpath(found)).parent for found in [shutil.which("initdb")] if found]
    for folder in [*debian, *on_path]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def server_account() -> str | None:
    """The account to run as: PostgreSQL refuses root, so root hands over to an unprivileged one."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError(
        "PostgreSQL refuses to run as root. Next step: adduser --system postgres, or test as a user."
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> None:
    """Linux: have the kernel stop the server when the tests are killed, so that none is left behind."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").prctl(1, signal.SIGQUIT)


def make_role(binaries: Path, port: int, folder: Path) -> None:
    """The role that the product works as: no superuser, for those see through the walls between agencies. The database is its."""
    statement = "CREATE ROLE missions LOGIN CREATEDB CREATEROLE; ALTER DATABASE postgres OWNER TO missions"
    subprocess.run(
        [binaries / "psql", "-h", "127.0.0.1", "-p", str(port), "-U", SUPERUSER, "-X", "-q", "-c", statement, "postgres"],
        cwd=folder, check=True,
    )  # fmt: skip


def wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            # The port opens before the server lets anybody in.
            if b"ready to accept connections" in log.read_bytes():
                return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start on port {port}. Its log ends:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def cluster(binaries: Path) -> Iterator[str]:
    """Yield a DATABASE_URL for an empty cluster; it is stopped and deleted however the block ends."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="missions-postgres-"))
    log = folder / "server.log"
    server: subprocess.Popen[bytes] | None = None
    try:
        if account:
            shutil.chown(folder, account)
        data = folder / "data"
        initialise: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        made = subprocess.run(
            [*initialise, "--no-sync"],
            user=account,
            cwd=folder,
            text=True,
            capture_output=True,
            env={**os.environ, "HOME": str(folder)},
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        port = free_port()
        options = [f"-c{name}={value}" for name, value in SERVER_SETTINGS.items()]
        with log.open("wb") as sink:
            server = subprocess.Popen(
                [
                    binaries / "postgres",
                    "-D",
                    data,
                    "-p",
                    str(port),
                    f"-cunix_socket_directories={folder}",
                    *options,
                ],
                user=account,
                cwd=folder,
                stdout=sink,
                stderr=subprocess.STDOUT,
                # Its own group: Ctrl-C reaches the tests first, and they stop the server in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        wait_until_ready(server, port, log)
        make_role(binaries, port, folder)
        yield f"postgres://missions@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            # Immediate shutdown: the data is deleted in the next line.
            server.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(timeout=10)
            if server.poll() is None:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main(command: list[str]) -> int:
    if not command:
        raise SystemExit(
            "Usage: tools/postgres.py COMMAND…, e.g. tools/postgres.py .venv/bin/python -m pytest tests/ingestion"
        )
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit(f"No PostgreSQL server binaries found. Next step: {INSTALL_HINT}")
    for number in (signal.SIGTERM, signal.SIGINT):
        # A shell's background job inherits an ignored Ctrl-C; `kill` must stop the cluster too.
        signal.signal(number, signal.default_int_handler)
    with cluster(binaries) as url:
        return subprocess.call(command, env={**os.environ, "DATABASE_URL": url})


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
