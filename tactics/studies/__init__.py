"""Impact studies: what they read, how they are worded, drawn, shown and exported; the arithmetic is in ``tactics.engine.impact``."""
