"""The tactic catalogue, how one is drawn, and what was done."""

from tactics.admin import catalogue, draws, records

__all__ = ["catalogue", "draws", "records"]
