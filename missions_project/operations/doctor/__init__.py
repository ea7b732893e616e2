"""The doctor: looks at everything that an installation needs and says what is wrong and how to mend it."""

from missions_project.operations.doctor import agencies, installation, services
from missions_project.operations.doctor.findings import CHECKS, Finding, Level, examine

__all__ = ["CHECKS", "Finding", "Level", "agencies", "examine", "installation", "services"]
