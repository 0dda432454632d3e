"""Messages: exactly the fields of this version, or nothing."""

import pytest
from flwr.app import ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ProtocolError
from federation.messages import Answer, Ask, read_answer, read_ask, to_record


@given(st.binary(), st.binary(), st.sampled_from(["hello", "tokens", "sum", "round"]))
def test_an_ask_survives_the_wire(plan: bytes, payload: bytes, leg: str) -> None:
    ask = Ask.model_validate({"leg": leg, "plan": plan, "payload": payload})
    assert read_ask(to_record(ask)) == ask


@given(st.binary(), st.text(), st.integers(0, 2**40))
def test_an_answer_survives_the_wire(payload: bytes, text: str, epoch: int) -> None:
    answer = Answer(leg="sum", department="risk", payload=payload, text=text, epoch=epoch)
    assert read_answer(to_record(answer)) == answer


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"leg": "code"}, {"extra": 1}, {"plan": "text"}, {"payload": 7}],
)
def test_another_version_leg_field_or_type_is_refused(change: dict[str, object]) -> None:
    fields = dict(Ask(leg="sum")) | change
    with pytest.raises(ProtocolError):
        read_ask(RecordDict({"leg": ConfigRecord(fields)}))  # type: ignore[arg-type]


def test_another_record_is_refused() -> None:
    record = to_record(Ask(leg="hello"))
    record["more"] = ConfigRecord({})
    with pytest.raises(ProtocolError):
        read_ask(record)
    with pytest.raises(ProtocolError):
        read_answer(RecordDict({}))
