"""Screenshots of the pages for README and docs, taken from the demo city in headless Chromium.

    make screenshots            # needs the demo set up once (make demo) and Chromium (apt-get install chromium)

Starts a web server of its own on a free port and stops it; the demo may be running or not.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screenshots"
DESK, PHONE = (1440, 900), (390, 844)
SHOTS = (
    # name, person, address, size, dark, what to do first
    ("shift-map", "supervisor", "/riverton/shifts/", DESK, False, ".mission"),
    ("shift-map-phone", "supervisor", "/riverton/shifts/", PHONE, False, ""),
    ("risk-map", "analyst", "/riverton/risk/", DESK, False, ""),
    ("admin", "admin", "/admin/", DESK, False, ""),
    ("officer", "officer", "/riverton/my/", PHONE, True, ""),
)


@contextmanager
def web_server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "missions_project.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--threads",
            "4",
        ],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/accounts/login/", timeout=2)
                break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def print_error(message: Any) -> None:
    """A blocked script or a missing tile shows in the terminal, not only in the picture."""
    if message.type == "error":
        print(f"  console: {message.text}")


def main() -> int:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        print("No Chromium found. Next step: apt-get install chromium")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from playwright.sync_api import sync_playwright

    from missions_project.demo.setup import sign_ins

    passwords = {person.username: person.password for person in sign_ins()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with web_server() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name, person, path, size, dark, first_click in SHOTS:
            context = chromium.new_context(
                viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
            )
            page = context.new_page()
            page.on("console", print_error)
            page.goto(f"{address}/accounts/login/")
            page.fill("input[name=login]", person)
            page.fill("input[name=password]", passwords[person])
            page.press("input[name=password]", "Enter")
            page.wait_for_load_state("networkidle")
            page.goto(f"{address}{path}")
            page.wait_for_load_state("networkidle")
            if first_click:
                page.click(first_click)
                # The first "why here" after a start reads the incidents: it takes seconds.
                page.wait_for_selector("#drawer h3", timeout=60_000)
                page.wait_for_load_state("networkidle")
            page.wait_for_timeout(800)
            page.screenshot(path=str(FOLDER / f"{name}.png"))
            print(f"docs/screenshots/{name}.png")
            context.close()
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
