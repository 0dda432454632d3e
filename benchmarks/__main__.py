"""Run the benchmarks, keep every figure in ``results.jsonl``, print a table.

``python -m benchmarks [--only NAME]``. A benchmark is a module of this folder with ``rows()``,
which measures when it is called and returns its figures as mappings with ``name``, ``value``,
``unit``, ``peer`` (the other program's value, measured in the same call) and ``ratio``.
"""

import argparse
import importlib
import json
import os
import pkgutil
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
KEYS = ("name", "value", "unit", "peer", "ratio")

Figure = Mapping[str, object]


def names() -> list[str]:
    """Return the benchmarks there are: the folder's modules that define ``rows``."""
    modules = (m.name for m in pkgutil.iter_modules([str(HERE)]) if not m.ispkg)
    return sorted(m for m in modules if "\ndef rows(" in (HERE / f"{m}.py").read_text())


def measured(name: str) -> list[Figure]:
    """Run one benchmark; return its figures, each with the machine it was measured on."""
    rows: Sequence[Figure] = importlib.import_module(f"benchmarks.{name}").rows()
    machine = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    return [{key: row.get(key) for key in KEYS} | {"machine": machine} for row in rows]


def keep(figures: Sequence[Figure], file: Path = RESULTS) -> None:
    """Append one JSON line per figure."""
    with file.open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(figure, ensure_ascii=False) + "\n" for figure in figures)


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned columns."""
    cells = [KEYS, *([_cell(figure[key]) for key in KEYS] for figure in figures)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(KEYS))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run all benchmarks, or the one that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False)
    parser.add_argument("--only", choices=names(), help="run this one")
    only: str | None = parser.parse_args().only
    figures: list[Figure] = []
    for name in [only] if only else names():
        print(f"{name} …", flush=True)
        found = measured(name)
        keep(found)
        figures += found
    print(table(figures))


if __name__ == "__main__":
    main()
