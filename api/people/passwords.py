"""Local passwords: argon2id, by the second recommended option of RFC 9106 (64 MiB, 3 passes).

Passwords are compared after NFKC, so that one typed on another keyboard layout is the same.
"""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.people.errors import WeakPassword

LEAST, MOST = 12, 200
_LEAST_DIFFERENT = 5

_HASHER: Final = PasswordHasher()
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
"""A hash that no known password has: an unknown name takes as long as a wrong password."""


def hash_password(password: str, *, name: str) -> str:
    """Return the argon2id hash (sensitive) of a new password (secret).

    Raises:
        WeakPassword: it has fewer than 12 or more than 200 characters, fewer than 5 different
            ones, or is the name.
    """
    given = _plain(password)
    easy = len(set(given)) < _LEAST_DIFFERENT or given.casefold() == name.casefold()
    if not LEAST <= len(given) <= MOST or easy:
        raise WeakPassword(LEAST, MOST)
    return _HASHER.hash(given)


def is_right(password: str, hashed: str | None) -> bool:
    """Say whether a password (secret) fits a hash; without a hash it takes as long, and is not."""
    given = _plain(password)
    try:
        right = len(given) <= MOST and _HASHER.verify(hashed or _NOBODY, given)
    except (VerificationError, InvalidHashError):
        right = False
    return right and hashed is not None


def is_outdated(hashed: str) -> bool:
    """Say whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(hashed)


def _plain(password: str) -> str:
    """Normalize; a lone surrogate, which no keyboard types, becomes a question mark."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()
