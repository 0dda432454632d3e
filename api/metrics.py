"""Figures for Prometheus: budgets, and requests by route and status.

Policy figures only: no cohort's size, no client, and no time that one query took.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from federation.coordinator.desk import Desk, PoolView, budgets

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def request_counter(registry: CollectorRegistry) -> Counter:
    """Return the counter of requests; ``route`` is a template and never a path."""
    return Counter(
        "infosandbox_http_requests",
        "Requests by route and status",
        ["method", "route", "status"],
        registry=registry,
    )


def count_request(counter: Counter, *, method: str, route: str, status: int) -> None:
    """Count one request; a method that nobody knows is no label of its own."""
    known = method if method in METHODS else "other"
    counter.labels(method=known, route=route, status=str(status)).inc()


def exposition(desk: Desk, registry: CollectorRegistry, *, alive: bool) -> str:
    """Return everything in Prometheus's text format.

    Args:
        desk: its ledger is read.
        registry: with the counter of requests.
        alive: whether the ServerApp was heard of lately.
    """
    now = CollectorRegistry()
    given = Gauge("infosandbox_budget_epsilon", "ε given", ["pool", "window"], registry=now)
    spent = Gauge(
        "infosandbox_spent_epsilon", "ε spent or reserved", ["pool", "window"], registry=now
    )
    left = Gauge("infosandbox_remaining_rho", "ρ left in every window", ["pool"], registry=now)
    for view in budgets(desk):
        _show_pool(view, given, spent)
        left.labels(pool=view.pool).set(view.remaining_rho)
    _flag(now, "infosandbox_coordinator_alive", "Whether runs are carried out", on=alive)
    refusing = bool(desk.evidence.witnesses.refusing())
    _flag(now, "infosandbox_witness_refusing", "Whether a department doubts the log", on=refusing)
    return (generate_latest(now) + generate_latest(registry)).decode()


def _show_pool(view: PoolView, given: Gauge, spent: Gauge) -> None:
    for name, window in (("month", view.month), ("year", view.year), ("lifetime", view.lifetime)):
        spent.labels(pool=view.pool, window=name).set(window.spent_epsilon)
        if window.budget_epsilon is not None:
            given.labels(pool=view.pool, window=name).set(window.budget_epsilon)


def _flag(registry: CollectorRegistry, name: str, text: str, *, on: bool) -> None:
    Gauge(name, text, registry=registry).set(1 if on else 0)
