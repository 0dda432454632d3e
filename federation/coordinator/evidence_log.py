"""The coordinator's pen: what it writes into the transparency log, and when.

Accepted plans, approvals, uses, releases, refusals, models' stages and collections become entries
that name no person: an asker or an approver is committed to under a salt that only the consent
service can make again. Consent changes are written by the register itself (`consent_log`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import Engine

from consent.catalogue import Catalogue
from consent.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent.commitments import commit
from consent.log_entries import (
    Approved,
    Collected,
    Entry,
    ModelStaged,
    PlanAccepted,
    Refused,
    Released,
    Used,
    encode,
)
from consent.log_export import export_log
from consent.log_store import Log, TreeHead
from consent.salt_store import Salts
from consent.store import Register
from federation.coordinator.consent_log import logging_changes
from federation.coordinator.epochs import ConsentKeys, load_consent_keys
from federation.coordinator.held_fields import HeldFields
from federation.coordinator.notice import Notice, load_notice
from federation.coordinator.registry import Stage, Version
from federation.coordinator.runs import Run
from federation.coordinator.settings import CoordinatorSettings
from federation.coordinator.witness_book import WitnessBook
from federation.derivation import derived_key
from federation.errors import SettingsInvalid
from federation.plans import AnyPlan, digest
from federation.roster import Roster, open_roster
from federation.witness import log_key, origin_of
from privacy.entries import Decided, Opinion

_STAFF = b"infosandbox/log-staff/v1"
_ERASED = b"infosandbox/erased-clients/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The transparency log with what it takes to write and to prove. Keys are hidden.

    salts: what opens the log's commitments to clients (sensitive). witnesses: what the departments
    have cosigned or refused. notice: what receipts tell of the processing.
    """

    roster: Roster
    notice: Notice
    log: Log = field(repr=False)
    salts: Salts = field(repr=False)
    witnesses: WitnessBook = field(repr=False)
    keys: ConsentKeys = field(repr=False)


def open_evidence(settings: CoordinatorSettings, engine: Engine) -> Evidence:
    """Open the log in the coordinator's database, with the consent service's keys.

    Raises:
        SettingsInvalid: a key or the notice is missing; names the file.
        WrongSignature, ProtocolError: the roster is not the one the firm's root key signed.
    """
    roster = pinned_roster(settings.consent_keys)
    return Evidence(
        roster=roster,
        notice=load_notice(settings.notice),
        log=Log(engine),
        salts=Salts(engine),
        witnesses=WitnessBook(engine),
        keys=load_consent_keys(settings.consent_keys, roster.names),
    )


def pinned_roster(folder: Path) -> Roster:
    """Read the signed roster beside the pinned root key.

    Raises:
        SettingsInvalid: a file is missing or no key; names it.
        WrongSignature, ProtocolError: by the roster.
    """
    path = folder / "root.pub"
    try:
        root = load_pem_public_key(path.read_bytes())
        signed = (folder / "roster.signed").read_bytes()
    except (OSError, ValueError) as error:
        raise SettingsInvalid(str(folder), "lacks root.pub or roster.signed") from error
    if not isinstance(root, Ed25519PublicKey):
        raise SettingsInvalid(str(path), "is not an Ed25519 public key")
    return open_roster(signed, root)


def open_register(engine: Engine, evidence: Evidence) -> Register:
    """Open the consent register so that every event is logged with it, or neither is written."""
    within = logging_changes(evidence.log, evidence.salts, evidence.keys.receipts)
    key = derived_key(evidence.keys.receipts, label=_ERASED, context=())
    return Register(engine, within=within, key=key)


def log_collections(evidence: Evidence, catalogue: Catalogue, engine: Engine, *, at: int) -> None:
    """Log which fields each department holds under this catalogue, once for each catalogue."""
    name = catalogue.digest()
    held = {
        d: tuple(f.name for f in catalogue.fields if d in f.departments)
        for d in catalogue.departments
    }
    entries = {
        d: encode(Collected(at=at, department=d, catalogue=name, fields=names))
        for d, names in held.items()
        if names
    }
    HeldFields(engine).log(evidence.log, name, entries)


def log_accepted(evidence: Evidence, plan: AnyPlan, *, run: str, asker: str, at: int) -> int:
    """Log that a plan was accepted as a run and its ρ reserved; return the entry's index.

    Args:
        evidence: whose log.
        plan: as it was reserved.
        run: its run's id.
        asker: who asked; only a commitment to it is logged.
        at: seconds since the Unix epoch.
    """
    return _append(
        evidence,
        PlanAccepted(
            at=at,
            run=run,
            plan=digest(plan).hex(),
            purpose=plan.purpose,
            cohort=plan.cohort,
            rho=plan.rho,
            asker=named(evidence, run, "asker", asker),
        ),
    )


def log_opinions(evidence: Evidence, run: Run, opinions: Sequence[Decided]) -> None:
    """Log the officers' opinions on a plan, once all are in; only commitments name the officers."""
    entries: list[Entry] = [
        Approved(
            at=int(each.at.timestamp()),
            plan=run.digest,
            decision="approved" if each.opinion is Opinion.APPROVE else "declined",
            approver=named(evidence, run.id, "approver", each.officer),
        )
        for each in opinions
    ]
    evidence.log.append([encode(entry) for entry in entries])


def log_use(
    evidence: Evidence, run: Run, *, attempt: int, epoch: int, cohort: tuple[str, ...], at: int
) -> int:
    """Log that rows are about to be read for a run, on a consent epoch; return the index."""
    return _append(
        evidence,
        Used(at=at, run=run.id, plan=run.digest, attempt=attempt, epoch=epoch, cohort=cohort),
    )


def log_release(
    evidence: Evidence, run: Run, *, result: Mapping[str, Any], label: Mapping[str, Any], at: int
) -> int:
    """Log a release with the digests of its result and its label; return the entry's index.

    The label's own ``log_index`` is left out of its digest, since only this call knows it.
    """
    return _append(
        evidence,
        Released(
            at=at,
            run=run.id,
            plan=run.digest,
            epoch=label["consent_epoch"],
            rho=label["rho"],
            result=json_digest(result),
            label=json_digest({k: v for k, v in label.items() if k != "log_index"}),
        ),
    )


def log_refusal(evidence: Evidence, run: Run, *, code: str, spent: bool, at: int) -> int:
    """Log that a run ended without a release, and whether its ρ stays spent; return the index."""
    return _append(evidence, Refused(at=at, run=run.id, plan=run.digest, code=code, spent=spent))


def log_stage(evidence: Evidence, version: Version, stage: Stage, *, who: str, at: int) -> int:
    """Log what the firm does with a version of a model; only a commitment names who decided."""
    return _append(
        evidence,
        ModelStaged(
            at=at,
            model=version.name,
            number=version.version,
            sha256=version.sha256,
            stage=stage.value,
            who=named(evidence, version.run, "custodian", who),
        ),
    )


def publish(evidence: Evidence) -> str:
    """Sign the log as it is now, keep the checkpoint and return its note."""
    origin = origin_of(evidence.roster)

    def sign(head: TreeHead) -> str:
        tree = Checkpoint(origin=origin, size=head.size, root=head.root)
        return sign_checkpoint(tree, evidence.keys.signing)

    return evidence.log.publish(sign)


def publish_if_grown(evidence: Evidence) -> None:
    """Sign the log if it has entries that no checkpoint covers; otherwise nothing is written."""
    notes = evidence.log.checkpoints(newest=1)
    key = log_key(evidence.roster)
    covered = open_checkpoint(notes[0], key).checkpoint.size if notes else 0
    if evidence.log.head().size > covered:
        publish(evidence)


def published_log(evidence: Evidence) -> Iterator[bytes]:
    """Return the log up to its newest checkpoint as a download that `consent.transparency` checks.

    Entries after that checkpoint are in the next download: the departments are asked to cosign a
    checkpoint after every run, so the newest one in a download usually has all cosignatures.
    """
    notes = evidence.log.checkpoints()
    if not notes:
        notes = [publish(evidence)]
    size = open_checkpoint(notes[-1], log_key(evidence.roster)).checkpoint.size
    return export_log(notes, evidence.log.entries(0, size))


def named(
    evidence: Evidence,
    run: str,
    role: Literal["asker", "approver", "custodian", "account"],
    name: str,
) -> str:
    """Return the log's commitment to who asked or decided; opened by making it again."""
    salt = derived_key(
        evidence.keys.receipts, label=_STAFF, context=(run.encode(), role.encode(), name.encode())
    )
    return commit(salt, {"run": run, "role": role, "name": name})


def json_digest(body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a body's canonical JSON, in hexadecimal, as it comes from storage."""
    return sha256(rfc8785.dumps(json.loads(json.dumps(body)))).hexdigest()


def _append(evidence: Evidence, entry: Entry) -> int:
    return evidence.log.append([encode(entry)])
