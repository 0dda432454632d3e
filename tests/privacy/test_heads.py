from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from privacy import ledger
from privacy.entries import sealed
from privacy.errors import LedgerBroken
from privacy.head_file import keep_head_file, read_head_file
from privacy.heads import Head, check_head, head_of, head_text, read_head
from privacy.ledger import follow
from privacy.ledger_state import EMPTY, LedgerState
from privacy.loss import Delta, Rho

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def state() -> LedgerState:
    state = EMPTY
    for pool in ("firm", "firm/p"):
        event = ledger.open_pool(state, pool, budget=Rho(1.0), delta=Delta(1e-6), at=AT)
        assert event is not None
        state = follow(state, [sealed(state.length, state.head, event)])
    event_ = ledger.reserve(state, "firm/p", rho=Rho(0.1), request="r", at=AT)
    assert event_ is not None
    return follow(state, [sealed(state.length, state.head, event_)])


def head(length: int) -> Head:
    return Head(length=length, digest=f"{length:064x}", charged={"firm": Rho(length / 8)})


def test_a_head_tells_length_digest_and_what_weighs_on_each_pool(state: LedgerState) -> None:
    kept = head_of(state)
    assert (kept.length, kept.digest) == (3, state.head)
    assert kept.charged == {"firm": Rho(0.1), "firm/p": Rho(0.1)}
    assert read_head(head_text(kept)) == kept


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "[]", "{}", "nothing", '{"length": 1}', "[" * 100_000),
        '{"length": 1, "digest": "0", "charged": {"firm": -1}}',
    ],
)
def test_what_is_no_head_is_none(text: str | None) -> None:
    assert read_head(text) is None


def test_a_state_fits_its_own_head_and_no_other(state: LedgerState) -> None:
    kept = head_of(state)
    check_head(state, kept)
    check_head(EMPTY, None)
    for other, entry in (
        (replace(kept, length=5), 3),
        (replace(kept, length=2), 2),
        (replace(kept, digest="f" * 64), 2),
        (None, 2),
    ):
        with pytest.raises(LedgerBroken) as caught:
            check_head(state, other)
        assert caught.value.entry == entry
    with pytest.raises(LedgerBroken) as caught:
        check_head(EMPTY, kept)
    assert caught.value.entry == 0


def test_the_file_keeps_the_latest_head_whoever_comes_last(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "ledger.head"
    assert read_head_file(path) is None
    for length in (1, 3, 2):
        keep_head_file(path, head(length))
    assert read_head_file(path) == head(3)


def test_only_a_repair_puts_an_earlier_head_there_over_the_one_it_saw(tmp_path: Path) -> None:
    path = tmp_path / "ledger.head"
    keep_head_file(path, head(9))
    keep_head_file(path, head(4), over=8)
    assert read_head_file(path) == head(9)
    keep_head_file(path, head(4), over=9)
    assert read_head_file(path) == head(4)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{"])
def test_a_file_that_a_power_cut_left_unreadable_is_no_head(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.head"
    path.write_bytes(content)
    assert read_head_file(path) is None
    keep_head_file(path, head(1))
    assert read_head_file(path) == head(1)
