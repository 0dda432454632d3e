"""Erasing a client behind every door: the register and the log, the account, the stored answers."""

from datetime import datetime

from api.idempotency import Answers
from api.people.account_log import logging_accounts
from api.people.accounts import Accounts
from federation.coordinator.consent_desk import Erasure, erase
from federation.coordinator.desk import Desk

CLIENTS = "/api/v1/clients/"


def erase_everywhere(client_id: str, desk: Desk, *, by: str, now: datetime) -> Erasure:
    """Close the client's account, destroy answers stored for the client, then erase the client.

    It cannot take anything out of backups or of results that were released before.

    Args:
        client_id: sensitive.
        desk: whose database holds all three.
        by: who erases, for the log of accounts.
        now: with a time zone.

    Raises:
        UnknownClient: there is no such client, or no longer.
    """
    Answers(desk.engine).forget(f"{CLIENTS}{client_id}/")
    accounts = Accounts(desk.engine, logging_accounts(desk.evidence))
    accounts.forget(client_id, by=by, now=int(now.timestamp()))
    return erase(client_id, desk, now=now)
