"""A firm of canaries, each with a coordinate of its own, and what an attacker can see of them.

The audit is one run in GDP form (Steinke, Nasr, Jagielski 2023, for the one run; Nasr et al. 2023,
for mu): half of m canaries are in. An attacker's score of each is its effect, if it is in, plus
Gaussian noise, and mu-hat = (mean inside - mean outside) / deviation estimates what one client
adds. A release that is rho-zCDP by Gaussian noise promises mu = sqrt(2 rho).

Everything goes through the nodes' own door, alignment, masks and journeys. A sabotage replaces one
thing behind a door: the plan a node believes, a sum before its noise, or where noise comes from.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import SystemRandom
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats

from consent.catalogue import load_catalogue
from federation import layout, training_layout
from federation.deployment.enrolment import enrol
from federation.evaluation_plan import EvaluationPlan
from federation.messages import Answer, Ask
from federation.node.admission import admit
from federation.node.answer import _masked, answer
from federation.node.evaluation_task import evaluation_sum, noised_scores
from federation.node.node import Node
from federation.node.question_task import noised_sums, question_sums
from federation.node.training_task import training_rows, training_share
from federation.plans import AnyPlan
from federation.question_journey import ask_question
from federation.question_plan import QuestionPlan
from federation.rounds import Leg, drive, noised_sum
from federation.training_journey import train_model
from federation.training_plan import TrainingPlan
from federation.updates import gradient_size, update_size
from privacy.bounds import BoundedSum
from privacy.lattice import IntVector
from privacy.mechanisms import draw_noise
from privacy.noise_shares import Noise
from tests.federation.conftest import DEPARTMENTS, NOW, VIEW, Firm, node_toml

ALPHA = 1e-9
CANARIES = 4000
SIDE = 64
SPOTS = 4
PER_SPOT = CANARIES // SPOTS
COLLUDER = "advisory"

Plan = AnyPlan
Scores = npt.NDArray[np.float64]

CATALOGUE = """
name = "canaries"
departments = ["advisory", "research", "risk"]
[[purposes]]
name = "review"
title = "review"
"""
POLICY = """
kinds = ["question", "training", "evaluation"]
max_rho = 100.0
delta = 1e-6
lifetime_epsilon = 100.0
[purposes]
review = 100.0
"""


def _field(name: str, kind: str, rest: str) -> str:
    return f"""
[[fields]]
name = "{name}"
title = "{name}"
departments = ["advisory", "research", "risk"]
kind = "{kind}"
level = 1
purposes = ["review"]
{rest}
"""


def _catalogue() -> str:
    sides = [str(number) for number in range(SIDE)]
    spots = [str(number) for number in range(PER_SPOT)]
    fields = [_field(name, "category", f"categories = {sides}") for name in ("left", "right")]
    fields += [_field(f"spot_{n}", "category", f"categories = {spots}") for n in range(SPOTS)]
    fields.append(_field("amount", "number", "lower = 0.0\nupper = 8.0"))
    fields += [_field(name, "flag", "") for name in ("answer", "odd")]
    return CATALOGUE + "".join(fields)


def _row(canary: int) -> dict[str, Any]:
    """Put a canary in a cell of its own, on an input of its own, at the upper bound."""
    spots = dict.fromkeys(f"spot_{number}" for number in range(SPOTS))
    spots[f"spot_{canary // PER_SPOT}"] = str(canary % PER_SPOT)
    left, right = divmod(canary, SIDE)
    cell = {"left": str(left), "right": str(right), "odd": right % 2 == 1}
    return spots | cell | {"amount": 99.0, "answer": True}


def found(folder: Path) -> tuple[Firm, npt.NDArray[np.bool_]]:
    """Found the firm; return it, and which of the canaries are in, at all three departments."""
    inside = np.zeros(CANARIES, np.bool_)
    inside[SystemRandom().sample(range(CANARIES), CANARIES // 2)] = True
    rows = {f"CL{canary:05d}": _row(int(canary)) for canary in np.flatnonzero(inside)}
    enrolment = enrol(
        "canaries", DEPARTMENTS, folder / "keys", now=datetime.fromtimestamp(NOW, UTC)
    )
    (folder / "catalogue.toml").write_text(_catalogue())
    firm = Firm(
        folder=folder,
        enrolment=enrolment,
        catalogue=load_catalogue(folder / "catalogue.toml"),
        rows=dict.fromkeys(DEPARTMENTS, rows),
        levels={},
    )
    for department in DEPARTMENTS:
        home = folder / department
        (home / "data").mkdir(parents=True)
        (home / "view.sql").write_text(VIEW)
        (home / "policy.toml").write_text(POLICY)
        (home / "node.toml").write_text(node_toml(department, enrolment))
        firm.write(department, rows)
    return firm, inside


def renewed(firm: Firm) -> Firm:
    """Give every node a new ledger and journal, and every canary that is in its authorization."""
    firm.levels = dict.fromkeys(firm.rows[COLLUDER], 4)
    for department in DEPARTMENTS:
        shutil.rmtree(firm.folder / department / "state", ignore_errors=True)
        firm.open(department)
    return firm


def all_withdraw(firm: Firm) -> None:
    """Let every client withdraw."""
    firm.levels = dict.fromkeys(firm.levels, 0)
    firm.epoch += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """What is broken behind the doors; nothing, if nothing is said.

    plan: what every node believes it was asked. sums: what every node does to a sum before noise.
    noise: where a department's noise comes from.
    """

    plan: Callable[[Plan], Plan] | None = None
    sums: Callable[[BoundedSum], BoundedSum] | None = None
    noise: Mapping[str, Noise] = field(default_factory=dict)


HONEST = Sabotage()


@dataclass(slots=True)
class Recorded:
    """A colluder's noise: it keeps a copy of what it added."""

    source: Noise = draw_noise
    drawn: list[IntVector] = field(default_factory=list)

    def __call__(self, sigma: int, size: int) -> IntVector:
        self.drawn.append(self.source(sigma, size))
        return self.drawn[-1]


def _answered(node: Node, ask: Ask, sabotage: Sabotage) -> Answer:
    if ask.leg not in ("sum", "round") or not (sabotage.plan or sabotage.sums):
        return answer(node, ask, NOW)
    admitted = admit(node, ask, NOW)
    plan = sabotage.plan(admitted.plan) if sabotage.plan else admitted.plan
    admitted = replace(admitted, plan=plan)
    if isinstance(plan, QuestionPlan):
        sums = question_sums(node, admitted, plan, ask.payload)
        shares = noised_sums(node, plan, tuple(map(sabotage.sums or (lambda s: s), sums)))
    elif isinstance(plan, EvaluationPlan):
        counts = evaluation_sum(node, admitted, plan, ask.payload)
        shares = (noised_scores(node, plan, (sabotage.sums or (lambda s: s))(counts)),)
    else:
        rows = training_rows(node, admitted, plan, ask.payload)
        shares = (training_share(node, admitted, plan, rows),)
    masked = _masked(node, admitted, shares)
    return Answer(
        leg=ask.leg,
        department=node.department,
        epoch=admitted.permit.epoch,
        payload=b"".join(vector.values.astype("<u8").tobytes() for vector in masked),
        agreement=masked[0].agreement,
    )


def exchange_of(firm: Firm, sabotage: Sabotage, heard: list[Mapping[str, Answer]]) -> Any:
    """Return what carries a leg to the nodes, one of them perhaps sabotaged, and keeps answers."""
    nodes = {
        name: replace(node, noise=sabotage.noise.get(name, node.noise))
        for name, node in firm.nodes.items()
    }

    def exchange(leg: Leg) -> Mapping[str, Answer]:
        heard.append({d: _answered(nodes[d], ask, sabotage) for d, ask in leg.asks.items()})
        return heard[-1]

    return exchange


def question_scores(
    firm: Firm, plan: Plan, *, attempt: int, sabotage: Sabotage = HONEST
) -> list[Scores]:
    """Ask; return what the coordinator and the colluder together know of each block's canaries."""
    assert isinstance(plan, QuestionPlan)
    colluder = Recorded(sabotage.noise.get(COLLUDER, draw_noise))
    sabotage = replace(sabotage, noise={**sabotage.noise, COLLUDER: colluder})
    brief = firm.brief(plan, attempt=attempt)
    if sabotage.plan:
        brief = replace(brief, plan=sabotage.plan(plan))
    releases = drive(ask_question(brief), exchange_of(firm, sabotage, []))
    blocks = layout.question_blocks(brief.plan, firm.catalogue)
    return [
        (np.rint(release.values * block.scale) - drawn)[:CANARIES]
        for release, block, drawn in zip(releases, blocks, colluder.drawn, strict=True)
    ]


def training_scores(firm: Firm, plan: Plan, *, attempt: int, sabotage: Sabotage = HONEST) -> Scores:
    """Train one step; return the sum of the departments' noised gradients on the canaries' inputs.

    A canary's gradient has half its squared norm on its own input and half on the bias, which all
    share: the attacker reads its own input only.
    """
    assert isinstance(plan, TrainingPlan)
    brief, heard = firm.brief(plan, attempt=attempt), []
    drive(train_model(brief), exchange_of(firm, sabotage, heard))
    size = update_size(training_layout.architecture_of(plan, firm.catalogue))
    return noised_sum(brief, 0, heard[-1], size=size)[:CANARIES].astype(np.float64)


def gradient_scores(firm: Firm, plan: Plan, *, attempt: int, sabotage: Sabotage = HONEST) -> Scores:
    """Take one step with shared noise; return what the coordinator and the colluder know of it."""
    assert isinstance(plan, TrainingPlan)
    colluder = Recorded(sabotage.noise.get(COLLUDER, draw_noise))
    sabotage = replace(sabotage, noise={**sabotage.noise, COLLUDER: colluder})
    brief, heard = firm.brief(plan, attempt=attempt), []
    drive(train_model(brief), exchange_of(firm, sabotage, heard))
    size = gradient_size(training_layout.architecture_of(plan, firm.catalogue), plan.cohort)
    total = noised_sum(brief, 0, heard[-1], size=size)
    return (colluder.drawn[0] - total)[:CANARIES].astype(np.float64)  # a gradient points down


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was promised and measured, and the mu-hat that an honest release passes once in 1e9."""

    promised: float
    measured: float
    threshold: float

    @property
    def leaks(self) -> bool:
        """Whether the release tells more of a client than it promises."""
        return self.measured > self.threshold


def audit(scores: Scores, inside: npt.NDArray[np.bool_], *, promised: float) -> Audit:
    """Estimate mu from scores, and compare it with a promise by a t test at ALPHA.

    With scores normal and of one variance, mu-hat sqrt(m_in m_out / m) has the noncentral t law
    with m - 2 degrees of freedom; its noncentrality is at most promised sqrt(m_in m_out / m).
    """
    among, others = scores[inside], scores[~inside]
    free = scores.size - 2
    spread = math.sqrt((among.var() * among.size + others.var() * others.size) / free)
    root = math.sqrt(among.size * others.size / scores.size)
    threshold = float(scipy.stats.nct.isf(ALPHA, free, promised * root)) / root
    difference = float(among.mean() - others.mean())
    measured = difference / spread if spread else math.copysign(math.inf, difference)
    return Audit(promised=promised, measured=measured, threshold=threshold)
