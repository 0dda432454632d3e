"""What a department's own people read of their node in a terminal."""

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from federation.node.what_leaves import WhatLeaves
from federation.tensors import Tensor


def leaves_tables(found: WhatLeaves) -> Group:
    """Show a dry run: what is opened, what leaves, what it costs here, and the verdict."""
    return Group(_opened(found), _leaves(found), _charged(found), _verdict(found))


def _opened(found: WhatLeaves) -> Table:
    title = f"Opened here for {found.purpose}: only clients whose authorization covers it"
    table = Table(title=escape(title))
    for column in ("field", "level needed", "held here"):
        table.add_column(column, overflow="fold")
    for one in found.fields:
        held = "yes" if one.held else "no: absent in every row"
        family = ", nobody in the family objects" if one.family else ""
        table.add_row(escape(one.title), f"{one.level}{family}", held)
    if not found.fields:
        table.add_row("no field: clients are only counted", "1", "")
    return table


def _leaves(found: WhatLeaves) -> Table:
    table = Table(title=f"What leaves {found.department}; beside it: name, epoch, code, 32 bytes")
    for column in ("leg", "times", "tensor", "items", "bytes", "holds", "one client at most"):
        table.add_column(column, overflow="fold")
    table.add_column("σ here")
    table.add_column("σ of the sum")
    for one in found.tensors:
        table.add_row(
            one.leg,
            str(one.last - one.first + 1),
            escape(one.name),
            "one a client" if one.length is None else f"{one.length:,}",
            f"{one.item_bytes} each" if one.bytes is None else f"{one.bytes:,}",
            escape(one.holds),
            escape(one.clip),
            _noise(one.noise_of_share, one),
            _noise(one.noise_of_sum, one),
        )
    return table


def _noise(sigma: float | None, tensor: Tensor) -> str:
    return "" if sigma is None else f"{sigma:.4g} {escape(tensor.unit)}"


def _charged(found: WhatLeaves) -> Table:
    table = Table(title="Charged to this department's own ledger")
    for column in ("pool", "ρ", f"ε at δ = {found.delta:.0e}", "ρ left now", "ρ left after"):
        table.add_column(column, overflow="fold", justify="left" if column == "pool" else "right")
    for one in found.charges:
        numbers = (one.rho, one.epsilon, one.left, one.after)
        table.add_row(escape(one.pool), *(f"{number:.4g}" for number in numbers))
    return table


def _verdict(found: WhatLeaves) -> Table:
    table = Table(title="This node's own verdict")
    table.add_column("rule")
    table.add_column("says")
    for one in found.refusals:
        table.add_row(escape(one.rule), escape(one.text))
    if found.agreed:
        table.add_row("every rule", "agreed, as things stand")
    return table
