# Each target makes the environment that it needs: .venv, at the root.
PYTHON ?= python3
BIN := .venv/bin
# PaddleOCR's training-side operators for machines without a checkout: the 2.10 distribution, unpacked beside and not
# installed, since its package `paddleocr` would replace the 3.x one.
OPERATORS := .venv/paddleocr-2.10

.PHONY: example test faults fuzz lint format clean

example: .venv/ready
	cd example_project && ../$(BIN)/python -m pytest

test: .venv/ready
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered
	$(BIN)/python -m coverage report --format=total --fail-under=100 --omit='*/pipelines/*'

# Every fault of the catalogue, injected: prints a table and writes build/faults.json. `make test` runs it as well.
faults: .venv/ready
	$(BIN)/python -m pytest tests/faults -n 2

# 200,000 hostile files and more, in some ten minutes: prints a table and writes build/fuzz.json. `make test` runs a few.
fuzz: .venv/ready
	$(BIN)/python -m pytest tests/endurance/fuzz.py

lint: .venv/ready
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: .venv/ready
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:
	rm -rf .venv build dist .coverage* .mypy_cache .pytest_cache .ruff_cache

# The stamp is written last, so that an interrupted installation is made again. pip 25.1 reads dependency groups.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[train,onnx,xdist]" --group dev
	rm -rf $(OPERATORS)
	$(BIN)/python -m pip install --quiet --no-deps --target $(OPERATORS) paddleocr==2.10.0
	$(BIN)/python -m pip check
	touch $@
