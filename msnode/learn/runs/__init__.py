"""Runs: from an index to a run directory with models, predictions, figures and a bundle."""
