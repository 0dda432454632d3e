"""What a client's id may look like here: the one spelling that every department normalizes to."""

from unicodedata import is_normalized

from consent.errors import InvalidClientId

MAXIMUM_LENGTH = 256


def checked_client_id(client_id: str) -> str:
    """Return the id unchanged if it is a usable, normalized id (sensitive).

    Usable: 1 to 256 printable characters in Unicode's form NFKC (no full-width digits, no letter
    followed by its accent), with no white space at either end. Two spellings of one client would
    get two standings, so what looks unnormalized is refused rather than repaired.

    Raises:
        InvalidClientId: says what is wrong; neither the message nor the error holds the id.
    """
    if not client_id:
        raise InvalidClientId("is empty")
    if len(client_id) > MAXIMUM_LENGTH:
        raise InvalidClientId(f"is longer than {MAXIMUM_LENGTH} characters")
    if not client_id.isprintable():
        raise InvalidClientId("has control or other unprintable characters")
    if client_id != client_id.strip():
        raise InvalidClientId("begins or ends with white space")
    if not client_id.isascii() and not is_normalized("NFKC", client_id):
        raise InvalidClientId("is not in Unicode's form NFKC")
    return client_id
