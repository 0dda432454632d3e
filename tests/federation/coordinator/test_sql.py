"""The SQL door: what it understands becomes the plan it names; all else is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import load_catalogue
from federation.coordinator.errors import SqlRefused
from federation.coordinator.spelling import spelled
from federation.coordinator.sql import LONGEST, question_of
from federation.plans import read_plan
from federation.question_plan import QuestionPlan

CATALOGUE = load_catalogue(Path(__file__).parents[1] / "node" / "catalogue.toml")
COMMON = {
    "kind": "question",
    "catalogue": CATALOGUE.digest(),
    "purpose": "review",
    "cohort": ["advisory", "research", "risk"],
    "rho": 0.1,
    "reason": "a test",
}


def plan(sql: str) -> QuestionPlan:
    found = read_plan(spelled(COMMON | question_of(sql, CATALOGUE), CATALOGUE))
    assert isinstance(found, QuestionPlan)
    return found


def test_a_select_is_the_question_it_says() -> None:
    asked = question_of(
        "SELECT age, count(*), avg(income), sum(income), var_pop(income), median(income),\n"
        "  quantile_cont(age, 0.9), corr(income, age), sum(income) / sum(age)\n"
        "FROM clients WHERE education IN ('school', 'other') AND NOT defaulted\n"
        "  AND (age >= 30 AND age < 50) AND income IS NOT NULL GROUP BY age",
        CATALOGUE,
    )
    assert asked["by"] == ["age"]
    kinds = [s["kind"] for s in asked["statistics"]]
    assert kinds == [
        "count", "mean", "sum", "variance", "quantiles", "quantiles", "correlation", "ratio",
    ]  # fmt: skip
    assert asked["where"] == [
        {"field": "education", "one_of": ["school", "other"]},
        {"field": "defaulted", "equal": "no"},
        {"field": "age", "from": 30.0},
        {"field": "age", "to": 50.0},
        {"field": "income", "one_of": ["all"]},
    ]


REFUSED = {
    "nothing": ("", "one statement"),
    "no SQL": ("SELEKT age", "only SELECT"),
    "an unfinished one": ("SELECT count(* FROM clients", "no SQL"),
    "two statements": ("SELECT count(*) FROM clients; DROP TABLE clients", "one statement"),
    "a drop": ("DROP TABLE clients", "only SELECT"),
    "an insert": ("INSERT INTO clients VALUES (1)", "only SELECT"),
    "a star": ("SELECT * FROM clients", "a column is"),
    "rows": ("SELECT age FROM clients", "same fields"),
    "a group that is not shown": ("SELECT count(*) FROM clients GROUP BY age", "same fields"),
    "another table": ("SELECT count(*) FROM staff", "one table"),
    "a schema": ("SELECT count(*) FROM main.clients", "one table"),
    "an alias of the table": ("SELECT count(*) FROM clients AS c", "one table"),
    "a file": ("SELECT count(*) FROM read_parquet('/etc/passwd')", ""),
    "a subquery": ("SELECT count(*) FROM (SELECT age FROM clients)", "no subquery"),
    "a join": ("SELECT count(*) FROM clients JOIN clients AS c ON true", "joins"),
    "a comma join": ("SELECT count(*) FROM clients, clients", "joins"),
    "a union": ("SELECT count(*) FROM clients UNION SELECT 1", "only SELECT"),
    "a with": ("WITH c AS (SELECT 1) SELECT count(*) FROM clients", "with"),
    "having": ("SELECT age, count(*) FROM clients GROUP BY age HAVING count(*) > 5", "having"),
    "an order": ("SELECT count(*) FROM clients ORDER BY 1", "order"),
    "a limit": ("SELECT count(*) FROM clients LIMIT 1", "limit"),
    "distinct": ("SELECT DISTINCT count(*) FROM clients", "distinct"),
    "count of a field": ("SELECT count(age) FROM clients", "a column is"),
    "count distinct": ("SELECT count(DISTINCT age) FROM clients", "a column is"),
    "a function": ("SELECT avg(ln(income)) FROM clients", "only the name"),
    "a window": ("SELECT avg(income) OVER () FROM clients", "a column is"),
    "min": ("SELECT min(income) FROM clients", "a column is"),
    "an alias that lies": ("SELECT avg(income) AS age FROM clients", "leave AS out"),
    "rollup": ("SELECT age, count(*) FROM clients GROUP BY ROLLUP (age)", ""),
    "or": ("SELECT count(*) FROM clients WHERE defaulted OR age >= 30", "joined by AND"),
    "like": ("SELECT count(*) FROM clients WHERE education LIKE 's%'", "a condition is"),
    "not in": ("SELECT count(*) FROM clients WHERE education NOT IN ('school')", "a condition"),
    "in a query": ("SELECT count(*) FROM clients WHERE age IN (SELECT 1)", "a condition is"),
    "a client": ("SELECT count(*) FROM clients WHERE client_id = 'CL00004'", "no such field"),
    "an injection": ("SELECT count(*) FROM clients WHERE education = '' OR ''=''", "AND"),
    "a label that is none": ("SELECT count(*) FROM clients WHERE education = 'x'", "labels"),
    "a mean of a category": ("SELECT avg(education) FROM clients", "no number"),
    "a megabyte": ("SELECT count(*) FROM clients --" + "x" * 2**20, "characters"),
    "a deep nest": ("SELECT " + "(" * 1900 + "1" + ")" * 1900, "nested"),
}


@pytest.mark.parametrize(("sql", "reason"), REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_with_the_reason(sql: str, reason: str) -> None:
    with pytest.raises(SqlRefused) as caught:
        question_of(sql, CATALOGUE)
    assert reason in caught.value.reason
    assert "CL00004" not in str(caught.value)


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(SqlRefused) as caught:
        question_of("SELECT count(*),\n  avg(education)\nFROM clients", CATALOGUE)
    assert (caught.value.line, caught.value.column) == (2, 7)


NAMES = st.sampled_from(["age", "education", "income", "defaulted", "client_id", "height"])
ITEMS = st.one_of(
    NAMES,
    st.just("count(*)"),
    st.tuples(
        st.sampled_from(["avg", "sum", "median", "var_pop", "min", "count", "ln"]), NAMES
    ).map(lambda pair: f"{pair[0]}({pair[1]})"),
    st.tuples(NAMES, NAMES).map(lambda pair: f"corr({pair[0]}, {pair[1]})"),
    st.tuples(NAMES, NAMES).map(lambda pair: f"sum({pair[0]}) / sum({pair[1]})"),
)
CONDITIONS = st.one_of(
    NAMES,
    NAMES.map("NOT {}".format),
    NAMES.map("{} IS NOT NULL".format),
    st.tuples(
        NAMES, st.sampled_from([">=", "<", "=", ">"]), st.sampled_from(["30", "50", "7"])
    ).map(" ".join),
    NAMES.map("{} IN ('school', 'other')".format),
    NAMES.map("{} = 'university'; DROP TABLE x".format),
)


@given(
    st.lists(ITEMS, min_size=1, max_size=4),
    st.lists(CONDITIONS, max_size=3),
    st.sampled_from([" AND ", " OR "]),
    st.lists(NAMES, max_size=2, unique=True),
)
def test_what_is_accepted_names_no_field_that_the_statement_does_not(
    items: list[str], conditions: list[str], joined: str, by: list[str]
) -> None:
    sql = f"SELECT {', '.join([*by, *items])} FROM clients"  # noqa: S608 - nothing executes it
    sql += f" WHERE {joined.join(conditions)}" if conditions else ""
    sql += f" GROUP BY {', '.join(by)}" if by else ""
    try:
        asked = question_of(sql, CATALOGUE)
    except SqlRefused as refused:
        refusal = refused
        asked = {"statistics": [], "by": [], "where": []}
    else:
        refusal = SqlRefused(1, 1, "accepted")
    assert (refusal.line, 1 <= refusal.column <= len(sql) + 1) == (1, True)
    named: set[str] = set(asked["by"]) | {c["field"] for c in asked["where"]}
    named |= {v for s in asked["statistics"] for k, v in s.items() if k in _FIELDS}
    assert all(name in sql for name in named)
    assert joined == " AND " or len(conditions) < 2 or refusal.reason != "accepted"


_FIELDS = {"field", "other", "over"}


@given(st.text(max_size=200))
def test_any_text_is_refused_or_is_a_question(text: str) -> None:
    try:
        found: dict[str, Any] = question_of(text, CATALOGUE)
    except SqlRefused:
        return
    assert found["statistics"]


def test_a_plan_from_sql_is_the_plan_from_the_form() -> None:
    form = {"statistics": [{"kind": "mean", "field": "income"}], "by": ["age"]}
    where = [{"field": "education", "equal": "school"}]
    same = read_plan(spelled(COMMON | form | {"where": where}, CATALOGUE))
    sql = "SELECT age, avg(income) FROM clients WHERE education = 'school' GROUP BY age"
    assert plan(sql) == same
    assert len(sql) < LONGEST
