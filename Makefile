# Two commands: `make demo` shows the gateway at work, `make test` checks everything. Each sets up what it needs.
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test check format lint types imports generated tests coverage bench lock clean

help:
	@echo "make demo    set up, start a gateway with three agents, and send real requests through it"
	@echo "make test    set up, then format, lint, types, import contracts, generated files, and all tests with coverage"
	@echo "make bench   measure the gateway beside FastStream and bare nats-py"
	@echo "make format  rewrite the sources as the formatter wants them"

setup: $(READY)

$(READY): requirements/lock.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Lockgate needs Python 3.11 or newer: make PYTHON=..."; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/lock.txt
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch "$@"

demo: $(READY)
	"$(BIN)/lockgate" demo

test: check

check: lint types imports generated coverage

lint: $(READY)
	"$(BIN)/ruff" format --check .
	"$(BIN)/ruff" check .

types: $(READY)
	"$(BIN)/mypy"

imports: $(READY)
	"$(BIN)/lint-imports"

generated: $(READY)
	"$(BIN)/python" -m lockgate_schemas.generate --check

tests: $(READY)
	"$(BIN)/python" -m pytest

coverage: $(READY)
	"$(BIN)/coverage" erase
	"$(BIN)/coverage" run -m pytest
	"$(BIN)/coverage" combine --quiet
	"$(BIN)/coverage" report

format: $(READY)
	"$(BIN)/ruff" format .
	"$(BIN)/ruff" check --fix .

bench: $(READY)
	"$(BIN)/lockgate" bench

lock: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" requirements/compile.sh

clean:
	rm -rf "$(VENV)" .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
