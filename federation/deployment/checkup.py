"""What keeps a coordinator or a department from working, found before it does, and what to do.

Every check looks and changes nothing, but for one empty file that it writes and removes again.
"""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from federation.coordinator.heartbeat import Heartbeat
from federation.coordinator.settings import load_coordinator_settings
from federation.coordinator.witness_book import WitnessBook
from federation.database import open_database
from federation.errors import SettingsInvalid
from federation.node.journal import Journal
from federation.node.settings import load_settings
from privacy.errors import PrivacyError
from privacy.store import Ledger

MOST_SKEW = timedelta(seconds=60)
"""A ledger refuses a clock that is further back; a permit to run, one that is further ahead."""

RENEW_BEFORE = timedelta(days=30)
UNHEARD_FOR = timedelta(days=1)
_CONNECT_S = 3.0


class Verdict(StrEnum):
    """ok; look: works now and needs a look; bad: does not work."""

    OK = "ok"
    LOOK = "look"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. ``do``: what to do about it; empty if it is well."""

    what: str
    verdict: Verdict
    says: str
    do: str = ""


def check_coordinator(path: Path, now: datetime) -> Iterator[Check]:
    """Look at a coordinator: settings, folders, keys, certificates, clock, ledger, departments."""
    try:
        settings = load_coordinator_settings(path)
    except SettingsInvalid as error:
        yield _bad("settings", str(error), "Correct the file; docs/settings.md lists its keys.")
        return
    yield _ok("settings", f"{path} can be read")
    url = make_url(settings.database)
    folders = {"state folder of models": settings.models}
    if url.get_backend_name() == "sqlite" and url.database:
        folders["state folder of the database"] = Path(url.database).parent
    for what, folder in folders.items():
        yield check_writable(what, folder)
    for keys in (settings.keys, settings.consent_keys):
        yield check_private(keys)
    for certificate in sorted(settings.keys.glob("*.crt")):
        yield check_certificate(certificate, now)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        yield _look("database", "is not there yet", "Nothing, if the coordinator never started.")
        return
    engine = open_database(settings.database)
    try:
        yield from _check_ledger(Ledger(engine, head=settings.models / "ledger.head"), now)
        alive = Heartbeat(engine).is_alive(int(now.timestamp()))
        yield (
            _ok("ServerApp", "was heard of lately")
            if alive
            else _bad("ServerApp", "is not heard of", "Start it; accepted runs wait for it.")
        )
        yield from _check_departments(WitnessBook(engine), now)
    except SQLAlchemyError as error:
        why = type(error).__name__
        yield _bad("database", f"cannot be used ({why})", "Start it, or correct its URL.")
    finally:
        engine.dispose()


def check_node(path: Path, now: datetime) -> Iterator[Check]:
    """Look at a department: settings, state folder, keys, certificates, clock, ledger, epoch."""
    try:
        settings = load_settings(path)
    except SettingsInvalid as error:
        yield _bad("settings", str(error), "Correct the file; docs/settings.md lists its keys.")
        return
    yield _ok("settings", f"{path} can be read")
    yield check_writable("state folder", settings.state)
    yield check_private(settings.keys)
    for certificate in sorted(settings.keys.glob("*.crt")):
        yield check_certificate(certificate, now)
    if not (settings.state / "node.db").is_file():
        yield _look("epoch", "it has answered nothing yet", "Nothing, if it is new.")
        return
    engine = open_database(settings.database)
    try:
        yield from _check_ledger(Ledger(engine), now)
        left = Journal(engine).departures()
        if left:
            at = datetime.fromtimestamp(left[-1].at, UTC)
            says = f"{left[-1].epoch}, when it last answered, {at:%Y-%m-%d %H:%M} UTC"
            stale = now - at > UNHEARD_FOR
            do = "Ask a question: the epoch comes with it, or the answer says what is wrong."
            yield _look("epoch", says, do) if stale else _ok("epoch", says)
    except SQLAlchemyError as error:
        why = type(error).__name__
        yield _bad("database", f"cannot be used ({why})", "Restore it with its ledger's head.")
    finally:
        engine.dispose()


def check_writable(what: str, folder: Path) -> Check:
    """Write and remove an empty file in a folder; one that is not there yet may be made."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        why = error.strerror or "it cannot be written"
        do = f"Give it to whoever runs the process: chown it, or free space ({folder})."
        return _bad(what, f"{folder}: {why}", do)
    return _ok(what, f"{folder} can be written")


def check_private(folder: Path) -> Check:
    """Look whether others than the owner may read a folder's keys."""
    what = f"keys in {folder.name}"
    if not folder.is_dir():
        return _bad(what, f"{folder} is not there", "Name the folder that enrolling wrote.")
    secret = [*folder.rglob("*.key"), *folder.rglob("*.token"), *folder.rglob("*.secret")]
    loose = [p.name for p in secret if stat.S_IMODE(p.stat().st_mode) & 0o077]
    unreadable = [p.name for p in secret if not os.access(p, os.R_OK)]
    if unreadable:
        return _bad(what, f"{unreadable[0]} cannot be read", "Run as the keys' owner.")
    if loose:
        return _bad(what, f"others may read {loose[0]}", f"chmod -R go= {folder}")
    return _ok(what, "only their owner reads them")


def check_certificate(path: Path, now: datetime) -> Check:
    """Look how long a certificate still holds."""
    what = f"certificate {path.name}"
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return _bad(what, f"{path} cannot be read", "Enroll again, or copy it again.")
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return _bad(what, f"holds only from {begins:%Y-%m-%d %H:%M} UTC", "Set the clock.")
    if now >= ends:
        return _bad(what, f"ended on {ends:%Y-%m-%d}", "Enroll again to renew it.")
    if ends - now < RENEW_BEFORE:
        return _look(what, f"ends on {ends:%Y-%m-%d}", "Enroll again to renew it, before then.")
    return _ok(what, f"holds until {ends:%Y-%m-%d}")


def check_port(address: str) -> Check:
    """Look whether something listens at host:port."""
    what = f"port {address}"
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_S):
            return _ok(what, "something listens")
    except (OSError, ValueError, OverflowError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        do = "Start what listens there; open the firewall for it."
        return _bad(what, f"is closed ({why})", do)


def check_skew(told: datetime, now: datetime) -> Check:
    """Compare this machine's clock with another's."""
    skew = abs(now - told)
    says = f"{skew.total_seconds():.0f} s from the API's"
    if skew > MOST_SKEW:
        return _bad("clock", says, "Set both by NTP: permits refuse such a difference.")
    return _ok("clock", says)


def _check_ledger(ledger: Ledger, now: datetime) -> Iterator[Check]:
    try:
        ledger.verify()
        entries = ledger.entries()
    except PrivacyError as error:
        yield _bad("ledger", str(error), "Restore it, or repair it; until then nothing is spent.")
        return
    yield _ok("ledger", f"{len(entries)} entries, and the chain holds")
    if entries:
        last = entries[-1].event.at
        ahead = last - now
        says = f"the ledger's last entry is of {last:%Y-%m-%d %H:%M} UTC"
        do = "Set the clock by NTP: a ledger takes no entry from before its last one."
        yield _bad("clock", says, do) if ahead > MOST_SKEW else _ok("clock", says)


def _check_departments(book: WitnessBook, now: datetime) -> Iterator[Check]:
    for heard in book.all():
        what, at = f"department {heard.department}", datetime.fromtimestamp(heard.at, UTC)
        says = f"was heard of on {at:%Y-%m-%d %H:%M} UTC"
        if heard.refusal:
            yield _bad(what, f"does not vouch for the log ({heard.refusal})", "Compare both logs.")
        elif now - at > UNHEARD_FOR:
            yield _look(what, says, "Look whether its node runs; its consent epoch is as old.")
        else:
            yield _ok(what, says)


def _ok(what: str, says: str) -> Check:
    return Check(what=what, verdict=Verdict.OK, says=says)


def _look(what: str, says: str, do: str) -> Check:
    return Check(what=what, verdict=Verdict.LOOK, says=says, do=do)


def _bad(what: str, says: str, do: str) -> Check:
    return Check(what=what, verdict=Verdict.BAD, says=says, do=do)
