"""Riverton: an invented city whose crime intensity is known, so that forecasts of it can be marked against the truth."""
