"""Every tensor that leaves a node for a plan: how long, what it holds, how clipped, how noised.

Everything here follows from the plan and the catalogue, which are public, so a department can read
it before it agrees. No function sees a row.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from consent.catalogue import Catalogue
from federation import cube_layout, layout, training_layout, updates
from federation.alignment import TOKEN_BYTES
from federation.cube_plan import CubePlan
from federation.evaluation_layout import evaluation_tables
from federation.evaluation_plan import EvaluationPlan
from federation.layout import Block
from federation.plans import AnyPlan
from federation.question_plan import QuestionPlan
from federation.statistics.summands import Clients
from federation.training_plan import TrainingPlan
from models.architectures import size
from privacy.bounds import bounded_gradient
from privacy.lattice import REAL_SCALE
from privacy.loss import Rho
from privacy.noise_shares import least_sigma, share_sigma, sigma_class
from privacy.units import ContributionBound

NUMBER_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One thing that leaves a node. Public.

    Attributes:
        leg: of the plan.
        first, last: the rounds of the leg in which it leaves.
        name: what it is called.
        length: how many items it has; None if it depends on the department's clients.
        item_bytes: of one item.
        holds: in words.
        clip: what one client may add at most, in words; "" if nothing is added up.
        unit: of the noise.
        noise_of_share: standard deviation of the noise this node adds; None if none is in it.
        noise_of_sum: of the noise in the sum of the cohort.
    """

    leg: str
    first: int
    last: int
    name: str
    length: int | None
    item_bytes: int
    holds: str
    clip: str = ""
    unit: str = ""
    noise_of_share: float | None = None
    noise_of_sum: float | None = None

    @property
    def bytes(self) -> int | None:
        """Bytes each time it leaves; None if that depends on the department's clients."""
        return None if self.length is None else self.length * self.item_bytes


_TOKENS = Tensor(
    leg="tokens",
    first=0,
    last=0,
    name="tokens",
    length=None,
    item_bytes=TOKEN_BYTES,
    holds="a keyed token of each client that counts here, in the order of the tokens; the "
    "coordinator has no key to them and sees only which are equal, and how many",
)
_TOKENS_IF = {True: (_TOKENS,), False: ()}


def tensors(plan: AnyPlan, catalogue: Catalogue, department: str) -> tuple[Tensor, ...]:
    """Return everything that leaves one department's node for a plan, in the order of the legs.

    Beside it every leg's answer holds the department's name, its consent epoch, a code, and 32
    bytes that name the keys behind the masks.

    Args:
        plan: that ``plan_check.check`` lets pass.
        catalogue: that the plan names.
        department: one of the plan's parties.

    Raises:
        PlanInvalid, UnknownField, ModelError, NoiseTooSmall: as plan_check.
    """
    match plan:
        case QuestionPlan():
            return (*_TOKENS_IF[plan.owned], *_question(plan, catalogue))
        case TrainingPlan():
            return (*_TOKENS_IF[plan.owned], *_training(plan, catalogue))
        case EvaluationPlan():
            return (*_TOKENS_IF[plan.owned], _scores(plan, catalogue))
        case CubePlan():
            return tuple(_cube(plan, catalogue, department))


def _question(plan: QuestionPlan, catalogue: Catalogue) -> Iterator[Tensor]:
    for block in layout.question_blocks(plan, catalogue):
        sigma = share_sigma(
            sensitivity=block.sensitivity,
            rho=block.rho,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
        )
        noise = sigma / block.scale * block.half_width
        yield Tensor(
            leg="sum",
            first=0,
            last=0,
            name=block.name,
            length=block.size,
            item_bytes=NUMBER_BYTES,
            holds="for each cell, the clients in it" if _counts(block) else "a total for each cell",
            clip=_clip(block),
            unit="clients" if _counts(block) else block.field or "of one client's most",
            noise_of_share=noise,
            noise_of_sum=noise * math.sqrt(len(plan.cohort)),
        )


def _counts(block: Block) -> bool:
    return isinstance(block.summand, Clients)


def _clip(block: Block) -> str:
    if _counts(block):
        return "1 a client"
    if block.field is None:
        return "within −1 and 1 a client"
    lower, upper = block.center - block.half_width, block.center + block.half_width
    return f"{lower:g} to {upper:g} a client"


def _scores(plan: EvaluationPlan, catalogue: Catalogue) -> Tensor:
    tables = evaluation_tables(plan, catalogue)
    many = len(tables.shapes)
    clip = "1 a client" + (f" in each of {many} tables" if many > 1 else "")
    sigma = share_sigma(
        sensitivity=tables.sensitivity,
        rho=Rho(plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
    return Tensor(
        leg="sum",
        first=0,
        last=0,
        name="influences" if plan.explain else "scores",
        length=tables.size,
        item_bytes=NUMBER_BYTES,
        holds="by group, how far each field moves the scores, and the clients"
        if plan.explain
        else "the clients by group, label and prediction; no prediction for a client",
        clip=f"L2 norm {plan.joint_norm:g} a client" if plan.explain else clip,
        unit="of the model's output" if plan.explain else "clients",
        noise_of_share=sigma / tables.scale,
        noise_of_sum=sigma / tables.scale * math.sqrt(len(plan.cohort)),
    )


def _training(plan: TrainingPlan, catalogue: Catalogue) -> Iterator[Tensor]:
    """One vector a round; the linear rounds' are those of the linear part of the model."""
    ends = sorted({plan.linear_rounds, plan.rounds} - {0})
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        architecture = training_layout.architecture_in(plan, catalogue, first)
        if plan.noise == "shared":
            length = updates.gradient_size(architecture, plan.cohort)
            norm, bound = plan.joint_norm, ContributionBound(plan.bound.departments)
            name = "gradient"
            holds = "the sum of the clients' clipped gradients, and their count"
        else:
            length = updates.update_size(architecture, personal=plan.personal)
            norm, bound = plan.clip_norm * plan.clients_per_household, ContributionBound(1)
            name = "update"
            holds = (
                f"weights after {plan.local_steps} noised local steps, each times the noisy count, "
                "then that count; noise is in every step's gradient"
            )
        noised = length if plan.noise == "shared" else size(architecture)
        share = _gradient_noise(plan, noised, norm, bound)
        yield Tensor(
            leg="round",
            first=first,
            last=end - 1,
            name=name,
            length=length,
            item_bytes=NUMBER_BYTES,
            holds=holds,
            clip=f"a gradient of norm {plan.clip_norm:g} a client",
            unit="of the gradient's sum",
            noise_of_share=share,
            noise_of_sum=share * math.sqrt(len(plan.cohort)),
        )


def _gradient_noise(
    plan: TrainingPlan, length: int, norm: float, bound: ContributionBound
) -> float:
    nobody = bounded_gradient(np.zeros(length), clip_norm=norm, unit=plan.unit, bound=bound)
    if plan.noise == "shared":
        sigma = share_sigma(
            sensitivity=nobody.sensitivity,
            rho=plan.rho_of_step,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
        )
    else:
        sigma = sigma_class(
            least_sigma(sensitivity=nobody.sensitivity, rho=plan.rho_of_step, honest=1)
        )
    return sigma / REAL_SCALE


def _cube(plan: CubePlan, catalogue: Catalogue, department: str) -> Iterator[Tensor]:
    found = cube_layout.cube_layout(plan, catalogue)
    supplies = department in plan.cohort
    if supplies:
        yield _TOKENS
    for part in range(len(plan.parts)):
        for recipient, size_of in found.envelopes(part, department).items():
            yield Tensor(
                leg="matrices",
                first=part,
                last=part,
                name=f"envelope to {recipient}",
                length=size_of,
                item_bytes=1,
                holds="a masked 0/1 matrix of the rows of this part, and corrections for others, "
                f"sealed so that only {recipient} can open it"
                if supplies
                else f"corrections for two others' product, sealed to {recipient}",
            )
    if supplies:
        yield Tensor(
            leg="shares",
            first=0,
            last=0,
            name="share of all tables",
            length=found.cells,
            item_bytes=NUMBER_BYTES,
            holds="this department's additive share of every two-way table, uniform by itself",
            clip=f"1 a client in each of {plan.tables} tables",
            unit="clients",
            noise_of_share=cube_layout.standard_error(plan) / math.sqrt(len(plan.cohort)),
            noise_of_sum=cube_layout.standard_error(plan),
        )
