"""``python -m api.cli``: the same as ``infosandbox``."""

from api.cli.main import main

main()
