"""Figures, each beside a peer that is run in the same call: ``python -m benchmarks``."""
