"""The exact AUCs of a demonstration, on the tiny folder, without any process."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from api.demo.folder import DemoFolder, read_folder
from api.demo.outside import Comparison, Consent, compare, consent_of
from api.demo.tables import Split, department_rows, register_rows
from consent.errors import PurposeNotOpen
from consent.store import Register
from federation import training_layout
from federation.database import open_database
from federation.training_plan import TrainingPlan
from models.parameters import initial_vector

NOW = 1_700_000_000


@pytest.fixture
def folder(tiny_folder: Path) -> DemoFolder:
    return read_folder(tiny_folder)


@pytest.fixture
def rows(folder: DemoFolder) -> Mapping[str, Split]:
    return {d: department_rows(d, f, folder.catalogue) for d, f in folder.departments.items()}


@pytest.fixture
def plan(folder: DemoFolder) -> TrainingPlan:
    request = folder.training.request() | {"rho": 1.0, "cohort": ("lending", "wealth")}
    del request["epsilon"]
    return TrainingPlan.model_validate(request | {"catalogue": folder.catalogue.digest()})


def standing(folder: DemoFolder, plan: TrainingPlan, level: int | None = None) -> Consent:
    """Return consent from the folder's register, or from one where everybody has one level."""
    register = Register(open_database("sqlite://"))
    loaded = register_rows(folder.register, folder.data)
    if level is not None:
        loaded = [(client, household, level) for client, household, _ in loaded]
    register.load(loaded, datetime.now(UTC))
    return consent_of(register, folder.catalogue, plan, NOW)


def untrained(folder: DemoFolder, plan: TrainingPlan) -> np.ndarray:
    return initial_vector(training_layout.architecture_of(plan, folder.catalogue))


def compared(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split], level: int | None = None
) -> Comparison:
    consent = standing(folder, plan, level)
    return compare(plan, folder.catalogue, untrained(folder, plan), rows, consent)


def test_an_untrained_model_is_a_coin_and_a_trained_one_is_not(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split]
) -> None:
    result = compared(folder, plan, rows)
    assert result.everyone.federated == 0.5
    assert result.everyone.without_noise is not None
    assert result.everyone.without_noise > 0.75


def test_every_department_is_scored_on_its_own_and_on_everyone(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split]
) -> None:
    result = compared(folder, plan, rows)
    assert set(result.everyone.alone) == set(result.departments) == {"lending", "wealth"}
    assert all(set(scores.alone) == {d} for d, scores in result.departments.items())


def test_joined_fields_score_better_than_any_department_alone(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split]
) -> None:
    everyone = compared(folder, plan, rows, level=4).everyone
    assert everyone.without_noise is not None
    assert all(everyone.without_noise > alone for alone in everyone.alone.values() if alone)


def test_consent_closes_held_out_fields_as_it_does_at_a_node(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split]
) -> None:
    """Patience needs level 2: at level 1 nobody's model may see it."""
    everything = compared(folder, plan, rows, level=4)
    without_patience = compared(folder, plan, rows, level=1)
    assert everything.departments["wealth"].alone != without_patience.departments["wealth"].alone


def test_a_closed_field_changes_nothing_whatever_it_holds(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split]
) -> None:
    def scrambled(split: Split) -> Split:
        def turned(table: object) -> object:
            place = table.column_names.index("patience")  # type: ignore[attr-defined]
            upside_down = table.column("patience").combine_chunks()[::-1]  # type: ignore[attr-defined]
            return table.set_column(place, "patience", upside_down)  # type: ignore[attr-defined]

        return replace(split, kept=turned(split.kept), held_out=turned(split.held_out))

    other = {**rows, "wealth": scrambled(rows["wealth"])}
    assert compared(folder, plan, rows, level=1) == compared(folder, plan, other, level=1)
    assert compared(folder, plan, rows, level=2) != compared(folder, plan, other, level=2)


def test_nobody_is_scored_when_everybody_has_withdrawn(
    folder: DemoFolder, plan: TrainingPlan, rows: Mapping[str, Split]
) -> None:
    result = compared(folder, plan, rows, level=0)
    assert result.everyone.federated is None
    assert result.everyone.without_noise is None
    assert result.everyone.alone == {"lending": None, "wealth": None}


def test_a_purpose_closes_a_field_outside_as_well(folder: DemoFolder, plan: TrainingPlan) -> None:
    with pytest.raises(PurposeNotOpen):
        standing(folder, plan.model_copy(update={"purpose": "lending_review"}))


def test_what_consent_holds_stays_out_of_its_repr(folder: DemoFolder, plan: TrainingPlan) -> None:
    assert "key" not in repr(standing(folder, plan)).replace("_key", "")
