PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-fast check bench clean

setup: $(STAMP)          ## create the virtual environment with the pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)           ## run the whole sandbox on this machine until Ctrl-C
	$(BIN)/infosandbox demo

test: $(STAMP)           ## every test: unit, property, statistical, protocol, browser, architecture
	$(BIN)/python -m pytest

test-fast: $(STAMP)      ## without statistical tests, real Flower processes and the browser
	$(BIN)/python -m pytest -m "not statistical and not protocol and not browser"

check: $(STAMP)          ## format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not statistical and not protocol and not browser"

bench: $(STAMP)          ## append figures to benchmarks/results.jsonl   [ONLY=name]
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) .sandbox build dist
