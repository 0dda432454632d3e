"""The demonstration's model card: evaluated in the sandbox, compared outside it, kept as a page."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, get_args

from api.client import Client, Json
from api.demo.outside import Comparison
from federation.coordinator.registry import Registry
from federation.database import open_database
from privacy.odds_text import Language

EVALUATION_EPSILON: Final = 0.5
"""What the evaluation may cost beside the training, at the policy's δ."""


def evaluation_request(training: Json) -> Json:
    """Return the request that evaluates what a training released."""
    return {
        "purpose": training["purpose"],
        "model": training["result"]["name"],
        "version": training["result"]["version"],
        "epsilon": EVALUATION_EPSILON,
        "reason": "How well the shared model ranks, for its card",
    }


def keep_comparison(database: str, training: Json, comparison: Comparison) -> None:
    """Keep the exact figures from outside the sandbox beside the version, for its card.

    Args:
        database: of the coordinator.
        training: the run that released the version.
        comparison: on public data only.
    """
    rows: list[dict[str, Any]] = [
        {"department": name} | asdict(scores) for name, scores in comparison.departments.items()
    ]
    rows.append({"department": None} | asdict(comparison.everyone))
    engine = open_database(database)
    try:
        Registry(engine).keep_comparison(training["id"], {"rows": rows})
    finally:
        engine.dispose()


def write_cards(client: Client, training: Json, folder: Path) -> dict[str, Path]:
    """Write the version's card as a page for each language; return where they are."""
    name, version = training["result"]["name"], training["result"]["version"]
    place = f"/api/v1/models/{name}/{version}/card.html"
    folder.mkdir(exist_ok=True)
    found = {}
    for language in get_args(Language):
        path = folder / f"{name}-{version}.{language}.html"
        page = client.call("GET", place, parameters={"language": language})
        path.write_bytes(page.content)
        found[language] = path
    return found
