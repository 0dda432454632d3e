"""Each kind of tampering with evidence is named."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from federation.coordinator.desk import Desk
from federation.coordinator.export import read_evidence
from federation.coordinator.findings import Wrong
from federation.coordinator.verify import Report, Unchecked, verify
from privacy.entries import GENESIS, Decided, Entry, Event, from_text, sealed, to_text
from privacy.loss import Rho

Lines = list[dict[str, Any]]


def lines_of(evidence: bytes) -> Lines:
    return [json.loads(line) for line in evidence.splitlines()]


def joined(lines: Lines) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def wrongs(report: Report) -> set[Wrong]:
    return {finding.wrong for finding in report.findings}


def entries_of(lines: Lines) -> list[Entry]:
    texts = [(line["entry"], line["digest"]) for line in lines if "entry" in line]
    return [from_text(text, digest, index=place) for place, (text, digest) in enumerate(texts)]


def with_events(lines: Lines, events: list[Event]) -> Lines:
    """Write the ledger anew, with a chain and a header that fit: the work of who holds it all."""
    entries, previous = [], GENESIS
    for event in events:
        entries.append(sealed(len(entries), previous, event))
        previous = entries[-1].digest
    told = [{"entry": to_text(entry), "digest": entry.digest} for entry in entries]
    first = next(place for place, line in enumerate(lines) if "entry" in line)
    rest = [line for line in lines if "entry" not in line]
    header = rest[0] | {"entries": len(entries), "head": previous}
    return [header, *rest[1:first], *told, *rest[first:]]


def events_of(lines: Lines) -> list[Event]:
    return [entry.event for entry in entries_of(lines)]


def tampered(lines: Lines, where: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Change the first line that has this key and is of a released question, or of no run."""
    for line in lines:
        found = line.get(where, {})
        question = found.get("plan", {}).get("kind", "question") == "question"
        if where in line and question and found.get("state", "released") == "released":
            change(found)
            return joined(lines)
    raise AssertionError(where)


def edit_entry(lines: Lines) -> bytes:
    line = next(line for line in lines if '"kind":"reserved"' in line.get("entry", ""))
    line["entry"] = line["entry"].replace('"rho":0.05', '"rho":0.04')
    return joined(lines)


def reseal_entry(lines: Lines) -> bytes:
    place = next(i for i, e in enumerate(entries_of(lines)) if type(e.event).__name__ == "Reserved")
    entry = entries_of(lines)[place]
    cheaper = sealed(place, entry.previous, replace(entry.event, rho=Rho(0.04)))  # type: ignore[arg-type]
    line = [line for line in lines if "entry" in line][place]
    line |= {"entry": to_text(cheaper), "digest": cheaper.digest}
    return joined(lines)


def drop_entry(lines: Lines) -> bytes:
    lines.remove([line for line in lines if "entry" in line][3])
    return joined(lines)


def drop_last_entry(lines: Lines) -> bytes:
    lines.remove([line for line in lines if "entry" in line][-1])
    return joined(lines)


def swap_entries(lines: Lines) -> bytes:
    first = next(place for place, line in enumerate(lines) if "entry" in line)
    lines[first + 2], lines[first + 3] = lines[first + 3], lines[first + 2]
    return joined(lines)


def rewrite_cheaper(lines: Lines) -> bytes:
    events = [
        replace(event, rho=Rho(0.04)) if getattr(event, "rho", None) == Rho(0.05) else event  # type: ignore[call-arg]
        for event in events_of(lines)
    ]
    return joined(with_events(lines, events))


def rewrite_dearer(lines: Lines) -> bytes:
    events = [
        replace(event, rho=Rho(50.0)) if getattr(event, "rho", None) == Rho(0.05) else event  # type: ignore[call-arg]
        for event in events_of(lines)
    ]
    return joined(with_events(lines, events))


def rewrite_without_an_opinion(lines: Lines) -> bytes:
    events = events_of(lines)
    events.remove(next(event for event in events if isinstance(event, Decided)))
    return joined(with_events(lines, events))


def swap_plan(lines: Lines) -> bytes:
    return tampered(lines, "run", lambda run: run["plan"].update(by=["age"]))


def drop_run(lines: Lines) -> bytes:
    lines.remove(next(line for line in lines if line.get("run", {}).get("state") == "released"))
    return joined(lines)


def lower_totals(lines: Lines) -> bytes:
    return tampered(lines, "totals", lambda sums: sums["firm"].update(spent_rho=0.01))


def change_label(**values: Any) -> Callable[[Lines], bytes]:
    return lambda lines: tampered(lines, "run", lambda run: run["label"].update(values))


def narrow_interval(lines: Lines) -> bytes:
    return tampered(lines, "run", lambda run: run["label"]["interval"].update(count=0.5))


def change_figure(lines: Lines) -> bytes:
    change = lambda run: run["result"]["rows"][0]["count"].update(value=999.0)  # noqa: E731
    return tampered(lines, "run", change)


def loosen_policy(lines: Lines) -> bytes:
    return tampered(lines, "policy", lambda policy: policy["firm"].update(epsilon=99.0))


def tighten_limit(lines: Lines) -> bytes:
    return tampered(lines, "policy", lambda policy: policy.update(automatic_epsilon=0.1))


def drop_log(lines: Lines) -> bytes:
    return joined([line for line in lines if "log" not in line])


def cut_off(lines: Lines) -> bytes:
    return joined(lines[: len(lines) - 4])


TAMPERINGS: list[tuple[Callable[[Lines], bytes], Wrong]] = [
    (edit_entry, Wrong.EDITED),
    (reseal_entry, Wrong.EDITED),
    (drop_entry, Wrong.DROPPED),
    (drop_last_entry, Wrong.DROPPED),
    (swap_entries, Wrong.REORDERED),
    (rewrite_cheaper, Wrong.CHARGE),
    (rewrite_cheaper, Wrong.TOTALS),
    (rewrite_dearer, Wrong.OVERSPENT),
    (rewrite_without_an_opinion, Wrong.APPROVAL),
    (swap_plan, Wrong.PLAN),
    (drop_run, Wrong.DROPPED_RUN),
    (lower_totals, Wrong.TOTALS),
    (change_label(rho=0.001), Wrong.UNDERSTATED),
    (change_label(epsilon=0.001), Wrong.UNDERSTATED),
    (change_label(delta=1e-12), Wrong.UNDERSTATED),
    (narrow_interval, Wrong.UNDERSTATED),
    (change_label(who_saw_what="nobody"), Wrong.LABEL),
    (change_label(retention=None), Wrong.LABEL),
    (change_figure, Wrong.LABEL),
    (change_figure, Wrong.LOG),
    (loosen_policy, Wrong.POLICY),
    (tighten_limit, Wrong.APPROVAL),
    (drop_log, Wrong.LOG),
    (cut_off, Wrong.CUT),
]


@pytest.mark.parametrize(
    ("tamper", "wrong"), TAMPERINGS, ids=[f"{n}-{w.value}" for n, (_, w) in enumerate(TAMPERINGS)]
)
def test_tampering_is_named(
    evidence: bytes, tamper: Callable[[Lines], bytes], wrong: Wrong
) -> None:
    assert wrong in wrongs(verify(tamper(lines_of(evidence))))


def test_a_swapped_plan_with_a_digest_to_match_is_still_named(evidence: bytes) -> None:
    lines = lines_of(evidence)
    runs = [line["run"] for line in lines if "run" in line]
    run = next(r for r in runs if r["plan"]["kind"] == "question" and r["state"] == "released")
    run["plan"]["by"] = ["age"]
    run["digest"] = run["label"]["plan"] = "0" * 64
    assert Wrong.PLAN in wrongs(verify(joined(lines)))
    assert Wrong.LOG in wrongs(verify(joined(lines)))


def test_a_ledger_that_is_rewritten_whole_misses_a_head_kept_elsewhere(
    evidence: bytes, desk: Desk
) -> None:
    lines = lines_of(evidence)
    shorter = joined(with_events(lines, events_of(lines)[:-1]))
    assert Wrong.HEAD in wrongs(verify(shorter, head=desk.ledger.verify()))
    assert Wrong.HEAD not in wrongs(verify(evidence, head=desk.ledger.entries()[4].digest))


def test_a_log_that_was_edited_is_named_with_the_roster(evidence: bytes, desk: Desk) -> None:
    lines = lines_of(evidence)
    entry = next(line for line in lines if '"kind":"release"' in line.get("log", ""))
    entry["log"] = entry["log"].replace('"rho":0.05', '"rho":0.04')
    assert Wrong.LOG in wrongs(verify(joined(lines), roster=desk.evidence.roster))


def test_a_broken_ledger_leaves_the_rest_unchecked(evidence: bytes) -> None:
    assert Unchecked.AFTER_BREAK in verify(drop_entry(lines_of(evidence))).unchecked


def test_a_run_of_another_shape_is_malformed(evidence: bytes) -> None:
    lines = lines_of(evidence)
    next(line["run"] for line in lines if "run" in line)["attempt"] = "first"
    assert Wrong.MALFORMED in wrongs(verify(joined(lines)))
    assert not read_evidence(joined(lines)).malformed


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, "\ud800"], ids=repr)
@pytest.mark.parametrize("part", ["plan", "result", "label"])
def test_a_value_without_a_canonical_form_is_malformed(
    evidence: bytes, part: str, value: object
) -> None:
    lines = lines_of(evidence)
    run = next(line["run"] for line in lines if line.get("run", {}).get("state") == "released")
    run[part]["canary"] = value
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert Wrong.MALFORMED in wrongs(verify(data))
