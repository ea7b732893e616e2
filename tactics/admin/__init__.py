"""The tactic catalogue, how one is drawn, what was done, the officer's page, studies, and what was asked of the figures."""

from tactics.admin import catalogue, draws, inquiries, officer, records, reports, studies

__all__ = ["catalogue", "draws", "inquiries", "officer", "records", "reports", "studies"]
