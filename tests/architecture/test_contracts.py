"""Import contracts: the tree keeps every one, and each objects to an import planted against it."""

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "consent", "federation", "models", "privacy")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in SETTINGS["contracts"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One import that a contract must object to."""

    importer: str
    imported: str


BREACHES = {
    "Imports go down": Breach(importer="models.planted_up", imported="api.planted_target"),
    "Consent and privacy meet only in federation": Breach(
        importer="consent.planted_noise", imported="privacy.planted_target"
    ),
    "Only privacy.mechanisms touches opendp": Breach(
        importer="privacy.planted_noise", imported="opendp"
    ),
    "Only models touches torch": Breach(importer="federation.planted_torch", imported="torch"),
    "Only api touches FastAPI": Breach(importer="federation.planted_door", imported="fastapi"),
    "Flower stays at the rim": Breach(importer="federation.rounds", imported="flwr"),
    "Personal rows have one door": Breach(
        importer="federation.planted_reader", imported="federation.node.records"
    ),
    "Training without noise stays in the demo": Breach(
        importer="federation.planted_training", imported="models.reference"
    ),
    "Only federation and api open a store": Breach(
        importer="privacy.ledger", imported="privacy.store"
    ),
    "The core is pure": Breach(importer="consent.planted_memory", imported="sqlite3"),
}


def lint(folder: Path) -> tuple[int, str]:
    """Run the linter over the five packages in a folder; return its exit code and its report."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "400", "PYTHONPATH": str(folder)},
    )
    return done.returncode, done.stdout + done.stderr


def complaints(report: str) -> dict[str, str]:
    """Cut the report into what it says about each broken contract."""
    _summary, _, broken = report.partition("Broken contracts")
    names = "|".join(re.escape(name) for name in CONTRACTS)
    _intro, *pairs = re.split(rf"^({names})$", broken, flags=re.MULTILINE)
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


@pytest.fixture(scope="module")
def sabotaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Plant all breaches in one copy of the packages; return what each contract says."""
    copy = tmp_path_factory.mktemp("sabotaged")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for breach in BREACHES.values():
        for module in (breach.importer, breach.imported):
            if module.startswith(ROOMS):
                path = copy.joinpath(*module.split(".")).with_suffix(".py")
                if "planted" in module:
                    path.touch()
                assert path.is_file(), f"{module} is no module any more: plant elsewhere"
        with copy.joinpath(*breach.importer.split(".")).with_suffix(".py").open("a") as file:
            file.write(f"\nimport {breach.imported}\n")
    _code, report = lint(copy)
    assert "Broken contracts" in report, report
    return complaints(report)


def test_the_tree_keeps_every_contract() -> None:
    code, report = lint(ROOT)
    assert code == 0, report
    assert report.count("KEPT") == len(CONTRACTS)


def test_every_contract_has_a_breach_planted_against_it() -> None:
    assert set(BREACHES) == set(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_contract_objects_to_its_breach(contract: str, sabotaged: dict[str, str]) -> None:
    breach = BREACHES[contract]
    edge = rf"\b{re.escape(breach.importer)} -> {re.escape(breach.imported)}\b"
    assert re.search(edge, sabotaged[contract])
