"""What an installation copies from deploy/: it parses, its commands are ours, and the programs that read it accept it."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from django.conf import settings

from tools import postgres, up

DEPLOY = Path(settings.BASE_DIR) / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
QUEUES = [queue.name for queue in settings.CELERY_TASK_QUEUES]


def test_compose_runs_web_scheduler_servers_and_a_worker_for_each_queue() -> None:
    stack = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = stack["services"]
    assert set(services) == {"migrate", "web", "beat", "backup", "postgres", "redis", "nginx"} | {
        f"worker-{name}" for name in QUEUES
    }
    for name in QUEUES:
        command = services[f"worker-{name}"]["command"]
        assert command[command.index("--queues") + 1] == name
    for name, service in services.items():
        for other, wanted in (
            service.get("depends_on", {}).items() if isinstance(service.get("depends_on"), dict) else ()
        ):
            assert other in services, name
            # Waiting for health of what has no health check waits for ever.
            assert wanted["condition"] != "service_healthy" or "healthcheck" in services[other], (name, other)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith(".") or source in stack["volumes"], volume
    assert [name for name, service in services.items() if service.get("ports")] == ["nginx"], (
        "only nginx is reachable"
    )


def test_the_containers_pg_dump_is_as_new_as_their_server() -> None:
    server = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["postgres"]["image"]
    client = re.search(r"postgresql-client-(\d+)", (DEPLOY / "Dockerfile").read_text())
    assert client is not None
    assert server == f"postgres:{client[1]}-bookworm"


def test_the_containers_backup_is_made_at_night(tmp_path: Path) -> None:
    """The loop itself, in the shell of the image's family, with `sleep` and `python` as they are called."""
    shell, flag, loop = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["backup"]["command"]
    for name, says in (
        ("sleep", 'echo "sleep $1" >> log; [ $(wc -l < log) -lt 4 ]'),
        ("python", 'echo "$@" >> log; false'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TZ": "UTC"}
    # Compose reads two dollar signs as one.
    subprocess.run([shell, flag, loop.replace("$$", "$")], cwd=tmp_path, env=environment, check=False)
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[1::2] == ["manage.py backup --to /var/lib/missions/backups --keep 14"] * 2, (
        "one that failed ended it"
    )
    for line in lines[::2]:
        wakes = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=int(line.split()[1]))
        assert abs((wakes - wakes.replace(hour=3, minute=18, second=0)).total_seconds()) < 30


@pytest.mark.skipif(
    postgres.find_binaries() is None, reason="no PostgreSQL found. To run it: apt-get install postgresql"
)
def test_the_containers_database_role_is_no_superuser() -> None:
    binaries = postgres.find_binaries()
    assert binaries is not None
    with postgres.cluster(binaries) as url:
        server = urlsplit(url)
        environment = os.environ | {
            "PATH": f"{binaries}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGPORT": str(server.port),
            "POSTGRES_USER": postgres.SUPERUSER, "POSTGRES_PASSWORD": "it's \"quoted\"",
        }  # fmt: skip

        def asked(statement: str) -> str:
            program = ["psql", "-X", "-At", "-U", postgres.SUPERUSER, "-d", "postgres", "-c", statement]
            return subprocess.run(program, env=environment, check=True, capture_output=True, text=True).stdout

        asked(
            f"ALTER ROLE {postgres.SUPERUSER} PASSWORD 'its own'; ALTER DATABASE postgres OWNER TO {postgres.SUPERUSER}; DROP ROLE missions"
        )
        subprocess.run([DEPLOY / "postgres-role.sh"], env=environment, check=True)
        told = asked(
            "SELECT rolsuper, rolbypassrls, rolpassword LIKE 'SCRAM-%' FROM pg_authid WHERE rolname = 'missions'"
        )
        assert told == "f|f|t\n"
        assert asked("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = current_user") == "t\n"
        assert (
            asked("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'missions'")
            == "missions\n"
        )


def test_only_what_must_be_is_published_and_nothing_runs_as_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    instructions = [
        line.split()[0] for line in text.replace("\\\n", " ").splitlines() if line and line[0] not in "# "
    ]
    assert set(instructions) <= {
        "FROM",
        "COPY",
        "RUN",
        "WORKDIR",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "HEALTHCHECK",
        "CMD",
    }
    assert instructions.index("USER") < instructions.index("CMD")
    assert re.search(r"^USER missions$", text, flags=re.MULTILINE)
    assert "/healthz" in text
    ignored = (Path(settings.BASE_DIR) / ".dockerignore").read_text().splitlines()
    assert {".env", "var", ".git"} <= set(ignored), "secrets and data must not get into an image"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_has_no_rights_that_it_does_not_need(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("[Unit]")
    if path.suffix == ".service":
        for line in (
            "User=missions",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "EnvironmentFile=/etc/missions/env",
        ):
            assert f"\n{line}\n" in text, line


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="no systemd found. To run it: apt-get install systemd"
)
def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    for path in UNITS:
        text = path.read_text()
        # The interpreter of an installation is not on the machine that tests.
        text = text.replace("/srv/missions/.venv/bin/python", shutil.which("true") or "/bin/true")
        (tmp_path / path.name).write_text(
            text.replace("User=missions\nGroup=missions\n", "").replace("/srv/missions", "/")
        )
    names = [str(tmp_path / path.name.replace("@.", "@plan.")) for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True)
    ours = [
        line
        for line in done.stderr.splitlines()
        if "missions-" in line and "Failed to" not in line.split("missions-")[0]
    ]
    assert not [
        line for line in ours if "Unknown" in line or "Invalid" in line or "Failed to parse" in line
    ], done.stderr


@pytest.mark.skipif(
    not shutil.which("nginx"), reason="no nginx found. To run it: apt-get install nginx-light"
)
@pytest.mark.skipif(
    not shutil.which("openssl"), reason="no openssl found. To run it: apt-get install openssl"
)
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=missions.example.org", "-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (
        (DEPLOY / "nginx.conf")
        .read_text()
        .replace("/etc/missions/tls", str(tmp_path))
        .replace("web:8000", "127.0.0.1:8000")
    )
    (tmp_path / "site.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; include {tmp_path}/site.conf; }}\n"
    )
    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_nginx_sets_what_the_product_believes_and_hides_what_is_for_machines() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in text
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert "location = /metrics { return 404; }" in text


def test_make_up_starts_a_worker_for_each_queue() -> None:
    assert set(up.process_list(8000)) == {"web", "beat"} | {f"worker.{name}" for name in QUEUES}
    assert list(up.QUEUES) == QUEUES


def test_the_sample_of_the_env_file_names_every_setting() -> None:
    sample = (Path(settings.BASE_DIR) / ".env.example").read_text()
    told = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", sample, flags=re.MULTILINE))
    page = (Path(settings.BASE_DIR) / "docs" / "settings.md").read_text()
    headings = set(re.findall(r"^## ([A-Z][A-Z0-9_]+)$", page, flags=re.MULTILINE))
    assert headings - told == {
        "MISSIONS_TEST_DIR",
        "DJANGO_DEBUG",
        "INSECURE_LOCAL_HTTP",
        "MISSIONS_ENV_FILE",
    }
    assert told - headings <= {"DJANGO_SETTINGS_MODULE", "POSTGRES_PASSWORD", "PROMETHEUS_MULTIPROC_DIR"}
