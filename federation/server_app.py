"""The Flower ServerApp: one long-lived run that takes accepted plans and carries them out."""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx
from flwr.app import Context, Message
from flwr.serverapp import Grid, ServerApp

from federation.coordinator.dispatch import open_dispatcher
from federation.coordinator.evidence_log import pinned_roster
from federation.coordinator.settings import ENVIRONMENT, load_coordinator_settings
from federation.deployment.flower_coordinator import GONE, node_key_pem
from federation.errors import DepartmentMissing, ProtocolError
from federation.messages import Answer, Ask, read_answer, to_record
from federation.roster import Roster

IDLE_S = 0.02
POLL_S = 0.05
REPLY_POLL_S = 0.01
"""Between two looks for replies, which the SuperLink's doorbell holds back until there is one."""
LIFE_S = 12.0
"""A message lives at least so long: one that a restart of the SuperLink cuts in two arrives."""

app = ServerApp()


@app.main()
def main(grid: Grid, _context: Context) -> None:
    """Take one accepted run after the other, until Flower stops this process."""
    settings = load_coordinator_settings(Path(os.environ[ENVIRONMENT]))
    dispatcher = open_dispatcher(settings, GridExchange(grid, pinned_roster(settings.keys)))
    while True:
        if not dispatcher.carry_out_next():
            time.sleep(IDLE_S)


class GridExchange:
    """Send asks to the departments' nodes over Flower's Grid; a node is found by its pinned key."""

    def __init__(self, grid: Grid, roster: Roster) -> None:
        """Speak over this grid with the nodes whose keys the signed roster names."""
        self._grid = grid
        self._keys = {keys.department: node_key_pem(keys.flower) for keys in roster.departments}

    def __call__(self, asks: Mapping[str, Ask], *, deadline_s: float) -> dict[str, Answer]:
        """Push one Message to each department and pull until all have answered.

        Raises:
            DepartmentMissing: who did not answer in time, or whose node is not connected; everyone,
                if the SuperLink itself fails, as it may for a moment after a restart.
            ProtocolError: a reply that is no answer; no text of the reply is repeated.
        """
        try:
            return self._exchanged(asks, deadline_s)
        except httpx.HTTPError:
            raise DepartmentMissing(tuple(sorted(asks)), deadline_s) from None

    def _exchanged(self, asks: Mapping[str, Ask], deadline_s: float) -> dict[str, Answer]:
        ends = time.monotonic() + deadline_s
        nodes = self._connected(asks, ends, deadline_s)
        lives = max(deadline_s, LIFE_S)
        messages = [
            Message(to_record(ask), dst_node_id=nodes[d], message_type="query", ttl=lives)
            for d, ask in asks.items()
        ]
        asked = dict(zip(self._grid.push_messages(messages), asks, strict=True))
        answers: dict[str, Answer] = {}
        missing: list[str] = []
        while asked and not missing and time.monotonic() < ends:
            for reply in self._grid.pull_messages(list(asked)):
                department = asked.pop(reply.metadata.reply_to_message_id)
                if not reply.has_error():
                    answers[department] = read_answer(reply.content)
                elif reply.error.code in GONE:
                    missing.append(department)
                else:
                    raise ProtocolError(f"The worker of {department} did not run the leg.")
            time.sleep(REPLY_POLL_S if asked else 0)
        if missing or asked:
            late = sorted(missing or asked.values())
            raise DepartmentMissing(tuple(late), deadline_s)
        return answers

    def _connected(
        self, departments: Iterable[str], ends: float, deadline_s: float
    ) -> dict[str, int]:
        wanted = {self._keys[d]: d for d in departments}
        while True:
            online = {
                wanted[node.public_key]: node.node_id
                for node in self._grid.get_nodes()
                if node.public_key in wanted
            }
            if len(online) == len(wanted):
                return online
            if time.monotonic() > ends:
                missing = sorted(set(wanted.values()) - set(online))
                raise DepartmentMissing(tuple(missing), deadline_s)
            time.sleep(POLL_S)
