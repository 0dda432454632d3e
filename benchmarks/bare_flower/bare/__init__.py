"""A Flower app with nothing in it."""
