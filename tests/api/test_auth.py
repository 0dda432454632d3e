import json
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from api.auth import (
    STAFF,
    KnownToken,
    caller_of,
    enroll_tokens,
    load_tokens,
    new_token,
)
from api.errors import NotSignedIn, TokensInvalid
from api.people.roles import Caller, Role


def test_a_token_names_its_caller(tmp_path: Path) -> None:
    tokens = enroll_tokens(tmp_path / "tokens.json")
    known = load_tokens(tmp_path / "tokens.json")
    assert caller_of(tokens[Role.STEWARD], known) == Caller(name="steward", role=Role.STEWARD)


def test_a_hash_is_not_a_token(tmp_path: Path) -> None:
    enroll_tokens(tmp_path / "tokens.json")
    known = load_tokens(tmp_path / "tokens.json")
    with pytest.raises(NotSignedIn):
        caller_of(known[0].sha256, known)


@pytest.mark.parametrize("token", ["", "x", new_token()])
def test_a_stranger_is_refused(tmp_path: Path, token: str) -> None:
    enroll_tokens(tmp_path / "tokens.json")
    with pytest.raises(NotSignedIn):
        caller_of(token, load_tokens(tmp_path / "tokens.json"))


def test_only_hashes_are_written_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens = enroll_tokens(path)
    text = path.read_text()
    assert not any(token in text for token in tokens.values())
    assert {line["sha256"] for line in json.loads(text)} == {
        sha256(token.encode()).hexdigest() for token in tokens.values()
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tokens_are_never_the_same_twice() -> None:
    assert len({new_token() for _ in range(100)}) == 100


def test_a_hash_stays_out_of_a_repr() -> None:
    known = KnownToken(name="a", role=Role.ANALYST, sha256="0" * 64)
    assert "000" not in repr(known)


@pytest.mark.parametrize("text", ["", "{}", '[{"name": "a"}]', '[{"name":"a","role":"king"}]'])
def test_a_damaged_token_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(TokensInvalid, match=r"tokens\.json"):
        load_tokens(path)


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokensInvalid, match="No such file"):
        load_tokens(tmp_path / "tokens.json")


def test_a_name_with_two_roles_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    twice = (Caller(name="ann", role=Role.ANALYST), Caller(name="ann", role=Role.PRIVACY_OFFICER))
    enroll_tokens(path, twice)
    with pytest.raises(TokensInvalid, match="two roles"):
        load_tokens(path)


def test_a_caller_may_have_a_token_of_yesterday_and_one_of_today(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    enroll_tokens(path)
    path.write_text(json.dumps(json.loads(path.read_text()) * 2))
    assert len(load_tokens(path)) == 2 * len(STAFF)
