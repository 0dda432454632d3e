"""The command line: ``infosandbox``."""
