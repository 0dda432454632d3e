"""What a cube's models rank, with a hand-written cube and clients."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from api.client import Json
from api.demo.joined import ModelOf, cube_auc
from api.demo.outside import Rows
from consent.catalogue import Catalogue, load_catalogue

WEIGHTS = {"income": [-0.3, 0.0, 0.3], "region": [0.1, 0.0, -0.1]}
BASES = {("income",): 0.5, ("region",): 0.5, ("income", "region"): 0.5}


@pytest.fixture
def catalogue(tiny_folder: Path) -> Catalogue:
    return load_catalogue(tiny_folder / "catalogue.toml")


def held_out(catalogue: Catalogue, income: list[float], region: list[int]) -> Rows:
    names = ("buys_bonds", "income", "region")
    return Rows(
        fields=tuple(catalogue.field(name) for name in names),
        client_ids=tuple(f"c{row}" for row in range(len(income))),
        columns={
            "buys_bonds": np.array([0, 0, 1, 1]),
            "income": np.array(income),
            "region": np.array(region),
        },
    )


def model_of(asked: list[tuple[str, ...]]) -> ModelOf:
    def answer(features: Sequence[str]) -> Json:
        asked.append(tuple(features))
        weights = {f: {str(i): {"value": w} for i, w in enumerate(WEIGHTS[f])} for f in features}
        return {"base": BASES[tuple(features)], "weights": weights}

    return answer


def test_clients_are_ranked_by_the_weights_of_their_labels(catalogue: Catalogue) -> None:
    rows = held_out(catalogue, income=[10, 60, 150, 160], region=[0, 0, 0, 0])
    assert cube_auc(model_of([]), rows, "buys_bonds") == 1.0
    turned = held_out(catalogue, income=[160, 150, 60, 10], region=[0, 0, 0, 0])
    assert cube_auc(model_of([]), turned, "buys_bonds") == 0.0


def test_a_client_is_scored_by_the_model_of_the_fields_that_are_there(
    catalogue: Catalogue,
) -> None:
    asked: list[tuple[str, ...]] = []
    nan = float("nan")
    rows = held_out(catalogue, income=[10, nan, 150, nan], region=[-1, 2, 0, -1])
    assert cube_auc(model_of(asked), rows, "buys_bonds") == 1.0
    assert sorted(asked) == [("income",), ("income", "region"), ("region",)]


def test_clients_of_whom_nothing_is_known_are_not_ranked(catalogue: Catalogue) -> None:
    nan = float("nan")
    rows = held_out(catalogue, income=[nan] * 4, region=[-1] * 4)
    assert cube_auc(model_of([]), rows, "buys_bonds") is None
