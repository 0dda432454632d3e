"""A department's own side of the federation: everything that happens before a vector leaves it."""
