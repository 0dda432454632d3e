"""Where to go after signing in: a page of ours, never another site's."""

import re
from typing import Final

HOME: Final = "/"
_MOST = 500
_PAGE = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
"""One slash and no second; no backslash, which browsers read as a slash; nothing invisible."""


def safe_next(text: str | None) -> str:
    """Return a path of ours as it was given, or the home page for anything else. Pure."""
    if text is None or len(text) > _MOST or _PAGE.fullmatch(text) is None:
        return HOME
    return text
