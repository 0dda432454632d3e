import pytest

from consent.clients import checked_client_id
from consent.errors import InvalidClientId


@pytest.mark.parametrize("client_id", ["TW003696", "a", "王小明 01", "x" * 256])
def test_a_normalized_id_is_returned_unchanged(client_id: str) -> None:
    assert checked_client_id(client_id) == client_id


@pytest.mark.parametrize(
    ("client_id", "reason"),
    [
        ("", "is empty"),
        ("canary" * 43, "is longer than 256 characters"),
        ("can\nary", "has control or other unprintable characters"),
        ("can\u202eary", "has control or other unprintable characters"),
        ("canary\ud800", "has control or other unprintable characters"),
        ("can\x00ary", "has control or other unprintable characters"),
        (" canary", "begins or ends with white space"),
        ("canary ", "begins or ends with white space"),
        ("ｃanary", "is not in Unicode's form NFKC"),
        ("canary①", "is not in Unicode's form NFKC"),
        ("cane\u0301ary", "is not in Unicode's form NFKC"),
        ("can\u200bary", "has control or other unprintable characters"),
        ("canary" * 2**18, "is longer than 256 characters"),
    ],
)
def test_a_malformed_id_is_refused_without_repeating_it(client_id: str, reason: str) -> None:
    with pytest.raises(InvalidClientId) as caught:
        checked_client_id(client_id)
    assert caught.value.reason == reason
    assert "canary" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
