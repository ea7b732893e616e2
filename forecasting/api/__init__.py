"""Forecasts and their surfaces for machines and signed-in people."""
