# One command per task. VENV is where everything is installed; nothing else is touched.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEPS = $(VENV)/.installed

.PHONY: demo test lint format types drift docs bench codegen check clean

$(DEPS): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "animus-routes needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(DEPS)

demo: $(DEPS)          ## seed the SQLite example, serve it as a host does, list, create, update, watch
	$(BIN)/python examples/demo.py

test: $(DEPS)          ## every test
	$(BIN)/python -m pytest

lint: $(DEPS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEPS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEPS)
	$(BIN)/mypy
	$(BIN)/pyright

codegen: $(DEPS)       ## write animus_routes/types and animus_routes/structs from schemas/
	$(BIN)/python tools/codegen.py

drift: $(DEPS)         ## fail if generated code differs from what the schemas give
	$(BIN)/python tools/codegen.py --check

docs: $(DEPS)          ## run every code block of README and docs
	$(BIN)/python -m pytest tests/docs

bench: $(DEPS)
	$(BIN)/python tools/bench.py

check: lint types drift test

clean:
	rm -rf $(VENV)
