"""``python -m tests.agencies.readers``: what a reader of a crafted file may end up doing. Not a test."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from agencies.engine.limits import limited


def main() -> int:
    asked = json.load(sys.stdin)
    limited(seconds=asked["seconds"], megabytes=asked["megabytes"])
    deed = Path(asked["path"]).name
    if deed == "sleeps":
        Path(tempfile.mkdtemp(), "half").write_text("unpacked")
        time.sleep(60)
    elif deed == "counts":
        while True:
            pass
    elif deed == "allocates":
        json.dump(len(bytearray(2 * 1024**3)), sys.stdout)
    elif deed == "falls":
        os.abort()
    elif deed == "babbles":
        sys.stdout.write("no JSON")
    elif deed == "hangs up":
        os.close(0)
        time.sleep(60)
    elif deed == "chatters":
        while True:
            os.write(0, b"more " * 1024)
    elif deed == "tells":
        told = {"environment": dict(os.environ), "folder": tempfile.gettempdir(), "process": os.getpid()}
        json.dump({**told, "language": asked["language"]}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
