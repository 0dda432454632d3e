"""Salted commitments: what the log holds in place of facts about a person. Pure.

The log cannot forget, so it never learns: an entry holds HMAC-SHA256(salt, facts) under a salt of
its own. With the salt and the facts anyone can check what was logged; without the salt no guess can
be checked, so erasing it (`consent.salt_store`) makes the entry nobody's for good.

Guarantee: hiding while HMAC-SHA256 under an unknown 32-byte key is a pseudorandom function
(Bellare 2006), however few facts are possible; binding while SHA-256 has no collisions.
"""

import hmac
from collections.abc import Mapping

import rfc8785

from consent.log_errors import CommitmentInvalid

SALT_BYTES = 32
_DOMAIN = b"infosandbox/log-commitment/v1\x00"

Fact = str | int | bool | None


def commit(salt: bytes, facts: Mapping[str, Fact]) -> str:
    """Return the commitment to some facts, 64 hexadecimal digits; public.

    Args:
        salt: 32 random bytes, never used for another entry (secret until the entry is opened).
        facts: names and values (sensitive); their order does not matter.

    Raises:
        CommitmentInvalid: the salt has another length, or a value has no canonical JSON.
    """
    if len(salt) != SALT_BYTES:
        raise CommitmentInvalid(f"a salt has {SALT_BYTES} bytes")
    try:
        opened = rfc8785.dumps(dict(facts))
    except rfc8785.CanonicalizationError:
        raise CommitmentInvalid("a fact has no canonical JSON") from None
    return hmac.digest(salt, _DOMAIN + opened, "sha256").hex()


def check_opening(commitment: str, salt: bytes, facts: Mapping[str, Fact]) -> None:
    """Check that a logged commitment was made from this salt and these facts (sensitive).

    Raises:
        CommitmentInvalid: it was not; the error repeats neither.
    """
    if not hmac.compare_digest(commit(salt, facts).encode(), commitment.encode()):
        raise CommitmentInvalid("it was made from another salt or other facts")
