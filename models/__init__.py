"""The shared models, and the only room that imports torch."""
