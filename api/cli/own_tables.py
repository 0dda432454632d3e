"""A department's own scores, explanations and exact figures in its own terminal."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from federation.node.explaining import Explained
from federation.node.local_training import Judged, LocalModel
from federation.node.scoring import NEVER_TO_BE_SHARED
from models.exact_metrics import BinaryMetrics


def scores_table(scores: Mapping[str, float]) -> Table:
    """Show one client's scores."""
    table = Table(title=NEVER_TO_BE_SHARED)
    table.add_column("what")
    table.add_column("score", justify="right")
    for name, value in scores.items():
        table.add_row(escape(name), f"{value:.4g}")
    return table


def explained_table(found: Explained) -> Table:
    """Show what each field adds to one client's score, the largest first."""
    table = Table(
        title=f"What adds up to {escape(found.explains)}. {NEVER_TO_BE_SHARED}",
        caption="; ".join(f"{escape(k)} {v:.4g}" for k, v in found.scores.items()),
    )
    table.add_column("field", overflow="fold")
    table.add_column("value")
    table.add_column("adds", justify="right")
    table.add_row("nothing known", "", f"{found.nothing_known:+.4f}")
    for share in found.shares:
        value = share.value or f"({share.presence})"
        table.add_row(escape(share.title), escape(value), f"{share.added:+.4f}")
    table.add_row("together", "", f"{found.output:+.4f}", style="bold")
    return table


def judged_table(found: LocalModel) -> Table:
    """Show a local model's exact figures, of everyone held out and by group."""
    table = Table(title=f"Exact, on clients held out. {NEVER_TO_BE_SHARED}")
    names = (
        ("clients", "share of yes", "mean score", "AUC", "KS", "calibration error")
        if isinstance(found.held_out, BinaryMetrics)
        else ("clients", "right", "mean error", "error of the middle")
    )
    table.add_column("who")
    for name in names:
        table.add_column(name, justify="right")
    table.add_row("everyone", *_figures(found.held_out))
    for label, judged in found.groups.items():
        table.add_row(escape(label), *_figures(judged))
    return table


def _figures(judged: Judged) -> tuple[str, ...]:
    if isinstance(judged, BinaryMetrics):
        ranking = (judged.rate, judged.mean_score, judged.auc, judged.ks, judged.calibration_error)
        return (str(judged.clients), *map(_rounded, ranking))
    rest = (judged.right, judged.error, judged.error_of_the_middle)
    return (str(judged.clients), *map(_rounded, rest))


def _rounded(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"
