"""The tactic catalogue, how one is drawn, what was done, the officer's page, studies, what was asked, what is told."""

from tactics.admin import catalogue, draws, inquiries, officer, records, reports, studies, transparency

__all__ = ["catalogue", "draws", "inquiries", "officer", "records", "reports", "studies", "transparency"]
