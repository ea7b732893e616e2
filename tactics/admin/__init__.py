"""The tactic catalogue, how one is drawn, what was done, and studies."""

from tactics.admin import catalogue, draws, records, studies

__all__ = ["catalogue", "draws", "records", "studies"]
