"""The doors: the HTTP API and the command line."""
