"""The command line: ``infosandbox demo`` and ``infosandbox serve``."""
