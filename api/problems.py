"""RFC 9457 problems: one table says which error becomes which status, type and title.

The detail of a problem is the error's own message: the rooms below keep personal values out of
theirs. What the caller sent is never repeated, neither in a problem nor in a log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import consent.errors as consent
import consent.log_errors as log
import federation.coordinator.errors as coordinator
import federation.deployment.errors as deployment
import federation.errors as federation
import models.errors as models
import privacy.errors as privacy
from api import errors as door
from api.people import errors as people
from api.people.next_page import safe_next

MEDIA_TYPE = "application/problem+json"
NAMESPACE = "urn:infosandbox:problem:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one class of errors looks like from outside. ``slug`` completes the type's URI."""

    status: HTTPStatus
    slug: str
    title: str


def _kind(status: HTTPStatus, slug: str, title: str) -> Kind:
    return Kind(status=status, slug=slug, title=title)


_BAD = HTTPStatus.UNPROCESSABLE_ENTITY
_NO = HTTPStatus.FORBIDDEN
_GONE = HTTPStatus.NOT_FOUND
_CLASH = HTTPStatus.CONFLICT
_DOWN = HTTPStatus.SERVICE_UNAVAILABLE
_PEER = HTTPStatus.BAD_GATEWAY
_OURS = HTTPStatus.INTERNAL_SERVER_ERROR

TABLE: Final[dict[type[Exception], Kind]] = {
    # the door
    door.NotSignedIn: _kind(HTTPStatus.UNAUTHORIZED, "not-signed-in", "Not signed in"),
    door.NotAllowed: _kind(_NO, "not-allowed", "Not allowed for this role"),
    door.BodyTooLarge: _kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", "Request body too large"
    ),
    door.NulCharacter: _kind(_BAD, "nul-character", "A NUL character"),
    door.NoLabel: _kind(_GONE, "no-label", "Nothing was released"),
    door.KeyReused: _kind(_BAD, "key-reused", "Idempotency key of another request"),
    door.RequestInFlight: _kind(_CLASH, "request-in-flight", "Still under way"),
    door.IfMatchNeeded: _kind(
        HTTPStatus.PRECONDITION_REQUIRED, "if-match-needed", "Which policy was changed?"
    ),
    door.NoModelServed: _kind(_GONE, "no-model-served", "No model to score with"),
    door.TokensInvalid: _kind(_DOWN, "tokens-invalid", "The token file cannot be used"),
    # people
    people.WrongPassword: _kind(HTTPStatus.UNAUTHORIZED, "wrong-password", "Not signed in"),
    people.WeakPassword: _kind(_BAD, "weak-password", "The password is too weak"),
    people.LinkInvalid: _kind(_GONE, "link-invalid", "The setup link does not hold"),
    people.PersonExists: _kind(_CLASH, "person-exists", "The name is taken"),
    people.PersonUnknown: _kind(_GONE, "person-unknown", "No such account"),
    people.GrantRefused: _kind(_NO, "grant-refused", "Not yours to grant"),
    people.CsrfRefused: _kind(_NO, "csrf-refused", "Not from a page of this session"),
    people.TooManyRequests: _kind(
        HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"
    ),
    people.NoProvider: _kind(_GONE, "no-provider", "No provider here"),
    people.FlowUnknown: _kind(_BAD, "flow-unknown", "Not a sign-in of ours"),
    people.ProviderRefused: _kind(_NO, "provider-refused", "The provider says no"),
    people.ProviderUnavailable: _kind(_PEER, "provider-unavailable", "The provider is down"),
    # privacy
    privacy.InvalidLoss: _kind(_BAD, "invalid-loss", "Not a privacy loss"),
    privacy.InvalidBound: _kind(_BAD, "invalid-bound", "Not a usable bound"),
    privacy.NoiseTooSmall: _kind(_BAD, "noise-too-small", "Too little noise"),
    privacy.NoisePoolRefused: _kind(_DOWN, "noise-pool-refused", "The noise pool is damaged"),
    privacy.BudgetExceeded: _kind(_CLASH, "budget-exceeded", "Not enough privacy budget"),
    privacy.BudgetBelowSpent: _kind(_CLASH, "budget-below-spent", "More is spent already"),
    privacy.TargetUnreachable: _kind(_CLASH, "target-unreachable", "Too little budget for it"),
    privacy.UnknownPool: _kind(_CLASH, "no-budget", "The purpose has no privacy budget"),
    privacy.UnknownReservation: _kind(_OURS, "unknown-reservation", "Nothing was reserved"),
    privacy.LedgerConflict: _kind(_CLASH, "ledger-conflict", "The ledger says otherwise"),
    privacy.ClockWentBack: _kind(_DOWN, "clock-went-back", "The clock went back"),
    privacy.LedgerBroken: _kind(_DOWN, "ledger-broken", "The ledger is damaged"),
    # consent
    consent.UnknownField: _kind(_BAD, "unknown-field", "No such field"),
    consent.UnknownPurpose: _kind(_BAD, "unknown-purpose", "No such purpose"),
    consent.UnknownDepartment: _kind(_BAD, "unknown-department", "No such department"),
    consent.UnknownLevel: _kind(_BAD, "unknown-level", "No such authorization level"),
    consent.UnknownClient: _kind(_GONE, "unknown-client", "No such client in the register"),
    consent.InvalidClientId: _kind(_BAD, "invalid-client-id", "Not a normalized client id"),
    consent.InvalidRow: _kind(_BAD, "invalid-row", "A row of the register is wrong"),
    consent.InvalidRequest: _kind(_BAD, "register-request-invalid", "Cannot be registered"),
    consent.RequestReused: _kind(_CLASH, "request-reused", "Request id used before"),
    consent.ClockSkew: _kind(_CLASH, "clock-skew", "Two clocks disagree"),
    consent.UnknownStage: _kind(_BAD, "unknown-stage", "No such stage of service"),
    consent.LevelSkipped: _kind(_CLASH, "level-skipped", "An earlier level is not in force"),
    consent.FieldsNotNeeded: _kind(_BAD, "fields-not-needed", "Fields that are not used"),
    consent.HouseholdUnprotected: _kind(
        _BAD, "household-unprotected", "The household is not protected"
    ),
    consent.CatalogueError: _kind(_DOWN, "catalogue-invalid", "The catalogue cannot be used"),
    consent.PurposeNotOpen: _kind(_NO, "purpose-not-open", "Field not open to this purpose"),
    consent.InvalidPseudonym: _kind(_OURS, "invalid-pseudonym", "Not a pseudonym"),
    consent.KeyTooShort: _kind(_OURS, "key-too-short", "A key is too short"),
    consent.EpochStale: _kind(_CLASH, "epoch-stale", "Consent snapshot too old"),
    consent.EpochInvalid: _kind(_PEER, "epoch-invalid", "Consent snapshot refused"),
    consent.PermitForged: _kind(_OURS, "permit-forged", "A consent permit was forged"),
    # its transparency log, receipts and level proofs
    log.ProofInvalid: _kind(_PEER, "proof-invalid", "A proof of the log does not hold"),
    log.ProofMisplaced: _kind(_PEER, "proof-misplaced", "A proof of the log for another size"),
    log.CheckpointInvalid: _kind(_PEER, "checkpoint-invalid", "Not a checkpoint of the log"),
    log.EntryInvalid: _kind(_OURS, "entry-invalid", "Not an entry of the log"),
    log.LogBroken: _kind(_DOWN, "log-broken", "The transparency log is damaged"),
    log.LogForked: _kind(_PEER, "log-forked", "The log contradicts what it signed"),
    log.LogRolledBack: _kind(_PEER, "log-rolled-back", "The log is shorter than before"),
    log.NotInLog: _kind(_GONE, "not-in-log", "Not in the log"),
    log.CommitmentInvalid: _kind(_BAD, "commitment-invalid", "A commitment does not open"),
    log.ReceiptInvalid: _kind(_BAD, "receipt-invalid", "Not a consent receipt"),
    log.LevelProofInvalid: _kind(_BAD, "level-proof-invalid", "The level proof does not hold"),
    log.LevelNotReached: _kind(_NO, "level-not-reached", "The level is not covered"),
    coordinator.PolicyChanged: _kind(
        HTTPStatus.PRECONDITION_FAILED, "policy-changed", "The policy changed in between"
    ),
    coordinator.PolicyFixed: _kind(_BAD, "policy-fixed", "Not to be changed"),
    coordinator.ProposalUnknown: _kind(_GONE, "proposal-unknown", "No such proposal"),
    coordinator.OwnProposal: _kind(_NO, "own-proposal", "Your own proposal"),
    coordinator.ProposalEnded: _kind(_CLASH, "proposal-ended", "It was decided"),
    # models
    models.TooLarge: _kind(_BAD, "model-too-large", "The model is too large"),
    models.InvalidSetting: _kind(_BAD, "invalid-setting", "A setting is out of range"),
    models.WrongShape: _kind(_BAD, "wrong-shape", "An array has the wrong shape"),
    models.NotFinite: _kind(_BAD, "not-finite", "A number is not finite"),
    models.LabelInvalid: _kind(_BAD, "label-invalid", "A label that cannot be learned"),
    models.TooManyRows: _kind(_BAD, "too-many-rows", "A client has too many rows"),
    models.OneClass: _kind(_BAD, "one-class", "Only one class of labels"),
    models.TablesTooNoisy: _kind(_BAD, "tables-too-noisy", "Too few clients beside the noise"),
    models.ModelFileInvalid: _kind(_DOWN, "model-file-invalid", "A model file is damaged"),
    # federation
    federation.ProtocolError: _kind(_PEER, "protocol-error", "The protocol was broken"),
    federation.WrongSignature: _kind(_PEER, "wrong-signature", "A signature does not verify"),
    federation.NotInRoster: _kind(_BAD, "not-in-roster", "Department not enrolled"),
    federation.CohortTooSmall: _kind(_BAD, "cohort-too-small", "Too few departments"),
    federation.DepartmentMissing: _kind(
        HTTPStatus.GATEWAY_TIMEOUT, "department-missing", "A department did not answer"
    ),
    federation.DepartmentRefused: _kind(_NO, "department-refused", "A department refused"),
    federation.AlreadyAnswered: _kind(_CLASH, "already-answered", "Answered before"),
    federation.PermitInvalid: _kind(_NO, "permit-invalid", "Permit to run not valid"),
    federation.PermitExpired: _kind(_NO, "permit-expired", "Permit to run expired"),
    federation.PermitReplayed: _kind(_CLASH, "permit-replayed", "Permit to run used before"),
    federation.PlanInvalid: _kind(_BAD, "plan-invalid", "The plan is not valid"),
    federation.PolicyRefusal: _kind(_NO, "policy-refusal", "A department's policy forbids it"),
    federation.RecordsUnavailable: _kind(_DOWN, "records-unavailable", "Records unavailable"),
    federation.CubeUnavailable: _kind(_GONE, "cube-unavailable", "No cube to ask"),
    federation.SessionUnknown: _kind(_CLASH, "session-unknown", "Session unknown"),
    federation.SettingsInvalid: _kind(_DOWN, "settings-invalid", "A settings file is wrong"),
    federation.RunUnknown: _kind(_GONE, "run-unknown", "No such run"),
    federation.RequestMismatch: _kind(_BAD, "request-mismatch", "Key used for another plan"),
    federation.RunNotStoppable: _kind(_CLASH, "run-not-stoppable", "Cannot be stopped"),
    federation.RunStopped: _kind(_CLASH, "run-stopped", "The run was stopped"),
    federation.RunInterrupted: _kind(_OURS, "run-interrupted", "The run was interrupted"),
    federation.NodeStopped: _kind(_DOWN, "node-stopped", "The department has stopped its node"),
    federation.ClientNotCovered: _kind(_NO, "client-not-covered", "Not covered for this"),
    # its coordinator
    coordinator.MonitorUnknown: _kind(_GONE, "monitor-unknown", "No such monitor"),
    coordinator.MonitorRefused: _kind(_BAD, "monitor-refused", "It cannot be watched"),
    coordinator.SweepUnknown: _kind(_GONE, "sweep-unknown", "No such sweep"),
    coordinator.SweepRefused: _kind(_BAD, "sweep-refused", "These recipes cannot be tried"),
    coordinator.SqlRefused: _kind(_BAD, "sql-refused", "The SQL is not understood"),
    coordinator.FilterTooNarrow: _kind(_NO, "filter-too-narrow", "The filter is too narrow"),
    coordinator.NoPastModel: _kind(_CLASH, "no-past-model", "No evidence that it can be reached"),
    coordinator.NotWaiting: _kind(_CLASH, "not-waiting", "No opinion is asked for"),
    coordinator.OwnPlan: _kind(_NO, "own-plan", "Nobody approves what they ask"),
    coordinator.OpinionGiven: _kind(_CLASH, "opinion-given", "The opinion is in and stands"),
    coordinator.ReasonNeeded: _kind(_BAD, "reason-needed", "An opinion needs a reason"),
    coordinator.Declined: _kind(_NO, "declined", "Not approved by two people"),
    coordinator.ApprovalExpired: _kind(_NO, "approval-expired", "Not decided in time"),
    coordinator.ModelUnknown: _kind(_GONE, "model-unknown", "No such model"),
    # its deployment
    deployment.AlreadyEnrolled: _kind(_CLASH, "already-enrolled", "Already enrolled"),
    deployment.NotEnrolled: _kind(_DOWN, "not-enrolled", "Nothing enrolled"),
    deployment.InvalidName: _kind(_BAD, "invalid-name", "Not a usable name"),
    deployment.PortInUse: _kind(_DOWN, "port-in-use", "A port is taken"),
    deployment.AlreadyRunning: _kind(_CLASH, "already-running", "Already running"),
    deployment.NotReady: _kind(_DOWN, "not-ready", "A process is not ready"),
    deployment.ProcessEnded: _kind(_DOWN, "process-ended", "A process ended"),
    deployment.RunEnded: _kind(_DOWN, "run-ended", "The coordinator's run has ended"),
    deployment.ControlRefused: _kind(_DOWN, "control-refused", "The SuperLink refused"),
}


MALFORMED: Final = _kind(_BAD, "request-invalid", "The request is not valid")
INTERNAL: Final = _kind(_OURS, "internal", "Unexpected error")


def kind_of(error: type[BaseException]) -> Kind | None:
    """Return an error class's line in the table, or None for an error of another house."""
    return next((TABLE[c] for c in error.__mro__ if c in TABLE), None)


def problem(kind: Kind, detail: str, **members: Any) -> JSONResponse:  # noqa: ANN401 - extension members are any JSON
    """Return a problem as a response."""
    return _response(
        {
            "type": NAMESPACE + kind.slug,
            "title": kind.title,
            "status": kind.status.value,
            "detail": detail,
        }
        | members,
        {"WWW-Authenticate": "Bearer"} if kind.status is HTTPStatus.UNAUTHORIZED else {},
    )


def internal_problem() -> JSONResponse:
    """Return the problem of an error nobody expected: it says nothing of what happened."""
    return problem(INTERNAL, "The API failed; its log names the place. Nothing was released.")


def install(app: FastAPI) -> None:
    """Answer every known error of ours, and the framework's own, with a problem."""
    for error in TABLE:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, framework_problem)


def _known(request: Request, error: Exception) -> JSONResponse:
    kind = kind_of(type(error))
    if kind is None:
        return internal_problem()
    if isinstance(error, door.NotSignedIn):
        return problem(kind, str(error), next=safe_next(request.url.path))
    answer = problem(kind, str(error))
    if isinstance(error, coordinator.PolicyChanged):
        return problem(kind, str(error), changed=error.keys)
    if isinstance(error, people.TooManyRequests):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def framework_problem(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses by itself: no such path, no such method."""
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else _OURS)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    body = {"type": "about:blank", "title": status.phrase, "status": status.value}
    return _response(body, headers)


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    mistakes = error.errors() if isinstance(error, RequestValidationError) else []
    places = [{"pointer": _pointer(e), "detail": _what(e)} for e in mistakes]
    detail = "; ".join(f"{p['pointer']}: {p['detail']}" for p in places)
    return problem(MALFORMED, detail or "Correct the request and send it again.", errors=places)


def _pointer(mistake: dict[str, Any]) -> str:
    """Say where a mistake is, without the names of keys that the caller made up."""
    place: Sequence[Any] = mistake["loc"]
    if mistake["type"] == "extra_forbidden":
        place = place[:-1]
    return "/".join(str(part) for part in place)


def _what(mistake: dict[str, Any]) -> str:
    """Say what is wrong, without the value."""
    match mistake["type"]:
        case "extra_forbidden":
            return "has a key that does not belong here; remove it or correct its spelling"
        case "union_tag_invalid":
            return f"kind must be one of {mistake['ctx']['expected_tags']}"
        case "json_invalid":
            return "is no JSON"
        case _:
            return str(mistake["msg"]).removeprefix("Value error, ")


def _response(body: dict[str, Any], headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(
        body, status_code=body["status"], media_type=MEDIA_TYPE, headers=headers or None
    )
