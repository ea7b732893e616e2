"""What the product runs with: a software bill of materials, and which of it has a known weakness.

    make sbom     # CycloneDX (JSON) of an environment that holds requirements.txt and nothing else, with licences and who needs whom
    make audit    # pip-audit asks PyPI's advisories for each pinned version; ends with 3 where they cannot be reached

Both tools live in an environment that is thrown away: what checks the packages is not among them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements.txt"
SBOM_TOOL, AUDIT_TOOL = "cyclonedx-bom==7.5.0", "pip-audit>=2.9"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
UNREACHED = r"ConnectionError|ServiceError|Max retries|Name or service|could not be audited|not found on PyPI"
NO_SERVICE = 3
"""The exit code where no advisory service can be reached: neither well nor ill."""


def plain(name: str) -> str:
    """A package's name as PyPI compares names.

    >>> plain("Django_CSP")
    'django-csp'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> dict[str, str]:
    """The versions that a file of requirements pins, by plain name.

    >>> pinned("kombu==5.7.0   # via celery\\nxmlsec==1.3.17 ; sys_platform == 'linux'\\n")
    {'kombu': '5.7.0', 'xmlsec': '1.3.17'}
    """
    return {plain(name): version for name, version in PIN.findall(text)}


def missing(sbom: dict[str, object], pins: dict[str, str]) -> list[str]:
    """Pinned packages that a bill of materials does not list with their version.

    >>> missing({"components": [{"name": "Kombu", "version": "5.7.0"}]}, {"kombu": "5.7.0", "celery": "5.7.0"})
    ['celery==5.7.0']
    """
    parts = sbom.get("components")
    listed = (
        {(plain(part["name"]), part.get("version")) for part in parts} if isinstance(parts, list) else set()
    )
    return [f"{name}=={version}" for name, version in pins.items() if (name, version) not in listed]


def environment(folder: Path, *install: str) -> Path:
    """A fresh environment with these arguments of ``pip install``; returns its folder of programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *install],
        check=True,
    )
    return programs


def sbom_make(out: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="sbom-") as made:
        folder = Path(made)
        product = environment(folder / "product", "--only-binary", ":all:", "-r", str(PINS))
        tool = environment(folder / "tool", SBOM_TOOL)
        command = [
            str(tool / "cyclonedx-py"),
            "environment",
            "--output-reproducible",
            "--of",
            "JSON",
            str(product / "python"),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    sbom = json.loads(done.stdout)
    if absent := missing(sbom, pinned(PINS.read_text(encoding="utf-8"))):
        print(
            f"The bill of materials lacks {', '.join(absent)}. Next step: look at what pip installed on this platform."
        )
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(sbom, indent=1) + "\n", encoding="utf-8")
    print(f"{len(sbom['components'])} packages: {out}")
    return 0


def audit() -> int:
    with tempfile.TemporaryDirectory(prefix="audit-") as made:
        tool = environment(Path(made) / "tool", AUDIT_TOOL)
        command = [str(tool / "pip-audit"), "--strict", "--disable-pip", "--no-deps", "-r", str(PINS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    # Strict: a package that the service does not know would else be passed over, and the whole called well.
    if done.returncode and re.search(UNREACHED, done.stdout + done.stderr):
        print(
            "No advisory service could be reached. Next step: run it where https://pypi.org/pypi answers with advisories."
        )
        return NO_SERVICE
    return done.returncode


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("sbom", "audit"))
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "var" / "sbom.json",
        help="where the bill goes (default: var/sbom.json)",
    )
    wanted = parser.parse_args(arguments)
    return sbom_make(wanted.out) if wanted.what == "sbom" else audit()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
