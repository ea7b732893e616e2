"""The tactic catalogue, how one is drawn, what was done, studies, and what was asked of the figures."""

from tactics import study_admin
from tactics.admin import catalogue, draws, inquiries, records

__all__ = ["catalogue", "draws", "inquiries", "records", "study_admin"]
