"""The production stack on this one machine, from its own PostgreSQL and Redis programs, until Ctrl-C.

    .venv/bin/python tools/up.py [--port 8000] [--var var/up]      (make up)

PostgreSQL, Redis, web, a worker for each queue and the scheduler, under the production profile (without https, which nginx
does: see docs/operations/). Data stays in the folder; a second start goes on with it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import postgres  # noqa: E402 - found only once the checkout is on the path

QUEUES = ("ingest", "forecast", "plan", "reports")
NAME = "missions"
START_SECONDS = 60


def missing() -> str:
    """What this machine lacks, with the next step; empty where nothing is missing."""
    if postgres.find_binaries() is None:
        return f"no PostgreSQL server found. To run it: {postgres.INSTALL_HINT}"
    if shutil.which("redis-server") is None:
        return "no Redis server found. To run it: apt-get install redis-server"
    return ""


def stored_key(path: Path) -> str:
    """A secret of this stack, made once and readable by its owner alone."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text().strip()


def environment(var: Path, port: int, database_port: int, redis_port: int) -> dict[str, str]:
    """What every process is told."""
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "DJANGO_SETTINGS_MODULE": "missions_project.settings.production",
        "MISSIONS_VAR_DIR": str(var / "missions"),
        "DATABASE_URL": f"postgres://{NAME}@127.0.0.1:{database_port}/postgres",
        "CELERY_BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
        "SECRET_KEY": stored_key(var / "secret_key"),
        "FEED_SECRETS_KEY": stored_key(var / "feed_secrets_key"),
        "BACKUP_KEY": stored_key(var / "backup_key"),
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PUBLIC_URL": f"http://localhost:{port}",
        # No proxy with a certificate stands before it: a browser would be sent to an https that nobody answers.
        "INSECURE_LOCAL_HTTP": "1",
    }


def web_processes() -> int:
    """As many as cores, four at most: one process answers with one core, however many threads it has."""
    return min(4, os.cpu_count() or 1)


def web_environment(var: Path, told: dict[str, str]) -> dict[str, str]:
    """What the web server is told beside: its processes' metrics are added up in a folder that is emptied here."""
    folder = var / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return {
        "WEB_CONCURRENCY": str(web_processes()),
        **told,
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
    }


def cluster_ensure(data: Path, binaries: Path) -> None:
    """Make the database's folder where there is none."""
    if (data / "PG_VERSION").exists():
        return
    account = postgres.server_account()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if account:
        shutil.chown(data, account)
    made = subprocess.run(
        [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            postgres.SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ],
        user=account,
        cwd="/",
        text=True,
        capture_output=True,
    )
    if made.returncode != 0:
        raise SystemExit(f"initdb failed: {made.stderr.strip()}")


def wait_for_database(environment: dict[str, str], binaries: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    command: list[str | Path] = [
        binaries / "pg_isready",
        "--quiet",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    while subprocess.run(command, env=environment).returncode != 0:
        if time.monotonic() > deadline:
            raise SystemExit(f"PostgreSQL did not start on port {port}.")
        time.sleep(0.2)


def role_ensure(binaries: Path, port: int) -> None:
    """Make the product's own role where the cluster has none yet.

    A cluster of before the walls between agencies was made with that role as its superuser, which cannot be taken away:
    it works on, and ``doctor`` says what to do.
    """
    asked: list[str | Path] = [
        binaries / "psql",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-U",
        postgres.SUPERUSER,
        "-X",
        "-A",
        "-t",
        "-c",
    ]
    question = f"SELECT count(*) FROM pg_roles WHERE rolname = '{NAME}'"  # nosec B608 - a constant
    found = subprocess.run([*asked, question, "postgres"], cwd="/", capture_output=True, text=True)
    if found.returncode == 0 and found.stdout.strip() == "0":
        postgres.make_role(binaries, port, Path("/"))


def manage(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"manage.py {' '.join(arguments)} failed: mend what stands above.")


def process_list(port: int) -> dict[str, str]:
    """Command line by name of the product's own processes."""
    python = sys.executable
    worker = (
        f"{python} -m celery --app missions_project worker --concurrency 1 --without-mingle --without-gossip"
    )
    return {
        "web": f"{python} -m gunicorn missions_project.wsgi --bind 127.0.0.1:{port} --threads 4 --worker-connections 6 --keep-alive 0 --timeout 120 --log-level warning",
        **{f"worker.{queue}": f"{worker} --queues {queue} --hostname {queue}@%h" for queue in QUEUES},
        "beat": f"{python} -m celery --app missions_project beat --pidfile=",
    }


def start_database(data: Path, binaries: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    account = postgres.server_account()
    with log.open("ab") as sink:
        return subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(port), "-clisten_addresses=127.0.0.1", "-cunix_socket_directories=", "-crandom_page_cost=1.1"],
            user=account, cwd="/", stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=postgres.die_with_parent,
        )  # fmt: skip


def start_redis(folder: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes",
        "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    with log.open("ab") as sink:
        return subprocess.Popen(
            command,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=postgres.die_with_parent,
        )


def run(var: Path, port: int) -> int:
    if lack := missing():
        raise SystemExit(f"The stack cannot run here: {lack}")
    from honcho.manager import Manager

    binaries = postgres.find_binaries()
    assert binaries is not None
    var.mkdir(parents=True, exist_ok=True)
    database_port, redis_port = postgres.free_port(), postgres.free_port()
    told = environment(var, port, database_port, redis_port)
    data = postgres_folder(var)
    cluster_ensure(data, binaries)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        servers.append(start_database(data, binaries, database_port, var / "postgres.log"))
        servers.append(start_redis(var / "redis", redis_port, var / "redis.log"))
        wait_for_database(told, binaries, database_port)
        role_ensure(binaries, database_port)
        manage(told, "migrate", "--verbosity", "0", "--no-input")
        manage(told, "collectstatic", "--verbosity", "0", "--no-input")
        manager: Any = Manager()
        for name, command in process_list(port).items():
            own = web_environment(var, told) if name == "web" else told
            manager.add_process(name, command, env=own, cwd=str(ROOT))
        print(
            f"The stack runs on http://localhost:{port}/ ; the environment of its commands is in {var / 'env'}",
            flush=True,
        )
        write_environment(var / "env", told)
        manager.loop()
        return int(manager.returncode or 0)
    finally:
        # The database last, with time to write what it holds: the others say good-bye to it.
        for server in reversed(servers):
            server.terminate()
        for server in servers:
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()


def postgres_folder(var: Path) -> Path:
    """Where the cluster lies: below ``var``, or where the server's own account may go if we are root."""
    return (
        var / "postgres"
        if postgres.server_account() is None
        else Path("/var/tmp") / f"missions-up-{hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]}"
    )


def write_environment(path: Path, told: dict[str, str]) -> None:
    """What `MISSIONS_ENV_FILE` may name for manage.py against this stack."""
    own = {name: value for name, value in told.items() if os.environ.get(name) != value}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in sorted(own.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "up")
    chosen = parser.parse_args()
    return run(chosen.var.resolve(), chosen.port)


if __name__ == "__main__":
    sys.exit(main())
