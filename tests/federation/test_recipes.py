"""Recipes: a plan that names neither rounds nor steps gets them, by public facts alone."""

from typing import Any, Literal

import pytest

from federation.errors import PlanInvalid
from federation.recipes import LARGE, SMALL, recipe, with_recipe
from federation.training_plan import TrainingPlan

TRAINING = {
    "kind": "training",
    "catalogue": "ab" * 32,
    "purpose": "review",
    "cohort": ("advisory", "risk"),
    "rho": 0.1,
    "reason": "a test",
    "target": "prefers",
    "features": ("age",),
}


@pytest.mark.parametrize("clients", [1, SMALL - 1, SMALL, LARGE - 1, LARGE, 10**8])
@pytest.mark.parametrize("hidden", [(), (64, 32)])
@pytest.mark.parametrize("noise", ["local", "shared"])
def test_every_recipe_is_a_plan(clients: int, hidden: tuple[int, ...], noise: str) -> None:
    request = TRAINING | {"clients": clients, "hidden": hidden, "noise": noise}
    plan = TrainingPlan.model_validate(with_recipe(request))
    assert plan.rounds * plan.local_steps >= 40
    assert bool(plan.linear_rounds) == bool(hidden)


def network_of(**changes: Any) -> TrainingPlan:
    request = TRAINING | {"hidden": (64, 32), "owned": True, "clients": 25_000} | changes
    return TrainingPlan.model_validate(with_recipe(request))


@pytest.mark.parametrize("noise", ["local", "shared"])
def test_a_network_stays_linear_where_noise_drowns_what_its_layers_learn(noise: str) -> None:
    drowned = network_of(rho=0.004, noise=noise)
    linear = network_of(rho=0.004, noise=noise, hidden=())
    assert drowned.linear_rounds == drowned.rounds == linear.rounds
    assert drowned.local_steps == linear.local_steps
    assert drowned.rate_of(0) == linear.rate_of(0)
    assert [drowned.keeps(n) for n in range(drowned.rounds)] == [
        linear.keeps(n) for n in range(linear.rounds)
    ]
    heard = network_of(rho=0.02, noise=noise)
    assert heard.linear_rounds < heard.rounds


def test_a_client_of_several_departments_leaves_each_of_them_less() -> None:
    assert network_of(rho=0.01).linear_rounds < network_of(rho=0.01).rounds
    shared = network_of(rho=0.01, owned=False)
    assert shared.linear_rounds == shared.rounds


def test_more_clients_afford_at_least_as_many_steps() -> None:
    def steps(clients: int, *, network: bool, noise: Literal["local", "shared"]) -> float:
        found = recipe(clients=clients, network=network, noise=noise, rho=0.1)
        return found["rounds"] * found["local_steps"]

    for network in (True, False):
        for noise in ("local", "shared"):
            sizes = (SMALL - 1, SMALL, LARGE)
            found = [steps(n, network=network, noise=noise) for n in sizes]  # type: ignore[arg-type] # a literal of the tuple above
            assert found == sorted(found)


def test_what_a_request_names_stays() -> None:
    assert with_recipe(TRAINING | {"learning_rate": 0.25})["learning_rate"] == 0.25
    named = TRAINING | {"rounds": 2, "local_steps": 3}
    assert with_recipe(named | {"clients": 5}) == named


def test_a_question_has_no_recipe() -> None:
    assert with_recipe({"kind": "question", "rho": 1.0}) == {"kind": "question", "rho": 1.0}


@pytest.mark.parametrize("clients", [0, -5, 2.5, "many", True])
def test_a_number_of_clients_that_is_none_is_refused(clients: Any) -> None:
    with pytest.raises(PlanInvalid, match="clients"):
        with_recipe(TRAINING | {"clients": clients})
