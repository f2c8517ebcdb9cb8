"""The page about a run: what was counted, drawn and grouped."""
