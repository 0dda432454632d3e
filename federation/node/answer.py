"""One leg at a department, from the Ask to the Answer: the only door of a node.

hello: consent is brought up to date; the session's announcement, the consent epoch, a witness's
word. Every other leg: admit →
open and sum → noise → mask → write down what leaves → commit the department's own ledger → Answer.
A refusal before noise is drawn gives the reservation back; after that it stays spent.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from consent.errors import ConsentError
from federation.cube_plan import CubePlan
from federation.errors import FederationError
from federation.evaluation_plan import EvaluationPlan
from federation.messages import Answer, Ask
from federation.node.admission import Admitted, admit, take_epoch
from federation.node.cube_task import cube_matrices, cube_share, cube_tokens, noised_cube_share
from federation.node.data_epoch import data_epoch
from federation.node.evaluation_task import evaluation_sum, evaluation_tokens, noised_scores
from federation.node.log import places
from federation.node.node import Node
from federation.node.opening import opened
from federation.node.question_task import noised_sums, question_sums, question_tokens
from federation.node.training_task import training_rows, training_share, training_tokens
from federation.node.witnessing import said
from federation.question_plan import QuestionPlan
from federation.run_permit import FREE
from federation.secure_aggregation.protocol import MaskedVector, masked_share
from federation.training_plan import TrainingPlan
from models.errors import ModelError
from privacy.errors import LedgerConflict, PrivacyError
from privacy.mechanisms import NoisedShare

_REFUSALS = (FederationError, ConsentError, PrivacyError, ModelError)
INTERNAL_ERROR = "internal_error"


def answer(node: Node, ask: Ask, now: int) -> Answer:
    """Answer one leg; never raises, and never lets the text of an unexpected error out.

    Args:
        node: the department's.
        ask: as it arrived; not trusted.
        now: seconds since the Unix epoch.

    Returns:
        code "ok"; or a typed refusal's name in snake_case with what to do; or "internal_error".
    """
    try:
        with node.refill.held_off():
            done = _greeting(node, ask, now) if ask.leg == "hello" else _carried_out(node, ask, now)
    except _REFUSALS as refusal:
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(refusal).__name__).lower()
        node.log.info("refused", leg=ask.leg, code=code)
        return _refused(node, ask, code, str(refusal))
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a row
        kind, where = type(error).__name__, places(error.__traceback__)
        node.log.error("failed", leg=ask.leg, kind=kind, where=where)  # noqa: TRY400 - no text
        return _refused(node, ask, INTERNAL_ERROR, "the node's own log has the details")
    node.log.info("answered", leg=ask.leg, epoch=done.epoch)
    return done


def _greeting(node: Node, ask: Ask, now: int) -> Answer:
    take_epoch(node, ask)
    word = said(node.witness, ask.payload, now)
    if word.refusal:
        node.log.error("the log was not cosigned", code=word.refusal)
    return Answer(
        leg="hello",
        department=node.department,
        epoch=node.memory.snapshot.epoch,
        announcement=node.announcement,
        text=word.refusal,
        payload=word.line.encode(),
        witnessed=word.size,
        data=data_epoch(node.source, node.data_key),
    )


def _refused(node: Node, ask: Ask, code: str, text: str) -> Answer:
    epoch = node.memory.snapshot.epoch
    return Answer(leg=ask.leg, department=node.department, code=code, text=text, epoch=epoch)


def _carried_out(node: Node, ask: Ask, now: int) -> Answer:
    admitted = admit(node, ask, now)
    if ask.leg in FREE:
        return _free(node, admitted, ask.payload, now)
    with _given_back_if_refused(node, admitted, now):
        draw = _prepared(node, admitted, ask.payload)
    masked = _masked(node, admitted, draw())
    payload = b"".join(vector.values.astype("<u8").tobytes() for vector in masked)
    node.journal.record(admitted.run, at=now, size=len(payload), epoch=admitted.permit.epoch)
    node.ledger.commit(admitted.request, datetime.fromtimestamp(now, UTC))
    return _answer(node, admitted, payload, agreement=masked[0].agreement)


def _masked(
    node: Node, admitted: Admitted, shares: Sequence[NoisedShare]
) -> tuple[MaskedVector, ...]:
    """Mask each share under a round of its own, from the leg's round on.

    A training round has one share. A question has one per block and one round, 0: its blocks are
    masked as rounds 0, 1, …, so that no mask is used for two of them.
    """
    cohort = admitted.plan.cohort
    return tuple(
        masked_share(
            share,
            session=node.session,
            announcements=[a for a in admitted.announcements if a.department in cohort],
            roster=node.roster,
            plan=bytes.fromhex(admitted.run.plan),
            attempt=admitted.run.attempt,
            round=number,
            cohort=cohort,
        )
        for number, share in enumerate(shares, start=admitted.run.round)
    )


def _free(node: Node, admitted: Admitted, ask_payload: bytes, now: int) -> Answer:
    """Open the rows, so that what cannot be read is refused for nothing; send what is asked."""
    plan, payload = admitted.plan, b""
    match plan:
        case QuestionPlan(short=str()):
            pass  # who is short stands in the consent snapshot
        case QuestionPlan(owned=True):
            payload = question_tokens(node, admitted, plan)
        case TrainingPlan():
            payload = training_tokens(node, admitted, plan)
        case CubePlan() if admitted.run.leg == "tokens":
            payload = cube_tokens(node, admitted, plan)
        case CubePlan():
            payload = cube_matrices(node, admitted, plan, ask_payload)
        case EvaluationPlan():
            payload = evaluation_tokens(node, admitted, plan)
        case _:
            opened(node, admitted)
    node.journal.record(admitted.run, at=now, size=len(payload), epoch=admitted.permit.epoch)
    return _answer(node, admitted, payload)


def _prepared(
    node: Node, admitted: Admitted, payload: bytes
) -> Callable[[], Sequence[NoisedShare]]:
    """Open the rows and bound the sums; what is returned draws the noise."""
    match admitted.plan:
        case QuestionPlan() as question:
            sums = question_sums(node, admitted, question, payload)
            return lambda: noised_sums(node, question, sums)
        case TrainingPlan() as training:
            rows = training_rows(node, admitted, training, payload)
            return lambda: (training_share(node, admitted, training, rows),)
        case CubePlan() as cube:
            share = cube_share(node, admitted, cube, payload)
            return lambda: (noised_cube_share(node, cube, share),)
        case EvaluationPlan() as evaluation:
            counts = evaluation_sum(node, admitted, evaluation, payload)
            return lambda: (noised_scores(node, evaluation, counts),)


@contextmanager
def _given_back_if_refused(node: Node, admitted: Admitted, now: int) -> Iterator[None]:
    """Free the reservation if this block refuses, unless an earlier round has spent it."""
    try:
        yield
    except _REFUSALS:
        with suppress(LedgerConflict):  # an earlier round has spent it
            node.ledger.abandon(admitted.request, datetime.fromtimestamp(now, UTC))
        raise


def _answer(node: Node, admitted: Admitted, payload: bytes, *, agreement: bytes = b"") -> Answer:
    return Answer(
        leg=admitted.run.leg,
        department=node.department,
        epoch=admitted.permit.epoch,
        payload=payload,
        agreement=agreement,
    )
