"""What an installation copies from deploy/: it parses, its commands are ours, and the programs that read it accept it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from tools import up

DEPLOY = Path(settings.BASE_DIR) / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
QUEUES = [queue.name for queue in settings.CELERY_TASK_QUEUES]


def test_compose_runs_web_scheduler_servers_and_a_worker_for_each_queue() -> None:
    stack = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = stack["services"]
    assert set(services) == {"migrate", "web", "beat", "postgres", "redis", "nginx"} | {
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
