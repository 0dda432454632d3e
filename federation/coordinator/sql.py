"""A small SQL door: one SELECT over ``clients`` becomes a question. Parsed, never executed. Pure.

What it understands is listed here and nowhere else; whatever is not in the list is refused with its
place and the reason. A statement gives the question's statistics, ``by`` and ``where``; what it is
for, why and at what price stand beside it, for SQL has no words for them.
"""

from typing import Any, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from consent.catalogue import Catalogue, Field
from federation.coordinator.errors import SqlRefused

LONGEST = 4000
"""Characters of a statement."""

_TABLE = "clients"
_CLAUSES = {"expressions", "from_", "where", "group"}
_SINGLE: dict[type[exp.Expression], str] = {
    exp.Avg: "mean",
    exp.Sum: "sum",
    exp.Variance: "variance",
    exp.VariancePop: "variance",
    exp.Median: "quantiles",
}

Json = dict[str, Any]


def question_of(sql: str, catalogue: Catalogue) -> Json:
    """Return the statistics, ``by`` and ``where`` that one SELECT means.

    Args:
        sql: one statement, at most LONGEST characters.
        catalogue: the fields it may name.

    Raises:
        SqlRefused: with the line, the column and the reason.
    """
    return _Reader(sql, catalogue).read()


class _Reader:
    """One statement's text, for places, and the catalogue, for names."""

    def __init__(self, sql: str, catalogue: Catalogue) -> None:
        self._sql = sql
        self._fields = {field.name: field for field in catalogue.fields}

    def read(self) -> Json:
        select = self._parsed()
        for key, value in select.args.items():
            if value and key not in _CLAUSES:
                self._refuse(select, f"{key.rstrip('_').replace('_', ' ')} is not understood here")
        self._check_table(select)
        statistics, shown = [], []
        for item in select.expressions:
            if isinstance(item, exp.Column):
                shown.append(self._field(item).name)
            else:
                statistics.append(self._statistic(item))
        group = select.args.get("group")
        by = [self._field(item).name for item in group.expressions] if group else []
        if group and {key for key, value in group.args.items() if value} != {"expressions"}:
            self._refuse(group, "GROUP BY takes a list of fields only")
        if set(shown) != set(by) or len(set(by)) < len(by) or len(shown) != len(by):
            self._refuse(select, "SELECT and GROUP BY must name the same fields, each once")
        if not statistics:
            self._refuse(select, "ask for a statistic, like count(*) or avg(a field)")
        where = select.args.get("where")
        return {
            "statistics": statistics,
            "by": by,
            "where": [] if where is None else self._conditions(where.this),
        }

    def _parsed(self) -> exp.Select:
        if len(self._sql) > LONGEST:
            raise SqlRefused(1, 1, f"a statement has at most {LONGEST} characters")
        try:
            statements = [s for s in sqlglot.parse(self._sql, read="duckdb") if s is not None]
        except SqlglotError as error:
            places = [e for e in getattr(error, "errors", []) if e.get("line") and e.get("col")]
            line, column = (places[0]["line"], places[0]["col"]) if places else (1, 1)
            raise SqlRefused(line, column, "this is no SQL") from None
        except RecursionError:
            raise SqlRefused(1, 1, "it is nested too deeply") from None
        if len(statements) != 1:
            raise SqlRefused(1, 1, "write one statement")
        if type(statements[0]) is not exp.Select:
            raise SqlRefused(1, 1, f"only SELECT is understood, not {statements[0].key.upper()}")
        return statements[0]

    def _check_table(self, select: exp.Select) -> None:
        source = select.args.get("from_")
        table = source.this if source is not None else None
        if type(table) is not exp.Table:
            self._refuse(table or select, f"write FROM {_TABLE}: no subquery, no join, no function")
        if {key for key, value in table.args.items() if value} != {"this"} or table.name != _TABLE:
            self._refuse(table, f"there is one table, {_TABLE}, and it takes no other name")

    def _field(self, node: exp.Expression) -> Field:
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            self._refuse(node, "only the name of a field may stand here")
        if {key for key, value in node.args.items() if value} != {"this"}:
            self._refuse(node, "write a field's name alone, without its table")
        if node.name not in self._fields:
            self._refuse(node, "the catalogue has no such field")
        return self._fields[node.name]

    def _statistic(self, item: exp.Expression) -> Json:
        match item:
            case exp.Alias():
                raise self._refusal(item, "leave AS out: an answer names each figure by what it is")
            case exp.Count(this=exp.Star()) if not item.expressions:
                return {"kind": "count"}
            case exp.Corr():
                first, second = sorted((self._number(item.this), self._number(item.expression)))
                if first == second:
                    self._refuse(item, "corr takes two fields")
                return {"kind": "correlation", "field": first, "other": second}
            case exp.Div(this=exp.Sum() as above, expression=exp.Sum() as below):
                parts = {"field": self._number(above.this), "over": self._number(below.this)}
                return {"kind": "ratio"} | parts
            case exp.PercentileCont(expression=exp.Literal(is_string=False) as place):
                quantile = {"field": self._number(item.this), "at": [float(place.name)]}
                return {"kind": "quantiles"} | quantile
            case _ if type(item) in _SINGLE:
                return {"kind": _SINGLE[type(item)], "field": self._number(item.this)}
            case _:
                raise self._refusal(
                    item,
                    "a column is a field, count(*), avg, sum, var_pop, median, quantile_cont, "
                    "corr, or sum over sum",
                )

    def _number(self, node: exp.Expression) -> str:
        field = self._field(node)
        if field.kind != "number":
            self._refuse(node, f"{field.name} is no number")
        return field.name

    def _conditions(self, node: exp.Expression) -> list[Json]:
        """Flatten a chain of AND, without recursion, in the order in which it is written."""
        waiting, found = [node], []
        while waiting:
            match waiting.pop():
                case exp.And(this=left, expression=right):
                    waiting += [right, left]
                case exp.Paren(this=inside):
                    waiting.append(inside)
                case single:
                    found.append(self._condition(single))
        return found

    def _condition(self, node: exp.Expression) -> Json:  # noqa: PLR0911 - one for each form
        match node:
            case exp.Column():
                return self._flag(node, "yes")
            case exp.Not(this=exp.Column() as column):
                return self._flag(column, "no")
            case exp.Not(this=exp.Is(this=column, expression=exp.Null())):
                field = self._field(column)
                return {"field": field.name, "one_of": list(field.labels())}
            case exp.EQ(this=column, expression=exp.Boolean(this=value)):
                return self._flag(column, "yes" if value else "no")
            case exp.EQ(this=column, expression=exp.Literal(is_string=True) as label):
                return {"field": self._field(column).name, "equal": self._label(column, label)}
            case exp.In(this=column, expressions=[_, *_] as labels):
                names = [self._label(column, label) for label in labels]
                return {"field": self._field(column).name, "one_of": names}
            case exp.GTE(this=column, expression=edge):
                return {"field": self._number(column), "from": self._edge(edge)}
            case exp.LT(this=column, expression=edge):
                return {"field": self._number(column), "to": self._edge(edge)}
            case _:
                raise self._refusal(
                    node,
                    "a condition is field = 'label', field IN (…), field >= edge, field < edge, "
                    "a flag, NOT a flag, or field IS NOT NULL; conditions are joined by AND",
                )

    def _flag(self, node: exp.Expression, label: str) -> Json:
        field = self._field(node)
        if field.kind != "flag":
            self._refuse(node, f"{field.name} is no flag")
        return {"field": field.name, "equal": label}

    def _label(self, column: exp.Expression, node: exp.Expression) -> str:
        field = self._field(column)
        if not isinstance(node, exp.Literal) or node.name not in field.labels():
            known = ", ".join(field.labels()[:20])
            self._refuse(node, f"{field.name} has the labels {known}")
        return str(node.name)

    def _edge(self, node: exp.Expression) -> float:
        sign = 1.0
        if isinstance(node, exp.Neg):
            sign, node = -1.0, node.this
        if not isinstance(node, exp.Literal) or node.is_string:
            self._refuse(node, "compare a field with a number")
        return sign * float(node.name)

    def _refuse(self, node: exp.Expression, reason: str) -> NoReturn:
        raise self._refusal(node, reason)

    def _refusal(self, node: exp.Expression, reason: str) -> SqlRefused:
        starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
        before = self._sql[: min(starts, default=0)]
        line = before.count("\n") + 1
        return SqlRefused(line, len(before) - (before.rfind("\n") + 1) + 1, reason)
