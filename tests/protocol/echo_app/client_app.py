"""A ClientApp that gives back what it got, or fails with its department's secret in the text."""

import os
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def echo(message: Message, _context: Context) -> Message:
    ask = message.content.config_records["ask"]
    if ask["fail"]:
        secret = Path(os.environ["INFOSANDBOX_NODE"]).read_text()
        raise ValueError(secret)
    answer = ConfigRecord({"payload": ask["payload"]})
    return Message(RecordDict({"answer": answer}), reply_to=message)
