"""Shifts, plans, missions, rosters and visits for machines and signed-in people."""
