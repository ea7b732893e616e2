"""Which code made a report: what another version of it has kept may lack a table that this one draws."""

import hashlib
from pathlib import Path

MADE_BY = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:12]
"""The same in every process of one release; part of the keys under which reports, and the crimes that they count, are kept."""
