"""Times its legs: a message to every node, and every reply back.

A message is 8 kB, or what to train: then each leg but the first takes out what a node answered. The
rows are made in a leg of their own, before the clock starts.
"""

import json
import os
import time
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

PAYLOAD = bytes(8000)
DEADLINE_S = 120.0

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes: list[int] = []
    while len(nodes) < int(context.run_config["nodes"]):
        nodes = list(grid.get_node_ids())
        time.sleep(0.1)
    leg = short_leg if context.run_config["loop"] == "short" else stock_leg
    training = str(context.run_config["training"])
    payload = leg(grid, nodes, training.encode() + b"\n") if training else PAYLOAD
    seconds = []
    for number in range(int(context.run_config["legs"])):
        began = time.monotonic()
        if number:
            payload = leg(grid, nodes, payload)
        else:
            leg(grid, nodes, PAYLOAD)
        seconds.append(time.monotonic() - began)
    out = Path(os.environ["INFOSANDBOX_COORDINATOR"]).with_name("seconds.json")
    out.with_suffix(".draft").write_text(json.dumps(seconds))
    out.with_suffix(".draft").rename(out)
    while True:
        time.sleep(1)


def messages(nodes: list[int], payload: bytes) -> list[Message]:
    record = RecordDict({"ask": ConfigRecord({"payload": payload})})
    return [Message(record, dst_node_id=n, message_type="query", ttl=DEADLINE_S) for n in nodes]


def answered(reply: Message) -> bytes:
    return bytes(reply.content.config_records["answer"]["payload"])


def stock_leg(grid: Grid, nodes: list[int], payload: bytes) -> bytes:
    replies = list(grid.send_and_receive(messages(nodes, payload), timeout=DEADLINE_S))
    if len(replies) != len(nodes) or any(reply.has_error() for reply in replies):
        raise RuntimeError("a node did not answer")
    return answered(replies[0])


def short_leg(grid: Grid, nodes: list[int], payload: bytes) -> bytes:
    found, waiting = payload, set(grid.push_messages(messages(nodes, payload)))
    while waiting:
        for reply in grid.pull_messages(list(waiting)):
            if reply.has_error():
                raise RuntimeError("a node did not answer")
            found = answered(reply)
            waiting.discard(reply.metadata.reply_to_message_id)
        if waiting:
            time.sleep(0.02)
    return found
