"""The tactic catalogue, how one is drawn, what was done, and what was asked of the figures."""

from tactics.admin import catalogue, draws, inquiries, records

__all__ = ["catalogue", "draws", "inquiries", "records"]
