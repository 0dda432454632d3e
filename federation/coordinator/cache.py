"""What an answer is named by, and which stored answer stands for a plan now.

A run is named by its question and attempt, and a question by the plan without its reason, the
consent epoch and the policy. Its answer stands while the departments' data epochs are the ones it
was released from: whoever asks again is told what was released, at no cost.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import rfc8785

from federation.coordinator.policy import Policy
from federation.coordinator.runs import Run, Runs, RunState
from federation.plans import AnyPlan


def name_of_policy(policy: Policy) -> str:
    """Name a policy by its digest."""
    return sha256(rfc8785.dumps(policy.model_dump(mode="json"))).hexdigest()


def question_name(plan: AnyPlan, epoch: int, policy: str) -> str:
    """Name what is asked, whoever asks and why: the plan without its reason, under one policy."""
    body = plan.model_copy(update={"reason": "-"}).model_dump(mode="json")
    return question_name_of(body, epoch, policy)


def question_name_of(body: dict[str, Any], epoch: int, policy: str) -> str:
    """Name a question by its plan's JSON, whose reason is "-"."""
    asked: dict[str, Any] = {"plan": body, "epoch": epoch, "policy": policy}
    return sha256(rfc8785.dumps(asked)).hexdigest()


def run_name(question: str, attempt: int) -> str:
    """Name a run by its question and attempt: whoever holds the plan can check the name."""
    return sha256(f"{question} {attempt}".encode()).hexdigest()[:16]


def standing_epochs(runs: Runs, *, epoch: int, span: int, at: int) -> list[int]:
    """Return the consent epochs whose answers stand now, the newest first.

    The newest, and those in which plans came in since the current span of ``answers_stand_s``
    began: then whether an answer is free does not depend on who changed what.
    """
    earlier = runs.epochs_since(at - at % span) if span else []
    return list(dict.fromkeys([epoch, *earlier]))


def standing_run(
    plan: AnyPlan, runs: Runs, *, epochs: list[int], policy: str, data: Mapping[str, str]
) -> Run | None:
    """Return the run that answers an equal question for free now, if there is one.

    Args:
        plan: what is asked.
        runs: where answers are.
        epochs: of consent, whose answers stand.
        policy: the name of the one in force.
        data: each department's data epoch, as it announced it last. A released run stands while
            those of its cohort are what they were when it was carried out.
    """
    for each in epochs:
        for run in runs.answering(question_name(plan, each, policy)):
            if run.state is not RunState.RELEASED or of_this_data(run, plan, data):
                return run
    return None


def of_this_data(run: Run, plan: AnyPlan, data: Mapping[str, str]) -> bool:
    """Say whether a released run was answered from the data that a plan's cohort has now."""
    now = {department: data.get(department, "") for department in plan.cohort}
    return (run.data or dict.fromkeys(plan.cohort, "")) == now
