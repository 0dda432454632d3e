"""What the OpenAPI document says of every route: that it may answer with a problem."""

from typing import Any, Final

from api.problems import MEDIA_TYPE, NAMESPACE

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                    },
                },
                "example": {
                    "type": NAMESPACE + slug,
                    "title": title,
                    "status": code,
                    "detail": detail,
                },
            }
        },
    }
    for status, description, slug, title, code, detail in (
        (
            "4XX",
            "A refusal, and what to do about it",
            "budget-exceeded",
            "Not enough privacy budget",
            409,
            "Pool 'firm/preference_insight' has rho 0.01 left for life: ask for less.",
        ),
        (
            "5XX",
            "A failure on this side",
            "ledger-broken",
            "The ledger is damaged",
            503,
            "Nothing is released until the ledger is repaired.",
        ),
    )
}
