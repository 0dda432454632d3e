"""The node's door: three nodes in one process, honest and dishonest coordinators."""

import json
from typing import Any

import numpy as np
import pytest

from federation import layout
from federation.errors import DepartmentRefused
from federation.messages import Answer, Ask
from federation.node.answer import answer
from federation.plans import digest
from federation.question_journey import ask_question
from federation.question_plan import QuestionPlan
from federation.rounds import drive
from federation.training_journey import train_model
from federation.training_plan import TrainingPlan
from privacy.mechanisms import Release

NOW = 1_800_000_000
MEAN_INCOME = ({"kind": "count"}, {"kind": "mean", "field": "income"})


def within(release: Release, truth: Any, sigmas: float = 6.5) -> bool:
    """Say whether every coordinate is near; a false alarm has probability below 1e-9."""
    return bool(np.all(np.abs(release.values - truth) <= sigmas * release.standard_error))


def age_bin(row: dict[str, Any]) -> int:
    return int(np.searchsorted([30.0, 50.0], row["age"], side="right"))


def counts_by_age(rows: dict[str, dict[str, Any]]) -> Any:
    return np.bincount([age_bin(row) for row in rows.values()], minlength=3)


def ask_all(firm: Any, plan: QuestionPlan, attempt: int = 0) -> tuple[Release, ...]:
    return drive(ask_question(firm.brief(plan, attempt=attempt)), firm.exchange)


def test_hello_announces_the_session_and_spends_nothing(firm: Any) -> None:
    before = firm.traces("risk")
    said = answer(firm.nodes["risk"], Ask(leg="hello"), NOW)
    assert (said.code, said.department, said.epoch) == ("ok", "risk", 0)
    assert json.loads(said.announcement)["department"] == "risk"
    assert firm.traces("risk") == before


@pytest.mark.statistical
def test_an_owned_count_is_the_plain_join_plus_noise(make_firm: Any) -> None:
    firm = make_firm(900)
    (count,) = ask_all(firm, firm.plan())
    assert within(count, counts_by_age(firm.join("age")))
    assert count.standard_error < 1


@pytest.mark.statistical
def test_an_owned_mean_is_the_plain_join_plus_noise(make_firm: Any) -> None:
    firm = make_firm(900)
    plan = firm.plan(statistics=MEAN_INCOME)
    count, total = ask_all(firm, plan)
    rows = firm.join("age", "income")
    assert within(count, counts_by_age(rows))
    block = layout.question_blocks(plan, firm.catalogue)[1]
    clipped = {c: np.clip(r["income"], -1000.0, 9000.0) for c, r in rows.items()}
    truth = np.zeros(3)
    for client, row in rows.items():
        truth[age_bin(row)] += (clipped[client] - block.center) / block.half_width
    assert within(total, truth)


@pytest.mark.statistical
def test_without_owners_every_department_counts_its_own(make_firm: Any) -> None:
    firm = make_firm(900)
    (count,) = ask_all(firm, firm.plan(owned=False))
    alone = firm.join("age")
    truth = sum(
        counts_by_age({c: r for c, r in alone.items() if c in firm.rows[department]})
        for department in firm.rows
    )
    assert within(count, truth)
    assert count.sensitivity == 3.0


@pytest.mark.statistical
def test_a_saboteur_who_counts_withdrawn_clients_is_noticed(make_firm: Any) -> None:
    firm = make_firm(900)
    truth = counts_by_age(firm.join("age"))
    firm.levels = {client: max(level, 1) for client, level in firm.levels.items()}
    (count,) = ask_all(firm, firm.plan())
    assert not within(count, truth)


@pytest.mark.statistical
def test_a_withdrawal_is_out_of_the_next_question(make_firm: Any) -> None:
    firm = make_firm(900, levels=lambda _number: 4)
    ask_all(firm, firm.plan())
    firm.levels = dict.fromkeys(firm.levels, 0)
    firm.epoch = 2
    (count,) = ask_all(firm, firm.plan(), attempt=1)
    assert within(count, np.zeros(3))


def test_a_field_a_department_lacks_leaves_it_out_of_the_sum(firm: Any) -> None:
    plan = firm.plan(by=(), statistics=MEAN_INCOME)
    firm.nodes["advisory"].source.data.joinpath("clients.parquet").touch()
    count, _ = ask_all(firm, plan)
    assert within(count, len(firm.join("income")))


def test_training_learns_what_the_departments_know(make_firm: Any) -> None:
    firm = make_firm(900, levels=lambda _number: 4)
    plan = firm.plan(kind="training", rounds=3, local_steps=8, rho=40.0)
    weights = drive(train_model(firm.brief(plan)), firm.exchange).average()
    assert weights.shape == (3,)
    presence, age, bias = weights
    young, old = bias + presence - 0.8 * age, bias + presence + 0.8 * age
    assert young < 0 < old  # defaulted means older than 58


def test_a_round_is_the_average_of_what_each_department_could_publish(firm: Any) -> None:
    plan = firm.plan(kind="training", rounds=1, local_steps=1, rho=40.0)
    assert isinstance(plan, TrainingPlan)
    drive(train_model(firm.brief(plan)), firm.exchange)
    attempt = (digest(plan).hex(), 0)
    assert all(node.learned.count(attempt) is not None for node in firm.nodes.values())
    for department in firm.nodes:
        assert firm.traces(department)[0] == 2, "a check, and one round"


def test_every_leg_of_an_attempt_spends_the_plan_once(firm: Any) -> None:
    plan = firm.plan(kind="training", rho=2.0)
    drive(train_model(firm.brief(plan)), firm.exchange)
    for department in firm.nodes:
        departures, _, used = firm.traces(department)
        assert departures == 3, "a check, and two rounds"
        assert used == 2.0
        assert firm.nodes[department].ledger.state("department").spent.value == 2.0


def test_a_new_attempt_spends_again_and_draws_new_noise(firm: Any) -> None:
    plan = firm.plan()
    first = ask_all(firm, plan)
    second = ask_all(firm, plan, attempt=1)
    assert firm.traces("risk")[2] == 2 * plan.rho
    assert not np.array_equal(first[0].values, second[0].values)


def test_one_department_alone_looks_random(firm: Any) -> None:
    plan = firm.plan(owned=False)
    said = answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW)
    assert said.code == "ok"
    words = np.frombuffer(said.payload, dtype="<u8")
    assert words.size == 3
    assert (np.minimum(words, -words) > 2**32).all()  # bare counts are small; chance 2^-31 a word


def test_no_mask_covers_two_blocks_of_one_answer(firm: Any) -> None:
    firm.levels = dict.fromkeys(firm.levels, 0)
    means = ({"kind": "mean", "field": field} for field in ("age", "income"))
    plan = firm.plan(owned=False, by=(), statistics=({"kind": "count"}, *means))
    said = answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW)
    words = np.frombuffer(said.payload, dtype="<u8")
    gaps = (words[:, None] - words[None, :])[~np.eye(3, dtype=bool)]
    assert (np.minimum(gaps, -gaps) > 2**40).all()  # one mask twice would leave noise only


def test_a_refusal_says_its_name_and_what_to_do(firm: Any) -> None:
    plan = firm.plan(purpose="marketing")
    said = answer(firm.nodes["risk"], firm.ask(plan, "tokens", "risk"), NOW)
    assert (said.code, said.leg) == ("policy_refusal", "tokens")
    assert "marketing" in said.text
    with pytest.raises(DepartmentRefused) as refusal:
        ask_all(firm, plan)
    assert refusal.value.code == "policy_refusal"


def test_the_reservation_comes_back_if_the_rows_cannot_be_opened(make_firm: Any) -> None:
    firm = make_firm(view="SELECT client_id FROM read_parquet('{data}/clients.parquet')")
    plan = firm.plan(owned=False)
    said = answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW)
    assert said.code == "records_unavailable"
    assert firm.traces("risk")[0] == 0
    assert firm.traces("risk")[2] == 0.0


def test_the_sum_leg_needs_this_workers_own_tokens(firm: Any) -> None:
    plan = firm.plan()
    answer(firm.nodes["risk"], firm.ask(plan, "tokens", "risk"), NOW)
    firm.open("risk")
    said = answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW)
    assert said.code == "session_unknown"
    assert firm.traces("risk")[2] == 0.0


def test_a_restarted_worker_does_not_draw_a_second_noisy_count(firm: Any) -> None:
    plan = firm.plan(kind="training")
    weights = np.zeros(3).tobytes()
    first = answer(firm.nodes["risk"], firm.ask(plan, "round", "risk", payload=weights), NOW)
    assert first.code == "ok"
    spent = firm.traces("risk")[2]
    attempt = (digest(plan).hex(), 0)
    count = firm.nodes["risk"].learned.count(attempt)
    firm.open("risk")
    later = firm.permit(plan, "round", round=1)
    ask = firm.ask(plan, "round", "risk", payload=weights, permit=later)
    assert answer(firm.nodes["risk"], ask, NOW).code == "ok"
    assert firm.nodes["risk"].learned.count(attempt) == count is not None
    assert firm.traces("risk")[2] == spent == plan.rho


@pytest.mark.parametrize("payload", [b"", b"\xff" * 100])
def test_ownership_that_does_not_fit_the_tokens_is_refused(firm: Any, payload: bytes) -> None:
    plan = firm.plan()
    answer(firm.nodes["risk"], firm.ask(plan, "tokens", "risk"), NOW)
    said = answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk", payload=payload), NOW)
    assert said.code == "protocol_error"


@pytest.mark.parametrize("weights", [b"", np.zeros(2).tobytes(), np.full(3, np.nan).tobytes()])
def test_weights_that_do_not_fit_the_network_are_refused(firm: Any, weights: bytes) -> None:
    plan = firm.plan(kind="training")
    said = answer(firm.nodes["risk"], firm.ask(plan, "round", "risk", payload=weights), NOW)
    assert said.code == "protocol_error"
    assert firm.traces("risk")[2] == 0.0


def test_a_department_without_clients_answers_with_noise(firm: Any) -> None:
    firm.levels = dict.fromkeys(firm.levels, 0)
    (count,) = ask_all(firm, firm.plan())
    assert within(count, np.zeros(3))
    plan = firm.plan(kind="training")
    assert np.isfinite(drive(train_model(firm.brief(plan)), firm.exchange).average()).all()


class _Broken:
    """A session whose failure quotes what it must not."""

    department = "risk"

    @property
    def public(self) -> bytes:
        msg = "CANARY-CL00001 owes 12345"
        raise RuntimeError(msg)


def test_an_unexpected_error_keeps_its_text_to_itself(firm: Any) -> None:
    plan = firm.plan()
    ask = firm.ask(plan, "tokens", "risk")
    node = firm.nodes["risk"]
    broken = type(node)(
        **{name: getattr(node, name) for name in node.__slots__} | {"session": _Broken()}
    )
    said = answer(broken, ask, NOW)
    assert (said.code, said.text) == ("internal_error", "the node's own log has the details")
    log = (firm.folder / "risk" / "state" / "node.log").read_text()
    assert "RuntimeError" in log
    assert "CANARY" not in log + repr(said)


def test_the_canary_leaves_in_no_answer_log_error_or_repr(make_firm: Any) -> None:
    canary = "CANARY7701"
    firm = make_firm()
    marked = {
        canary if client == "CL00004" else client: row | {"income": 7701.25}
        for client, row in firm.rows["risk"].items()
    }
    firm.levels = {canary: 4} | dict.fromkeys(firm.levels, 4)
    firm.write("risk", marked)
    plan, training = firm.plan(statistics=MEAN_INCOME), firm.plan(kind="training")
    heard: list[Answer] = []

    def exchange(leg: Any) -> Any:
        answers = firm.exchange(leg)
        heard.extend(answers.values())
        return answers

    drive(ask_question(firm.brief(plan)), exchange)
    drive(train_model(firm.brief(training)), exchange)
    firm.write("risk", {canary: next(iter(marked.values())) | {"education": canary}})
    broken = firm.plan(by=("education",), owned=False)
    heard.append(answer(firm.nodes["risk"], firm.ask(broken, "sum", "risk"), NOW))
    assert heard[-1].code == "records_unavailable"
    state = firm.folder / "risk" / "state"
    written = b"".join(path.read_bytes() for path in state.iterdir())
    seen = written + repr((heard, firm.nodes["risk"], firm.nodes["risk"].memory)).encode()
    assert canary.encode() not in seen
    assert b"7701.25" not in seen
    assert all(canary.encode() not in said.payload for said in heard)
