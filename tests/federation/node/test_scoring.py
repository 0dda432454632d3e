"""Scores are of covered clients only, equal the model's own, and stay with their owner."""

import io
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from consent.errors import EpochStale, PurposeNotOpen
from federation.errors import ClientNotCovered, PlanInvalid
from federation.node.own_files import write_own
from federation.node.own_model import open_model, own_rows
from federation.node.scoring import NEVER_TO_BE_SHARED, score_of, scored, to_parquet
from federation.plans import digest
from federation.rounds import drive
from federation.training_journey import train_model
from federation.training_layout import architecture_of
from models.errors import ModelFileInvalid
from models.evaluate import scores
from models.files import save
from models.parameters import last_layer

SECONDS = 1_800_000_000


def test_a_client_who_closed_the_target_or_withdrew_has_no_score(
    firm: Any, own: Any, model_of: Any
) -> None:
    node = own(firm)
    found = scored(node, model_of(firm, node), now=SECONDS)
    covered = {c for c in firm.rows["risk"] if firm.levels[c] >= 2}  # the target's level
    assert set(found.client_ids) == covered
    closed = next(c for c in firm.rows["risk"] if firm.levels[c] == 1)
    for client in (closed, "NOBODY"):
        with pytest.raises(ClientNotCovered) as refused:
            score_of(found, client, "review")
        assert client not in str(refused.value)


def test_a_client_without_a_label_is_scored(firm: Any, own: Any, model_of: Any) -> None:
    node = own(firm)
    found = scored(node, model_of(firm, node), now=SECONDS)
    rows = firm.rows["risk"]
    assert any(rows[client]["defaulted"] is None for client in found.client_ids)


def test_the_scores_are_the_models_own(firm: Any, own: Any, model_of: Any) -> None:
    node = own(firm)
    model = model_of(firm, node)
    rows = own_rows(node, model.plan, now=SECONDS)
    expected = scores(model.architecture, model.weights, rows.features)
    found = scored(node, model, now=SECONDS)
    assert np.array_equal(found.columns["probability"], expected)
    assert len(set(expected.tolist())) > 5


def test_classes_have_a_column_each_and_an_amount_is_in_its_unit(
    firm: Any, own: Any, model_of: Any
) -> None:
    node = own(firm)
    classes = model_of(firm, node, target="education", features=("age", "income"))
    found = scored(node, classes, now=SECONDS)
    assert list(found.columns) == [
        "probability_school",
        "probability_university",
        "probability_other",
    ]
    assert np.allclose(sum(found.columns.values()), 1)
    amount = scored(
        node, model_of(firm, node, target="income", features=("age",)), now=SECONDS
    ).columns["amount"]
    assert amount.min() >= -1000
    assert amount.max() > 1


def test_the_file_is_parquet_says_what_it_is_and_is_its_owners(
    firm: Any, own: Any, model_of: Any, tmp_path: Any
) -> None:
    node = own(firm)
    found = scored(node, model_of(firm, node), now=SECONDS)
    data = to_parquet(found)
    table = pq.read_table(io.BytesIO(data))
    assert table.column_names == ["client_id", "probability", "model_sha256", "consent_epoch"]
    assert set(table["model_sha256"].to_pylist()) == {found.sha256}
    assert table.schema.metadata[b"infosandbox"].decode() == NEVER_TO_BE_SHARED
    file = tmp_path / "scores.parquet"
    file.touch(mode=0o644)
    write_own(file, data)
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_of_a_client_is_in_a_repr(firm: Any, own: Any, model_of: Any) -> None:
    node = own(firm)
    model = model_of(firm, node)
    found = scored(node, model, now=SECONDS)
    text = repr((node, model, found, own_rows(node, model.plan, now=SECONDS)))
    assert "CL0" not in text
    assert node.pseudonym_key.hex() not in text


def test_a_personal_last_layer_is_the_nodes_own(
    firm: Any, own: Any, model_of: Any, tmp_path: Any
) -> None:
    plan = firm.plan(
        kind="training",
        target="defaulted",
        features=("age", "education", "income"),
        rounds=1,
        local_steps=2,
        hidden=(4,),
        personal=True,
    )
    node = own(firm)
    with pytest.raises(PlanInvalid, match="never trained"):
        model_of(firm, node, hidden=(4,), personal=True, local_steps=2)
    progress = drive(train_model(firm.brief(plan)), firm.exchange)
    file = tmp_path / "personal.safetensors"
    shape = architecture_of(plan, firm.catalogue)
    save(file, shape, progress.average())
    model = open_model(file, plan, node)
    place = last_layer(shape)
    mine = firm.nodes["risk"].learned.newest_personal(digest(plan).hex())
    assert np.array_equal(model.weights[place], mine)
    assert not np.array_equal(model.weights[place], progress.average()[place])
    assert np.array_equal(model.weights[: place.start], progress.average()[: place.start])


def test_an_expired_snapshot_scores_nobody(firm: Any, own: Any, model_of: Any) -> None:
    node = own(firm)
    with pytest.raises(EpochStale):
        scored(node, model_of(firm, node), now=SECONDS + 601)


def test_a_purpose_that_a_field_is_not_open_to_is_refused(
    firm: Any, own: Any, model_of: Any
) -> None:
    node = own(firm)
    with pytest.raises(PurposeNotOpen):
        scored(node, model_of(firm, node, purpose="marketing"), now=SECONDS)


def test_a_file_that_is_not_the_registrys_or_not_the_plans_is_refused(
    firm: Any, own: Any, model_of: Any, tmp_path: Any
) -> None:
    node = own(firm)
    model = model_of(firm, node)
    file = tmp_path / "model.safetensors"
    assert open_model(file, model.plan, node, registered=model.sha256).sha256 == model.sha256
    with pytest.raises(ModelFileInvalid, match="registry"):
        open_model(file, model.plan, node, registered="0" * 64)
    other = model.plan.model_copy(update={"hidden": (4,)})
    with pytest.raises(ModelFileInvalid, match="shape"):
        open_model(file, other, node)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelFileInvalid, match="changed"):
        open_model(file, model.plan, node)
    with pytest.raises(ModelFileInvalid, match="cannot be read"):
        open_model(tmp_path / "none", model.plan, node)
    with pytest.raises(PlanInvalid, match="kind"):
        open_model(file, firm.plan(), node)
