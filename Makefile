# Everything a developer or a stranger runs; every target sets up .venv by itself.
SHELL := /bin/bash
PYTHON ?= python3
SECONDS ?=
DAYS ?= 30
SPEED ?= 60
STATE ?=
PORT ?=
BIN := .venv/bin
STAMP := .venv/installed
LOCK := .ci/requirements.lock
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-stack test-n8n fuzz check format bench docs lock clean

help: ## what can be made
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP) ## the locked packages and the program itself, in .venv

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d: say which one to use with make PYTHON=/path/to/python3.11" % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "The virtual environment cannot be made: on Debian install python3-venv."; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## a simulated company: 30 days of history, then live at 60x; SECONDS=45 stops by itself
	@$(BIN)/odoo-otel demo --days $(DAYS) --speed $(SPEED) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(STATE),--state $(STATE)) $(if $(PORT),--port $(PORT))

test: $(STAMP) ## unit, statistics, contract, acceptance, chaos and fuzz tests
	@.ci/side-by-side \
	".ci/timed $(BIN)/python -m pytest -q --durations=5 tests/acceptance tests/chaos" \
	".ci/timed $(BIN)/python -m pytest -q --durations=5 tests/unit tests/statistics tests/contract tests/fuzz"

test-stack: $(STAMP) ## the tests on the real Odoo, Collector, Jaeger and Prometheus (installs them, 15 minutes once)
	@.ci/timed $(BIN)/python tests/stack/install.py
	@.ci/timed $(BIN)/python -m pytest -q --durations=5 tests/stack/test_rules.py tests/stack

test-n8n: $(STAMP) ## the tests on a real n8n 2.41 (installs it with Node 24, 8 to 15 minutes and 3 GB once)
	@.ci/timed $(BIN)/python tests/stack/install.py n8n
	@.ci/timed $(BIN)/python -m pytest -q --durations=5 tests/stack_n8n

fuzz: $(STAMP) ## one parser guided by coverage: TARGET=events SECONDS=900 (atheris has to be installed)
	@mkdir -p build/fuzz/$(TARGET)
	$(BIN)/python -m tests.fuzz "$(TARGET)" $(or $(SECONDS),900) build/fuzz/$(TARGET)

check: $(STAMP) ## style, types, layers, spelling, generated pages, sizes: all of them, also after one has failed
	@failed=0; \
	.ci/timed $(BIN)/ruff check --output-format concise . || failed=1; \
	.ci/timed $(BIN)/ruff format --check --quiet . || failed=1; \
	.ci/timed $(BIN)/mypy --strict exporter detectors || failed=1; \
	.ci/timed $(BIN)/lint-imports --no-logo || failed=1; \
	.ci/timed $(BIN)/codespell || failed=1; \
	.ci/timed $(BIN)/python .ci/pages.py --check || failed=1; \
	.ci/timed $(BIN)/python .ci/sizes.py || failed=1; \
	exit $$failed

format: $(STAMP) ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## the figures beside their peers, as a table and bench.json
	$(BIN)/python -m tests.bench

docs: $(STAMP) ## write the pages that are generated from the code
	$(BIN)/python .ci/pages.py

lock: $(STAMP) ## renew .ci/requirements.lock: versions and hashes, no address
	.ci/lock

clean: ## everything that was made, but the state of a demo
	rm -rf .venv build bench.json ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
