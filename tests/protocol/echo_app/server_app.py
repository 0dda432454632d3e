"""A ServerApp that carries files: each ``*.ask`` in its folder goes to all nodes, then ``.answer``.

An ask is JSON: payload (text), fail (bool), seconds (deadline). An answer is JSON: payloads, one
per reply; errors, the reasons of the failed ones; seconds the leg took.
"""

import json
import os
import time
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, _context: Context) -> None:
    folder = Path(os.environ["INFOSANDBOX_COORDINATOR"]).parent
    while True:
        for path in sorted(folder.glob("*.ask")):
            ask = json.loads(path.read_text())
            path.unlink()
            answer = leg(grid, ask)
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps(answer))
            draft.rename(path.with_suffix(".answer"))
        time.sleep(0.02)


def leg(grid: Grid, ask: dict[str, object]) -> dict[str, object]:
    seconds = float(str(ask["seconds"]))
    record = ConfigRecord({"payload": str(ask["payload"]).encode(), "fail": bool(ask["fail"])})
    began = time.monotonic()
    nodes = [node.node_id for node in grid.get_nodes()]
    messages = [
        Message(RecordDict({"ask": record}), dst_node_id=node, message_type="query", ttl=seconds)
        for node in nodes
    ]
    waiting = set(grid.push_messages(messages))
    payloads: list[str] = []
    errors: list[str] = []
    while waiting and time.monotonic() - began < seconds:
        for reply in grid.pull_messages(list(waiting)):
            waiting.discard(reply.metadata.reply_to_message_id)
            if reply.has_error():
                errors.append(reply.error.reason)
            else:
                payload = reply.content.config_records["answer"]["payload"]
                payloads.append(bytes(payload).decode())  # type: ignore[arg-type]
        if waiting:
            time.sleep(0.02)
    return {"payloads": payloads, "errors": errors, "seconds": time.monotonic() - began}
