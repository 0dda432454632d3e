"""The door of one department's own node: an API and one page, for its own people alone."""
