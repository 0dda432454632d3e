"""Gives back the bytes it got."""

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def echo(message: Message, _context: Context) -> Message:
    payload = message.content.config_records["ask"]["payload"]
    return Message(RecordDict({"answer": ConfigRecord({"payload": payload})}), reply_to=message)
