import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consent.log_entries import (
    AccountChanged,
    Approved,
    Collected,
    ConsentChanged,
    Destroyed,
    Entry,
    ModelStaged,
    PlanAccepted,
    Refused,
    Released,
    Used,
    encode,
    read_entry,
)
from consent.log_errors import EntryInvalid

A, B, C = "a" * 64, "b" * 64, "c" * 64
ENTRIES: list[Entry] = [
    ConsentChanged(at=7, epoch=3, change=A),
    Collected(at=7, department="risk", catalogue=A, fields=("age", "income")),
    PlanAccepted(
        at=7, run="r1", plan=A, purpose="kyc", cohort=("advisory", "risk"), rho=0.1, asker=B
    ),
    Approved(at=7, plan=A, decision="approved", approver=B),
    Used(at=7, run="r1", plan=A, attempt=0, epoch=3, cohort=("advisory", "risk")),
    Released(at=7, run="r1", plan=A, epoch=3, rho=0.1, result=B, label=C),
    Refused(at=7, run="r1", plan=A, code="DepartmentMissing", spent=True),
    Destroyed(at=7, what="cache", department="risk", evidence=A),
    AccountChanged(at=7, change="made", role="auditor", account=B, by=C),
    ModelStaged(at=7, model="churn", number=3, sha256=A, stage="in use", who=B),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.kind)
def test_an_entry_is_read_back_from_its_bytes(entry: Entry) -> None:
    assert read_entry(encode(entry)) == entry


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len({entry.kind for entry in ENTRIES}) == len(ENTRIES) == 10


def test_an_entry_is_canonical_json() -> None:
    assert encode(ENTRIES[0]) == (
        b'{"at":7,"change":"%s","epoch":3,"kind":"consent","version":1}' % (b"a" * 64)
    )


@given(st.data())
def test_other_bytes_for_the_same_entry_are_refused(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(ENTRIES))
    fields = json.loads(encode(entry))
    for other in (
        json.dumps(fields, separators=(", ", ":"), sort_keys=True).encode(),
        json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode(),
        encode(entry) + b"\n",
        encode(entry)[:-1] + b',"at":7}',
    ):
        with pytest.raises(EntryInvalid):
            read_entry(other)


WRONG = {
    "another version": {"version": 2},
    "no kind": {"kind": None},
    "an unknown kind": {"kind": "gossip"},
    "an unknown key": {"client": "canary"},
    "a commitment that is no digest": {"change": "canary"},
    "an upper-case digest": {"change": "A" * 64},
    "a time before the epoch": {"at": -1},
    "a time as text": {"at": "7"},
    "a fraction of a second": {"at": 7.5},
    "a number that JSON cannot hold": {"epoch": 2**53},
    "a flag for a number": {"epoch": True},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_entry_is_refused_without_being_repeated(change: dict[str, object]) -> None:
    fields = json.loads(encode(ENTRIES[0])) | change
    with pytest.raises(EntryInvalid) as caught:
        read_entry(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
    assert "canary" not in str(caught.value)


@given(st.binary(max_size=200) | st.text().map(str.encode) | st.just(b"[" * 100_000))
def test_whatever_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(EntryInvalid):
        read_entry(data)


def test_no_field_takes_a_persons_name() -> None:
    """Every text field is a digest, a name of the catalogue, a run or a code."""
    for entry in ENTRIES:
        fields = json.loads(encode(entry))
        for key, value in fields.items():
            if isinstance(value, str) and key != "kind":
                with pytest.raises(EntryInvalid):
                    read_entry(rfc8785.dumps(fields | {key: "王 小明"}))
