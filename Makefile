# One command per task. Everything is installed into VENV; nothing else is touched.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.installed

# The first target is what `make` alone does.
help:              ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

.PHONY: github-schema help demo test lint format types codegen drift docs screenshots site dist bench bench-stores faults clickhouse prove linear-types edits new-projects real-agents check clean

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "animus-routes needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": try make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,examples]'
	touch $(READY)

demo: $(READY)     ## seed the SQLite example, serve it as a host does, list, create, update, watch
	$(BIN)/python examples/demo.py

# What is promised of a process in tenths of a second is tried alone, the rest side by side.
test: $(READY)     ## run every test
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --ignore tests/engine
	$(BIN)/python -m pytest tests/engine

lint: $(READY)     ## check the style and format of every file
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(READY)   ## fix what can be fixed automatically
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

types: $(READY)    ## run both type checkers
	$(BIN)/python -m mypy
	$(BIN)/python -m pyright --pythonpath $(BIN)/python

codegen: $(READY)  ## write the wire types from schemas/, names and Protocols from the role tables
	$(BIN)/python tools/codegen.py

drift: $(READY)    ## fail if generated code differs from what the schemas produce
	$(BIN)/python tools/codegen.py --check

screenshots: $(READY)  ## take the pictures of docs/inspect.md anew; needs chromium
	$(BIN)/python tools/screenshots.py

docs: $(READY)     ## run every code block of README and docs
	$(BIN)/python -m pytest tests/docs

site: $(READY)     ## build the documentation site with its reference; a broken link is an error
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[site]'
	$(BIN)/python tools/docs_site.py

dist: $(READY)     ## build wheel and sdist, check them, try each in a fresh environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dist]'
	$(BIN)/python tools/distributions.py

bench: $(READY)    ## measure against a loop without a framework
	$(BIN)/python tools/bench.py

bench-stores: $(READY)  ## measure what a call of the storing examples costs as their stores grow
	$(BIN)/python tools/bench_stores.py --json stores.json

real-agents: $(READY)  ## install the real agents by npm, and run their providers with them
	$(BIN)/python tools/real_agents.py
SEEDS ?= 1 2 3
MINUTES ?= 0
faults: $(READY)   ## run the fault suite for longer than the tests do: SEEDS="1 2 3" MINUTES=10 ONLY=kills
	$(BIN)/python tools/faults.py --seeds $(SEEDS) --minutes $(MINUTES) --only "$(ONLY)" --json faults.json

clickhouse: $(READY)  ## run the tests of the ClickHouse example over its engine, which takes 534 MB
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'chdb>=4'
	ANIMUS_CLICKHOUSE=chdb $(BIN)/python -m pytest tests/examples/test_logs_clickhouse.py

prove: $(READY)    ## try the checks of plugins on every broken plugin and mutation
	ANIMUS_PROVE=1 $(BIN)/python -m pytest tests/conformance

edits: $(READY)    ## let a host talk to a plugin while its file is edited a hundred times
	ANIMUS_DEV_EDITS=100 $(BIN)/python -m pytest tests/dev/test_dev.py -k doubled

new-projects: $(READY)  ## make a new project of every kind in both families, and try all of it
	ANIMUS_NEW_ALL=1 $(BIN)/python -m pytest tests/dev/test_new.py

github-schema: $(READY)  ## take GitHub's description of its issues from npm, for tests; needs npm
	$(BIN)/python tools/github_schema.py

linear-types: $(READY)  ## compare what the tests take for Linear's schema with the types that Linear publishes
	place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && \
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$$place" @linear/sdk && \
	$(BIN)/python tools/linear_types.py "$$place"/node_modules/@linear/sdk/dist/*.d.mts

check: lint types drift test  ## run lint, types, drift and tests; the docs are tests

clean:             ## remove the environment
	rm -rf $(VENV)
