"""The tactic catalogue, how one is drawn, what was done, and studies."""

from tactics.admin import catalogue, draws, officer, records, studies

__all__ = ["catalogue", "draws", "officer", "records", "studies"]
