"""What a person reads in the terminal: tables, small bars and plain words. Nothing is computed."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from api.client import Json, Refusal
from api.demo.outside import Comparison, Scores
from api.demo.people import Seeded
from consent.catalogue import Catalogue, Field

BAR = 16
TOO_FEW = "too few clients to tell"
_OTHERS = {
    "sums": "Sum",
    "variances": "Variance",
    "proportions": "Part of clients",
    "ratios": "Ratio",
    "correlations": "Correlation",
    "histograms": "Clients by",
    "tops": "Most frequent",
    "quantiles": "Quantiles",
    "trends": "Mean by month",
}
"""The groups of an answer's figures beside counts and means, and their titles."""
_OUTSIDE = (
    "Exact, and computed OUTSIDE the sandbox by this demonstration, from the folder's own files, "
    "on the 30 % of clients that no node was given. The product has no switch that turns noise "
    "off: what it releases is the model with privacy."
)


def named(field: Field, *, prefix: str = "") -> str:
    """Return a field's title and unit, and below them its Chinese title where it has one."""
    unit = f" ({field.unit})" if field.unit else ""
    return escape(f"{prefix}{field.title}{unit}\n{field.title_zh}".strip())


def figure(value: float, half_width: float) -> str:
    """Write a number and its interval with as many digits as the interval is worth."""
    digits = _digits(half_width)
    return f"{value:,.{digits}f} ± {half_width:,.{digits}f}"


def _digits(half_width: float) -> int:
    return 0 if half_width <= 0 else max(0, 1 - floor(log10(half_width)))


def bar(value: float, largest: float) -> str:
    """Draw a value as a bar of at most BAR characters; a negative one has none."""
    return "▇" * round(BAR * max(value, 0.0) / largest) if largest > 0 else ""


def question_table(result: Json, catalogue: Catalogue, title: str) -> Table:
    """Show a released question: a row per cell, each figure with its 95 % interval."""
    rows: list[Json] = result["rows"]
    table = Table(title=title, caption="± is a 95 % interval of the noise", title_justify="left")
    for name in result["by"] or ["everyone"]:
        table.add_column(named(catalogue.field(name)) if result["by"] else "Clients\n客户")
    table.add_column("Number of clients\n客户数", justify="right")
    table.add_column("", no_wrap=True)
    means = list(rows[0]["means"]) if rows else []
    for name in means:
        table.add_column(named(catalogue.field(name), prefix="Mean: "), justify="right")
    others = [(group, key) for group in _OTHERS for key in (rows[0].get(group, {}) if rows else ())]
    for group, key in others:
        table.add_column(escape(f"{_OTHERS[group]}: {key}"), justify="right", overflow="fold")
    largest = max((row["count"].get("value", 0.0) for row in rows), default=0.0)
    for row in rows:
        cell = [escape(label) for label in row["cell"].values()] or ["all"]
        shown = [_mean(row["means"][name], catalogue.field(name)) for name in means]
        shown += [_entry(row[group][key]) for group, key in others]
        bars = bar(row["count"].get("value", 0.0), largest)
        table.add_row(*cell, _entry(row["count"]), bars, *shown)
    return table


def cost_line(label: Json, pool: Json) -> str:
    """Say what a release cost and what its purpose has left."""
    left = pool["remaining_rho"] / pool["budget_rho"]
    return (
        f"Cost: ρ = {label['rho']:.4g}, that is ε = {label['epsilon']:.3g} at δ = "
        f"{label['delta']:.0e}, per {label['privacy_unit']} across all departments. "
        f"Spent on {pool['pool'].rpartition('/')[2]} so far: ε = {pool['spent_epsilon']:.3g} of "
        f"{pool['budget_epsilon']:.3g}; {left:.0%} of its ρ is left."
    )


def auc_table(comparison: Comparison, epsilon: float) -> Table:
    """Show every exact AUC, marked as computed outside: a line per set of held-out clients."""
    table = Table(title="AUC on held-out clients", caption=_OUTSIDE, title_justify="left")
    table.add_column("Held-out clients")
    table.add_column("one department alone", justify="right")
    table.add_column(f"federated,\nε = {epsilon:.3g}", justify="right", style="bold")
    table.add_column("federated,\nwithout noise", justify="right")
    lines = {f"of {d}": scores for d, scores in comparison.departments.items()}
    lines |= {"of all departments,\ntheir fields joined": comparison.everyone}
    for name, scores in lines.items():
        alone = "\n".join(f"{d} {_auc(value)}" for d, value in scores.alone.items())
        table.add_section()
        table.add_row(name, alone, _auc(scores.federated), _auc(scores.without_noise))
    return table


def joined_table(everyone: Scores, cube: float | None, epsilons: Mapping[str, float]) -> Table:
    """Show what each way of learning ranks on every held-out client, best last; exact, outside.

    Args:
        everyone: of the training, and of each department alone without noise.
        cube: of the released cube's linear model.
        epsilons: that the training and the cube cost.
    """
    table = Table(title="What sharing brings: AUC on all held-out clients", title_justify="left")
    table.caption = "Exact, outside the sandbox; a department alone sees its own fields, no noise."
    table.add_column("Who learned")
    table.add_column("AUC", justify="right")
    table.add_column("", no_wrap=True)
    lines = {f"{d}, alone": value for d, value in everyone.alone.items()}
    lines[f"trained together, ε = {epsilons['training']:.3g}"] = everyone.federated
    lines[f"one cube of all, ε = {epsilons['cube']:.3g}"] = cube
    for name, value in sorted(lines.items(), key=lambda line: line[1] or 0.0):
        table.add_row(name, _auc(value), bar(2 * (value or 0.5) - 1, 1.0))
    return table


def relations_table(pairs: Sequence[Json], catalogue: Catalogue, target: str) -> Table:
    """Show what goes with a field most, of a cube's relations, the strongest first."""
    title = f"What goes with: {catalogue.field(target).title}"
    table = Table(title=escape(title), caption="in bits, ± 95 % of the noise", title_justify="left")
    table.add_column("Field")
    table.add_column("Mutual information", justify="right")
    for pair in pairs:
        told = pair["mutual_information"]
        if target in pair["fields"]:
            (other,) = set(pair["fields"]) - {target}
            table.add_row(named(catalogue.field(other)), _entry(told))
    return table


def refusal_panel(refusal: Refusal, reason: str) -> Panel:
    """Show why a question was refused."""
    text = f"[bold]{escape(refusal.title)}[/] ({escape(refusal.code)})\n{escape(refusal.text)}"
    return Panel(text, title=f"Refused: {escape(reason)}", title_align="left")


def people_table(people: Sequence[Seeded]) -> Table:
    """Show who can sign in, with passwords (secret) that are told this once."""
    table = Table(
        title="Sign in to the console as; the passwords are shown once", title_justify="left"
    )
    for head in ("Role", "Name", "Password"):
        table.add_column(head, no_wrap=True)
    for one in people:
        table.add_row(_words(one.role.value), one.name, one.password)
    return table


def where_lines(address: str, tokens: Mapping[str, Path]) -> list[str]:
    """Say where the API listens, and how to call it without a token on a command line."""
    first = next(iter(tokens.values()))
    names = ", ".join(path.name for path in tokens.values())
    return [
        f"The API listens on {address} and describes itself at {address}/api/v1/openapi.json",
        f"Each role's token is a file in {first.parent}: {names}",
        f'  curl -H "Authorization: Bearer $(cat {first})" {address}/api/v1/runs',
    ]


def _words(name: str) -> str:
    return name.replace("_", " ")


def say(console: Console, text: str) -> None:
    """Print a line as it is: no markup is read in it, and no line of it is broken."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _entry(entry: Any) -> str:  # noqa: ANN401 - a figure of an answer, or a list of figures
    """Show one figure, or a line for each of several: label or place first."""
    if isinstance(entry, list):
        return "\n".join(_part(part) for part in entry)
    if "note" in entry:
        return str(entry["note"])
    if "half_width" in entry:
        return figure(entry["value"], entry["half_width"])
    value, low, high = entry["value"], entry["low"], entry["high"]
    digits = _digits((high - low) / 2)
    return f"{value:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def _part(part: Mapping[str, Any]) -> str:
    place = part.get("label", part.get("at", ""))
    close = " too close to call" if part.get("too_close_to_call") else ""
    return escape(f"{place}  {_entry(part)}{close}".strip())


def _mean(mean: Mapping[str, Any], field: Field) -> str:
    """Show a mean, unless its interval is as wide as all that the field may be."""
    if "note" in mean:
        return str(mean["note"])
    lower, upper = field.lower, field.upper
    if lower is not None and upper is not None and 2 * mean["half_width"] >= upper - lower:
        return TOO_FEW
    return figure(mean["value"], mean["half_width"])


def _auc(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
