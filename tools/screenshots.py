"""Photograph the demo's pages for README and docs, so that no picture shows a page that is gone.

    .venv/bin/python tools/screenshots.py                   a demo of its own, made in a temporary folder
    .venv/bin/python tools/screenshots.py --var var         the demo that `make demo` made, as it stands
    .venv/bin/python tools/screenshots.py --only shift-map  one picture

Needs Chromium. Pictures go to docs/images/.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.postgres import free_port  # noqa: E402 - found only once the checkout is on the path

IMAGES = ROOT / "docs" / "images"
DESKTOP, PHONE = (1360, 850), (390, 844)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 30


@dataclass(frozen=True)
class Picture:
    """One page as one person sees it. `click` names what to click first, so that a drawer stands open."""

    name: str
    person: str
    path: str
    size: tuple[int, int] = DESKTOP
    click: str = ""
    dark: bool = False
    whole_page: bool = False


PICTURES = (
    Picture("shift-map", "supervisor", "/{slug}/shifts/"),
    Picture("mission-drawer", "supervisor", "/{slug}/shifts/", click="[hx-get*='/missions/']"),
    Picture("risk-map", "analyst", "/{slug}/risk/"),
    Picture("admin", "admin", "/admin/"),
    Picture("officer-page", "officer", "/{slug}/officer/", size=PHONE),
)


@contextlib.contextmanager
def demo_folder(given: Path | None) -> Iterator[Path]:
    """The installation to photograph: the one given, or a fresh demo that is deleted afterwards."""
    if given is not None:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="missions-pictures-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "MISSIONS_VAR_DIR": folder}
        subprocess.run(
            [sys.executable, "manage.py", "demo", "--prepare-only"], cwd=ROOT, env=environment, check=True
        )
        yield Path(folder)


@contextlib.contextmanager
def web_server(var: Path) -> Iterator[str]:
    """The site's address while the block lasts."""
    port = free_port()
    server = subprocess.Popen(
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
        env={**os.environ, "MISSIONS_VAR_DIR": str(var)},
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{address}/accounts/login/", timeout=5),
            ):
                break
            time.sleep(0.3)
        else:
            raise SystemExit("The web server did not start. Next step: make demo, and read its messages.")
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def sign_in(page: Any, address: str, username: str, password: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.fill("input[name=login]", username)
    page.fill("input[name=password]", password)
    with page.expect_navigation():
        page.press("input[name=password]", "Enter")
    if "/accounts/login" in page.url:
        raise SystemExit(f"{username} could not sign in. Next step: make a fresh demo (leave out --var).")


def photograph(browser: Any, picture: Picture, address: str, slug: str, password: str) -> None:
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1.0 if picture.size == DESKTOP else 2.0,
        color_scheme="dark" if picture.dark else "light",
    )
    page = context.new_page()
    sign_in(page, address, picture.person, password)
    response = page.goto(address + picture.path.format(slug=slug), wait_until="networkidle")
    if response is None or response.status != 200:
        raise SystemExit(
            f"{picture.path} answered {response.status if response else 'nothing'} to {picture.person}."
        )
    if picture.click:
        page.locator(picture.click).first.click()
        page.wait_for_load_state("networkidle")
    # Leaflet fades its layers in for a quarter of a second after the last of them has arrived.
    page.wait_for_timeout(600)
    page.screenshot(path=IMAGES / f"{picture.name}.png", full_page=picture.whole_page)
    context.close()
    print(f"docs/images/{picture.name}.png  {picture.person} {picture.path.format(slug=slug)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--var", type=Path, help="The folder of an existing demo installation, e.g. var.")
    parser.add_argument("--only", help="Take only pictures whose name holds this word.")
    options = parser.parse_args()
    chromium = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if chromium is None:
        raise SystemExit("No Chromium found. Next step: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(parents=True, exist_ok=True)
    with demo_folder(options.var) as var:
        password_file = var / "demo_password"
        if not password_file.exists():
            raise SystemExit(f"{var} holds no demo. Next step: make demo, or leave out --var.")
        password = password_file.read_text().strip()
        with web_server(var) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            for picture in PICTURES:
                if not options.only or options.only in picture.name:
                    photograph(browser, picture, address, "riverton", password)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
