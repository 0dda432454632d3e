"""Pairwise masks: the coordinator adds vectors it cannot read, and only their sum appears."""
