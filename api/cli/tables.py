"""What people read of the desk in a terminal. Nothing is computed but widths and rounding."""

from collections.abc import Iterable, Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from api.cards.drawing import short
from api.client import Json
from federation.coordinator.verify import Report


def budget_table(pools: Sequence[Json]) -> Table:
    """Show every pool, its windows side by side: ε spent of ε given."""
    table = Table(title="ε spent of ε given, at the pool's δ; what is reserved counts as spent")
    for column in ("pool", "this month", "12 months", "for life", "left now (ρ)", "δ"):
        table.add_column(column, overflow="fold", justify="left" if column == "pool" else "right")
    for pool in pools:
        windows = [_window(pool[name]) for name in ("month", "year", "lifetime")]
        left, delta = f"{pool['remaining_rho']:.4g}", f"{pool['delta']:.0e}"
        table.add_row(escape(pool["pool"]), *windows, left, delta)
    return table


def _window(window: Json) -> str:
    spent, budget = f"{window['spent_epsilon']:.3g}", window["budget_epsilon"]
    return spent if budget is None else f"{spent} of {budget:.3g}"


def price_table(price: Json) -> Table:
    """Show what a plan would cost."""
    table = Table(show_header=False)
    table.add_row("costs", f"ε = {price['epsilon']:.4g} at δ = {price['delta']:.0e}")
    table.add_row("in ρ", f"{price['rho']:.4g}, of {price['remaining_rho']:.4g} left now")
    table.add_row("needs two officers", "yes" if price["needs_approval"] else "no")
    if price["owners_save"] > 1:
        saved = f"without one owner a client, noise were {price['owners_save']:.2g} times as wide"
        table.add_row("ownership", saved)
    if price["clients_per_household"] > 1:
        most = price["clients_per_household"]
        table.add_row("household", f"up to {most} clients of one count, at {most} times the noise")
    return table


def approvals_table(approvals: Iterable[Json]) -> Table:
    """Show the runs that wait, and those who may decide about them."""
    table = Table(title="Runs that wait for two officers")
    for column in ("run", "asker", "purpose", "ρ", "why", "opinions", "until", "yours"):
        table.add_column(column, overflow="fold")
    for one in approvals:
        run, plan = one["run"], one["plan"]
        table.add_row(
            run["id"],
            escape(run["asker"]),
            escape(run["purpose"]),
            f"{plan['rho']:.4g}",
            escape(plan["reason"]),
            str(one["given"]),
            one["expires_at"][:10],
            "to give" if one["may_decide"] else "given, or not yours to give",
        )
    return table


def withdrawals_table(releases: Iterable[Json]) -> Table:
    """Show each release with the bucket of clients who have withdrawn since."""
    table = Table(title="Clients of its epoch who have withdrawn since")
    for column in ("run", "kind", "purpose", "released", "epoch", "model", "withdrawn since"):
        one_line = column in {"run", "released"}
        table.add_column(column, overflow="fold", no_wrap=one_line)
    for one in releases:
        facts = (one["run"], one["kind"], escape(one["purpose"]), one["released_at"][:10])
        table.add_row(*facts, str(one["epoch"]), escape(one["model"]), one["clients"])
    return table


def opinions_table(approval: Json) -> Table:
    """Show the opinions on one run that its reader may know."""
    table = Table()
    for column in ("officer", "opinion", "reason"):
        table.add_column(column, overflow="fold")
    for one in approval["opinions"]:
        table.add_row(escape(one["officer"]), one["opinion"], escape(one["reason"]))
    return table


def models_table(models: Iterable[Json]) -> Table:
    """Show versions of models."""
    table = Table(title="Models")
    for column in ("name", "version", "stage", "purpose", "ε", "δ", "epoch", "trained", "SHA-256"):
        table.add_column(column, overflow="fold")
    for one in models:
        table.add_row(
            escape(one["name"]),
            str(one["version"]),
            one["stage"] or "",
            escape(one["purpose"]),
            f"{one['epsilon']:.3g}",
            f"{one['delta']:.0e}",
            str(one["consent_epoch"]),
            one["created_at"][:10],
            one["sha256"][:12],
        )
    return table


def evaluation_tables(result: Json, title: str) -> list[Table]:
    """Show how good a model is: over everyone and in each group; then by class, or by prediction.

    Args:
        result: of an evaluation.
        title: of the first table.
    """
    shown = Table(
        title=title,
        caption=f"on {result['on']}; {result['scored']}; in brackets 95 % intervals of the noise",
        title_justify="left",
    )
    for column in ("clients", "number", *map(_named, result["figures"])):
        shown.add_column(column, justify="left" if column == "clients" else "right")
    for row in [{"group": "everyone"} | result["everyone"], *result["groups"]]:
        told, names = row["metrics"], result["figures"]
        figures = [told["note"]] if "note" in told else [_metric(told[name]) for name in names]
        shown.add_row(escape(row["group"]), _clients(row), *figures)
    metrics = result["everyone"]["metrics"]
    return [shown, *_by_class(metrics.get("classes", ())), *_by_band(result)]


def _by_class(classes: Sequence[Json]) -> Iterator[Table]:
    if not classes:
        return
    table = Table(title="By class, everyone", title_justify="left")
    names = [name for name in ("recall", "precision", "auc") if name in classes[0]]
    for column in ("class", "number", *map(_named, names)):
        table.add_column(column, justify="left" if column == "class" else "right")
    for one in classes:
        figures = [_metric(one[name]) for name in names]
        table.add_row(escape(one["class"]), _clients(one), *figures)
    yield table


def _by_band(result: Json) -> Iterator[Table]:
    bands = result["everyone"]["metrics"].get("bands", ())
    if not bands:
        return
    table = Table(
        title="By what was predicted, everyone",
        caption=f"errors are true minus predicted, in {result['errors_in']}, "
        f"at most {short(result['error_cap'])}",
        title_justify="left",
    )
    for column in ("predicted", "number", "mean error"):
        table.add_column(column, justify="left" if column == "predicted" else "right")
    for one in bands:
        between = f"{short(one['from'])} to {short(one['to'])}"
        table.add_row(between, _clients(one), _metric(one["mean_error"]))
    yield table


def _clients(row: Json) -> str:
    return f"{row['clients']['value']:,.0f} ± {row['clients']['half_width']:,.0f}"


def _named(figure: str) -> str:
    known = {"auc": "AUC", "ks": "KS", "macro_auc": "macro AUC"}
    return known.get(figure, figure.replace("_", " "))


def influences_tables(result: Json, title: str) -> list[Table]:
    """Show which fields drive a model's scores, over everyone and in each group."""
    table = Table(
        title=title,
        caption=f"by how much a field moves the output, on {result['on']}; in brackets 95 % "
        "intervals of the noise",
        title_justify="left",
    )
    parts = [{"group": "everyone"} | result["everyone"], *result["groups"]]
    table.add_column("field", overflow="fold")
    for part in parts:
        table.add_column(escape(part["group"]), justify="right")
    told = [
        {} if isinstance(part["influences"], dict) else {o["label"]: o for o in part["influences"]}
        for part in parts
    ]
    for name in sorted(told[0], key=lambda name: -told[0][name]["value"]):
        table.add_row(name, *(_metric(one[name]) if one else "too few to tell" for one in told))
    return [table]


def _metric(told: Json) -> str:
    if "note" in told:
        return str(told["note"])
    low, high = told["interval"]
    return f"{short(told['value'])} ({short(low)} to {short(high)})"


def report_tables(report: Report) -> list[Table]:
    """Show a verification: every pool by both accountants, then what is wrong."""
    pools = Table(title="Every pool for life, recomputed from the entries")
    for column in ("pool", "ρ used", "of", "ε OpenDP", "ε dp_accounting", "exact", "of", "δ"):
        pools.add_column(column, overflow="fold", justify="left" if column == "pool" else "right")
    for one in report.pools:
        pools.add_row(
            escape(one.pool),
            f"{one.used_rho:.6g}",
            f"{one.budget_rho:.6g}",
            f"{one.epsilon:.6g}",
            f"{one.epsilon_renyi:.6g}",
            f"{one.epsilon_exact:.6g}",
            f"{one.budget_epsilon:.6g}",
            f"{one.delta:.0e}",
        )
    wrong = Table(title="What is wrong")
    for column in ("what", "where", "how"):
        wrong.add_column(column, overflow="fold")
    for finding in report.findings:
        wrong.add_row(finding.wrong.value, escape(finding.where), escape(finding.text))
    return [*([pools] if report.pools else []), *([wrong] if report.findings else [])]
