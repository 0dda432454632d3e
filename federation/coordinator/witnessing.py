"""Offering the log's checkpoints to the departments, without a leg of their own in any plan's way.

An offer rides on a hello, when no run waits. A department that refuses one goes on answering plans:
its refusal is kept, logged and shown, for people to act on.
"""

from collections.abc import Mapping

import structlog

from consent.checkpoints import open_checkpoint
from consent.errors import ConsentError
from consent.log_errors import CheckpointInvalid
from federation.coordinator.evidence_log import Evidence
from federation.coordinator.witness_book import Heard
from federation.messages import Answer, Ask
from federation.witness import accepted, log_key, offer_of, pack_offer, read_offer, witness_keys

MISPLACED = "proof_misplaced"
"""The code of a refusal that only says where the proof must start; the next offer starts there."""

_log = structlog.get_logger(__name__)


def hello_with_offer(evidence: Evidence, *, witnessed: int | None) -> Ask:
    """Return a hello that offers the newest checkpoint to a department, if it is new to it.

    Args:
        evidence: whose log.
        witnessed: the size the department cosigned last, or None if it has not been heard of.
    """
    offered = newest(evidence)
    if offered is None or witnessed is None or witnessed == offered[0]:
        return Ask(leg="hello")
    size, note = offered
    try:
        offer = offer_of(evidence.log, note, size, old=min(witnessed, size))
    except ConsentError:  # the log's tree is damaged: the health page says so, the plan goes on
        return Ask(leg="hello")
    return Ask(leg="hello", payload=pack_offer(offer))


def newest(evidence: Evidence) -> tuple[int, str] | None:
    """Return the size and the note of the newest checkpoint, without cosignatures, if any."""
    notes = evidence.log.checkpoints(newest=1)
    if not notes:
        return None
    key = log_key(evidence.roster)
    tree = open_checkpoint(notes[0], key).checkpoint
    head, _, lines = notes[0].partition("\n\n")
    own = [line for line in lines.splitlines() if line.startswith(f"\N{EM DASH} {key.name} ")]
    return tree.size, f"{head}\n\n" + "".join(f"{line}\n" for line in own)


def keep_answers(
    evidence: Evidence, asks: Mapping[str, Ask], answers: Mapping[str, Answer], *, now: int
) -> None:
    """Keep the cosignatures, and the refusals, that came back for the offers in these hellos.

    Args:
        evidence: whose log and book of witnesses.
        asks: by department, as they were sent.
        answers: as they arrived; not trusted.
        now: seconds since the Unix epoch.
    """
    for department, answer in answers.items():
        if answer.code != "ok" or not asks[department].payload or answer.text == MISPLACED:
            continue
        refusal, size = answer.text[:64], max(answer.witnessed, 0)
        if not refusal:
            note = read_offer(asks[department].payload).note
            try:
                size = _keep_cosignature(evidence, department, note, answer.payload)
            except CheckpointInvalid:
                refusal = "cosignature_invalid"
        if refusal:
            _log.warning("a witness refused the log", department=department, refusal=refusal)
        evidence.witnesses.keep(Heard(department=department, size=size, refusal=refusal, at=now))


def _keep_cosignature(evidence: Evidence, department: str, note: str, line: bytes) -> int:
    key, witness = log_key(evidence.roster), witness_keys(evidence.roster)[department]
    text = line.decode("utf-8", errors="replace")
    cosignature = accepted(note, text, log=key, witness=witness)
    size = open_checkpoint(note, key).checkpoint.size
    evidence.log.keep_cosignature(size, witness.name, cosignature.line)
    return size
