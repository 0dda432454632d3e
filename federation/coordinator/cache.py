"""What an answer is named by, and which stored answer stands for a plan now.

A run is named by its question and attempt, and a question by the plan without its reason, the
consent epoch, and its grounds: the policy and the departments' data epochs. Equal names, equal
answers: whoever asks again is told what was released, at no cost.
"""

from hashlib import sha256
from typing import Any

import rfc8785

from federation.coordinator.data_epochs import DataEpochs
from federation.coordinator.policy import Policy
from federation.coordinator.runs import Run, Runs
from federation.plans import AnyPlan


def grounds_of(plan: AnyPlan, policy: Policy, epochs: DataEpochs) -> str:
    """Name what a plan's answer stands on beside consent: the policy and its cohort's data.

    A department that has announced no data epoch yet stands in it as unknown.
    """
    known = epochs.all()
    data = {department: known.get(department, "") for department in plan.cohort}
    body = {"policy": policy.model_dump(mode="json"), "data": data}
    return sha256(rfc8785.dumps(body)).hexdigest()


def question_name(plan: AnyPlan, epoch: int, grounds: str) -> str:
    """Name what is asked, whoever asks and why: the plan without its reason, on its grounds."""
    body = plan.model_copy(update={"reason": "-"}).model_dump(mode="json")
    return question_name_of(body, epoch, grounds)


def question_name_of(body: dict[str, Any], epoch: int, grounds: str) -> str:
    """Name a question by its plan's JSON, whose reason is "-"."""
    asked: dict[str, Any] = {"plan": body, "epoch": epoch, "grounds": grounds}
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


def standing_run(plan: AnyPlan, runs: Runs, *, epochs: list[int], grounds: str) -> Run | None:
    """Return the run that answers an equal question for free now, if there is one."""
    for each in epochs:
        if (found := runs.answering(question_name(plan, each, grounds))) is not None:
            return found
    return None
