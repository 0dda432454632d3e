"""What people read of a cube in a terminal. Nothing is computed but rounding."""

from rich.markup import escape
from rich.table import Table

from api.client import Json
from api.demo.show import bar, figure

_CAPTION = "± is a 95 % interval of the noise, each figure by itself"


def cells_table(found: Json) -> Table:
    """Show a histogram or a crosstab, one row a cell."""
    table = Table(title="Clients", caption=_CAPTION, title_justify="left")
    for name in found["fields"]:
        table.add_column(escape(name), overflow="fold")
    table.add_column("clients", justify="right")
    table.add_column("", no_wrap=True)
    largest = max(row["count"]["value"] for row in found["rows"])
    for row in found["rows"]:
        count = row["count"]
        labels = [escape(label) for label in row["cell"].values()]
        shown = figure(count["value"], count["half_width"])
        table.add_row(*labels, shown, bar(count["value"], largest))
    return table


def relations_table(found: Json) -> Table:
    """Show every pair of fields, the strongest first."""
    table = Table(title="What goes together", caption=_CAPTION, title_justify="left")
    table.add_column("field", overflow="fold")
    table.add_column("field", overflow="fold")
    for column in ("mutual information (bits)", "of which noise, about", "correlation"):
        table.add_column(column, overflow="fold", justify="right")
    for pair in found["pairs"]:
        told = pair["mutual_information"]
        noise = f"{told['bias']:.2g}" if "bias" in told else ""
        names = [escape(name) for name in pair["fields"]]
        table.add_row(*names, _shown(told), noise, _shown(pair["correlation"]))
    return table


def model_table(found: Json) -> Table:
    """Show a linear model's weights, one row a label."""
    title = f"Share of {found['target']} = {found['label']}, from a base of {found['base']:.3f}"
    table = Table(title=escape(title), caption=_CAPTION, title_justify="left")
    for column in ("field", "label"):
        table.add_column(column, overflow="fold")
    table.add_column("changes it by", justify="right")
    for name, weights in found["weights"].items():
        for label, weight in weights.items():
            table.add_row(escape(name), escape(label), _shown(weight))
    return table


def _shown(told: Json) -> str:
    return str(told["note"]) if "note" in told else figure(told["value"], told["half_width"])
