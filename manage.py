#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    try:
        from missions_project.settings.environment import load_env_file

        load_env_file()
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
        from django.core.management import execute_from_command_line
    except ImportError as exc:
        raise SystemExit(
            "Django is not installed for this Python. Next step: run `make demo`, or use .venv/bin/python."
        ) from exc
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
