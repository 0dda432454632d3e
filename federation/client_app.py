"""The Flower ClientApp: one Message in, the node's answer out. The rest is in federation.node.

The department's worker imports this module once and keeps it; Flower's per-message context is not
used, for what a node remembers (journal, ledger) must survive restarts.
"""

import os
import time
from functools import cache
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from federation.messages import read_ask, to_record
from federation.node.answer import answer
from federation.node.node import Node, open_node
from federation.node.settings import ENVIRONMENT, load_settings

app = ClientApp()


@cache
def prepare() -> Node:
    """Open this department's node, once; the worker calls it before the first message.

    Its noise pool is filled from then on, whenever nobody asks.

    Raises:
        SettingsInvalid and whatever else open_node refuses with: the worker ends, its log says why.
    """
    node = open_node(load_settings(Path(os.environ[ENVIRONMENT])))
    node.refill.start()
    return node


@app.query()
def leg(message: Message, _context: Context) -> Message:
    """Answer one leg. A refusal is an answer; no exception text leaves the department."""
    ask = read_ask(message.content)
    return Message(to_record(answer(prepare(), ask, int(time.time()))), reply_to=message)
