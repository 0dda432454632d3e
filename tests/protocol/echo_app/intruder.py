"""A ServerApp whose bundle no department has on its list: it asks once and writes what it got."""

import json
import os
from pathlib import Path

from echo_app.server_app import leg
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, _context: Context) -> None:
    path = Path(os.environ["INFOSANDBOX_COORDINATOR"]).parent / "intruder.answer"
    answer = leg(grid, {"payload": "let me in", "fail": False, "seconds": 60})
    path.with_suffix(".draft").write_text(json.dumps(answer))
    path.with_suffix(".draft").rename(path)
