"""Keys, processes and the two files that touch Flower's internals."""
