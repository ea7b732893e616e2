#!/usr/bin/env python3
"""Make the virtual environment that everything else runs in, or say what the machine lacks.

    python3 tools/bootstrap.py runtime    what the product needs
    python3 tools/bootstrap.py dev        and what the tests need on top

Standard library only, and written for an old Python: the one that starts this file may be too old for the
product, and must then say so instead of failing on its own syntax. A second run with unchanged requirements
returns at once.
"""

from __future__ import print_function

import glob
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time

MINIMUM = (3, 11)
CANDIDATES = ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python")
# Measured: an environment with everything is 1.3 GB; the wheels pass through the download folder on the way.
NEEDED_BYTES = {"runtime": 1600 * 1024**2, "dev": 2400 * 1024**2}
FILES = {"runtime": ["requirements.txt"], "dev": ["requirements.txt", "requirements-dev.txt"]}
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, os.environ.get("VENV", ".venv"))
VENV_PYTHON = os.path.join(VENV, "bin", "python")


class Missing(Exception):
    """Something the machine lacks; the message carries the command that mends it."""


def say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def version_of(command):
    """(major, minor) of a Python command, or None where it does not run."""
    try:
        text = subprocess.check_output(
            [command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], stderr=subprocess.STDOUT
        )
        major, minor = text.decode().strip().split(".")
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def find_python():
    """The first Python that is new enough: PYTHON=, the one that runs this file, then the usual names."""
    asked = os.environ.get("PYTHON")
    candidates = [asked] if asked else [sys.executable, *list(CANDIDATES)]
    seen = []
    for command in candidates:
        version = version_of(command) if command else None
        if version is None:
            continue
        if version >= MINIMUM:
            return command, version
        seen.append("%s is %d.%d" % ((command, *version)))
    found = "; ".join(sorted(set(seen))) or "%s does not run" % (asked or "no candidate")
    raise Missing(
        "Python %d.%d or newer is needed, and was not found (%s).\n"
        "Next step: apt-get install python3.11 python3.11-venv\n"
        "or, where it is installed under another name: make PYTHON=/path/to/python3.11 …"
        % ((*MINIMUM, found))
    )


def check_venv_module(python, version):
    """Debian ships Python without ensurepip: `python -m venv` then fails half-way, with a folder left behind."""
    if subprocess.call([python, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL) != 0:
        raise Missing(
            "Python %d.%d is here, but not its venv module.\nNext step: apt-get install python%d.%d-venv"
            % (version + version)
        )


def check_disk(level):
    """Stop before a half-written environment: pip's own message on a full disk names neither folder nor need."""
    free = shutil.disk_usage(os.path.dirname(VENV)).free
    needed = NEEDED_BYTES[level]
    if free < needed:
        raise Missing(
            "The disk that holds %s has %d MB free; the environment needs about %d MB.\n"
            "Next step: free some space (du -xh --max-depth=2 ~ | sort -h | tail; %s -m pip cache purge),\n"
            "or put the environment elsewhere: make VENV=/path/with/space/venv …"
            % (os.path.dirname(VENV), free // 1024**2, needed // 1024**2, os.path.basename(sys.executable))
        )


def stamp_path(level):
    return os.path.join(VENV, ".requirements-%s" % level)


def fingerprint(level):
    """Changes when a pinned version, the environment's place or its Python changes."""
    digest = hashlib.sha256()
    digest.update(VENV.encode())
    for name in FILES[level]:
        with open(os.path.join(ROOT, name), "rb") as handle:
            digest.update(handle.read())
    config = os.path.join(VENV, "pyvenv.cfg")
    if os.path.exists(config):
        with open(config, "rb") as handle:
            digest.update(handle.read())
    return digest.hexdigest()


def is_ready(level):
    """Whether an earlier run finished with exactly these requirements."""
    try:
        with open(stamp_path(level)) as handle:
            return os.path.exists(VENV_PYTHON) and handle.read().strip() == fingerprint(level)
    except OSError:
        return False


def make_venv():
    """Create the environment, or keep the one there if its Python still runs and is new enough."""
    if (version_of(VENV_PYTHON) or (0, 0)) >= MINIMUM and has_pip():
        return
    python, version = find_python()
    check_venv_module(python, version)
    if os.path.isdir(VENV) and os.listdir(VENV) and not os.path.exists(os.path.join(VENV, "pyvenv.cfg")):
        # `venv --clear` deletes everything in the folder: never somebody's other folder.
        raise Missing(
            "%s exists and is not a virtual environment. Next step: move it away, or make VENV=.venv2 …"
            % VENV
        )
    say("Making %s with Python %d.%d …" % ((os.path.relpath(VENV), *version)))
    if subprocess.call([python, "-m", "venv", "--clear", VENV]) != 0:
        raise Missing(
            "`%s -m venv %s` failed; its message is above.\nNext step: apt-get install python%d.%d-venv, then again."
            % ((python, VENV, *version))
        )


def has_pip():
    return (
        subprocess.call(
            [VENV_PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        == 0
    )


def pins(level):
    """Number of pinned packages at this level: the length of the progress bar."""
    names = set()  # type: set
    for name in FILES[level]:
        with open(os.path.join(ROOT, name)) as handle:
            names.update(
                line.split("==")[0].strip().lower() for line in handle if "==" in line and line[0] != "#"
            )
    return len(names)


class Progress(object):
    """One line that moves on a terminal; one line every ten packages in a log."""

    def __init__(self, total):
        self.total, self.started, self.last = total, time.time(), None
        self.terminal = sys.stderr.isatty()

    def show(self, label, done):
        done = min(done, self.total)
        filled = 30 * done // max(1, self.total)
        seconds = time.time() - self.started
        text = "%-11s [%s%s] %3d/%d  %3.0f s" % (
            label,
            "#" * filled,
            "." * (30 - filled),
            done,
            self.total,
            seconds,
        )
        if self.terminal:
            sys.stderr.write("\r" + text + "\033[K")
            sys.stderr.flush()
        elif (label, done // 10) != self.last:
            self.last = (label, done // 10)
            say(text)

    def close(self):
        if self.terminal:
            sys.stderr.write("\n")


def count_installed():
    return len(glob.glob(os.path.join(VENV, "lib", "python3*", "site-packages", "*.dist-info")))


def install(level):
    """Install the pinned wheels. pip's output is kept and printed only when it fails."""
    command = [VENV_PYTHON, "-m", "pip", "install", "--only-binary", ":all:", "--disable-pip-version-check"]
    command += ["--no-input", "--progress-bar", "off"]
    for name in FILES[level]:
        command += ["-r", os.path.join(ROOT, name)]
    progress = Progress(pins(level))
    log, label, done, before = [], ["fetching"], [0], [0]  # boxes: the reader thread writes into them
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    output = process.stdout
    assert output is not None

    def follow():
        for raw in iter(output.readline, b""):
            line = raw.decode("utf-8", "replace")
            log.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                done[0] += 1
            elif line.startswith("Installing collected"):
                before[0], label[0] = count_installed(), "unpacking"

    reader = threading.Thread(target=follow)
    reader.start()
    try:
        while reader.is_alive():
            if label[0] == "unpacking":
                # pip says nothing while it unpacks: count what has arrived. A new venv holds pip and setuptools.
                done[0] = count_installed() - min(before[0], 2)
            progress.show(label[0], done[0])
            reader.join(0.3)
    except BaseException:
        process.terminate()
        raise
    code = process.wait()
    if code == 0:
        progress.show("installed", progress.total)
    progress.close()
    if code != 0:
        say("".join(log[-40:]))
        check_disk(level)
        raise Missing(
            "pip could not install the requirements; its last lines are above.\nNext step: check that this machine "
            "reaches a package index (%s -m pip download --no-deps django), then run the same command again: what "
            "is already installed is kept." % os.path.relpath(VENV_PYTHON)
        )


def main(arguments):
    level = arguments[0] if arguments else "runtime"
    if level not in FILES:
        raise Missing("Unknown level %r. Next step: tools/bootstrap.py runtime, or dev." % level)
    if is_ready(level):
        return
    check_disk_needed = not (is_ready("runtime") or is_ready("dev"))
    if check_disk_needed:
        check_disk(level)
    make_venv()
    install(level)
    for done in ("runtime", level):
        with open(stamp_path(done), "w") as handle:
            handle.write(fingerprint(done))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Missing as problem:
        say("\n%s" % problem)
        sys.exit(2)
    except KeyboardInterrupt:
        say("\nStopped. Run the same command again: it continues where it was.")
        sys.exit(130)
