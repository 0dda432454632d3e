"""The routes, one file per subject. Each names its full path."""
