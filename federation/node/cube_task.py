"""What a node does for a cube: send tokens, seal masked matrices, bound its share of the tables.

The rows are opened twice: for the tokens, and under the permit of the first matrices leg for the
matrices. A client whose authorization was lowered in between has a row without the closed fields,
and an empty one if it withdrew; whatever was closed for the tokens stays closed, so no release has
more of a client than its label's epoch says. From then on the cube is fixed.
"""

import numpy as np

from federation.alignment import plan_key, tokens
from federation.cube_exchange import incoming, outgoing
from federation.cube_layout import Column, CubeLayout, Table, cube_layout
from federation.cube_plan import CubePlan
from federation.errors import PlanInvalid, ProtocolError, SessionUnknown
from federation.node.admission import Admitted
from federation.node.cube_memory import Listed, Placed
from federation.node.features import cells
from federation.node.node import Node, remember
from federation.node.opening import opened
from federation.node.records import Records
from federation.padding import padded_ids
from federation.secure_aggregation.part_keys import PartKeys, part_keys
from federation.secure_aggregation.triples import Codes, Words, indicators
from privacy.bounds import TABLE_SCALE, BoundedSum, bounded_tables
from privacy.lattice import IntVector
from privacy.loss import Rho
from privacy.mechanisms import NoisedShare, add_noise_share


def cube_tokens(node: Node, admitted: Admitted, plan: CubePlan) -> bytes:
    """Return the tokens of the clients with any field that this department supplies, and padding.

    Raises:
        PlanInvalid: there are more clients than the plan is for.
    """
    records = opened(node, admitted)
    codes = _codes(records, _supplied(cube_layout(plan, node.catalogue), node.department))
    there = (codes >= 0).any(axis=1)
    client_ids = tuple(records.client_ids[row] for row in np.flatnonzero(there))
    if len(client_ids) > plan.clients:
        raise PlanInvalid("clients: there are more; plan the cube for more clients")
    key = plan_key(node.alignment_key, bytes.fromhex(admitted.run.plan))
    nobody = padded_ids(plan, key, node.department, len(client_ids))
    listed = tokens(key, (*client_ids, *nobody))
    sent = Listed(client_ids=client_ids, codes=codes[there], tokens=listed)
    remember(node.memory.cubes, admitted.attempt, sent)
    return listed.tokens.tobytes()


def cube_matrices(node: Node, admitted: Admitted, plan: CubePlan, payload: bytes) -> bytes:
    """Seal this department's masked rows of one part for the others, and deal their triples.

    Args:
        node: the department's.
        admitted: one matrices leg.
        plan: of that leg.
        payload: the rows' places in the first part; then the envelopes of the part before.

    Raises:
        SessionUnknown: this worker did not send the attempt's tokens, or missed a part.
        ProtocolError: the payload does not fit, or an envelope does not open.
    """
    layout, part = cube_layout(plan, node.catalogue), admitted.run.round
    if node.department not in plan.cohort:  # it deals, and opens no row
        nothing = np.zeros((layout.height(part), 0), dtype=np.uint32)
        return outgoing(layout, part, nothing, _keys(node, admitted, part))
    if part == 0:
        placed = _placed(opened(node, admitted), _listed(node, admitted), layout, payload)
    else:
        placed = _taken_in(node, admitted, layout, payload)
    remember(node.memory.cubes, admitted.attempt, placed)
    bits = _bits(placed, layout, node.department, part)
    return outgoing(layout, part, bits, _keys(node, admitted, part))


def cube_share(node: Node, admitted: Admitted, plan: CubePlan, payload: bytes) -> BoundedSum:
    """Return this department's additive share of all tables, with the declared sensitivity.

    Args:
        node: the department's.
        admitted: the shares leg.
        plan: of that leg.
        payload: the envelopes of the last part.

    Raises:
        SessionUnknown, ProtocolError: as cube_matrices.
    """
    layout = cube_layout(plan, node.catalogue)
    placed = _taken_in(node, admitted, layout, payload)
    del node.memory.cubes[admitted.attempt]
    share = np.zeros(layout.cells, dtype=np.uint32)
    for table in layout.tables:
        share[table.places] = _table_share(table, placed, layout, node.department).ravel()
    scaled: IntVector = share.astype(np.int64) * TABLE_SCALE  # modulo 2^64
    return bounded_tables(scaled, plan.tables, unit=plan.unit, bound=plan.bound)


def noised_cube_share(node: Node, plan: CubePlan, share: BoundedSum) -> NoisedShare:
    """Add this node's noise; in the cohort's sum it makes the cube ρ-zCDP."""
    return add_noise_share(
        share,
        rho=Rho(value=plan.rho),
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
        noise=node.noise,
    )


def _supplied(layout: CubeLayout, department: str) -> tuple[Column, ...]:
    return tuple(c for c in layout.columns if c.department == department)


def _listed(node: Node, admitted: Admitted) -> Listed:
    listed = node.memory.cubes.get(admitted.attempt)
    if not isinstance(listed, Listed):
        raise SessionUnknown(node.department)
    return listed


def _codes(records: Records, supplied: tuple[Column, ...]) -> Codes:
    columns = [cells(records, (column.field,)) for column in supplied]
    return np.stack(columns, axis=1).astype(np.int16)


def _keys(node: Node, admitted: Admitted, part: int) -> PartKeys:
    return part_keys(
        node.session,
        {a.department: a.public for a in admitted.announcements},
        plan=bytes.fromhex(admitted.run.plan),
        attempt=admitted.run.attempt,
        part=part,
        cohort=admitted.plan.cohort,
    )


def _placed(records: Records, listed: Listed, layout: CubeLayout, payload: bytes) -> Placed:
    """Put each client's codes where the coordinator said; a row that nobody has is absent."""
    places = np.frombuffer(payload, dtype="<u4") if len(payload) % 4 == 0 else np.zeros(0, "<u4")
    if places.size != len(listed.tokens.order) or np.unique(places).size != places.size:
        raise ProtocolError("The coordinator did not send one row for each token.")
    if places.size and places.max() >= layout.plan.rows:
        raise ProtocolError("The coordinator sent a row that the plan does not have.")
    row_of = np.empty(places.size, dtype=np.int64)
    row_of[listed.tokens.order] = places
    supplied = _supplied(layout, records.department)
    place_of = {client: place for place, client in enumerate(listed.client_ids)}
    found = [(i, place_of[c]) for i, c in enumerate(records.client_ids) if c in place_of]
    here, before = np.array(found, dtype=np.int64).reshape(-1, 2).T
    codes = np.full((layout.plan.rows, len(supplied)), -1, dtype=np.int16)
    now = _codes(records, supplied)[here]
    codes[row_of[before]] = np.where(listed.codes[before] >= 0, now, -1)
    pairs = (pair[:2] for pair in layout.pairs() if records.department in pair[:2])
    shapes = {(a, b): (layout.widths[a], layout.widths[b]) for a, b in pairs}
    shares = {pair: np.zeros(shape, np.uint32) for pair, shape in shapes.items()}
    return Placed(codes=codes, shares=shares, taken_in=0)


def _taken_in(node: Node, admitted: Admitted, layout: CubeLayout, payload: bytes) -> Placed:
    """Add this department's shares of the part that the others sealed in the leg before."""
    placed = node.memory.cubes.get(admitted.attempt)
    sealed = admitted.run.round if admitted.run.leg == "matrices" else len(layout.plan.parts)
    if not isinstance(placed, Placed) or placed.taken_in != sealed - 1:
        raise SessionUnknown(node.department)
    part = placed.taken_in
    bits = _bits(placed, layout, node.department, part)
    added = incoming(layout, part, bits, _keys(node, admitted, part), payload)
    shares = {pair: share + added[pair] for pair, share in placed.shares.items()}
    return Placed(codes=placed.codes, shares=shares, taken_in=sealed)


def _bits(placed: Placed, layout: CubeLayout, department: str, part: int) -> Words:
    sizes = tuple(column.size for column in _supplied(layout, department))
    return indicators(placed.codes[layout.plan.parts[part]], sizes)


def _table_share(table: Table, placed: Placed, layout: CubeLayout, department: str) -> Words:
    """Return one table's share: counted here, half of a product, or nothing."""
    first, second = table.first, table.second
    if department not in (first.department, second.department):
        return np.zeros(table.shape, dtype=np.uint32)
    if first.department == second.department:
        return _counted(table, placed, _supplied(layout, department))
    if first.department < second.department:
        return placed.shares[first.department, second.department][first.places, second.places]
    return placed.shares[second.department, first.department][second.places, first.places].T


def _counted(table: Table, placed: Placed, supplied: tuple[Column, ...]) -> Words:
    first, second = (placed.codes[:, supplied.index(c)] for c in (table.first, table.second))
    both = (first >= 0) & (second >= 0)
    cell = first[both].astype(np.int64)
    if table.first is not table.second:
        cell = cell * table.second.size + second[both]
    counts = np.bincount(cell, minlength=int(np.prod(table.shape)))
    return counts.astype(np.uint32).reshape(table.shape)
