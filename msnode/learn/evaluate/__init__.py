"""Evaluation: figures with their intervals, calibration, controls, the papers' figures."""
