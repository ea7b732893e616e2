"""The backtest bench: every method replayed on a file of past events, as if each forecast had been made then."""
