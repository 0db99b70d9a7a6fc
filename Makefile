# Each target makes the environment that it needs, at the root: .venv, or one of its own for companions, docs and mutation.
PYTHON ?= python3
BIN := .venv/bin
DOCS := .venv-docs/bin
# PaddleOCR's training-side operators for machines without a checkout: the 2.10 distribution, unpacked beside and not
# installed, since its package `paddleocr` would replace the 3.x one.
OPERATORS := .venv/paddleocr-2.10

.PHONY: example test coverage faults pages endurance loaded training runners companions engines layers mutation bench docs versions dist lint format clean

example: .venv/ready
	cd example_project && ../$(BIN)/python -m pytest

test: .venv/ready
	$(BIN)/python -m pytest -n 2

# Half as much time again as `make test`.
coverage: .venv/ready
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered
	$(BIN)/python -m coverage report --format=total --fail-under=96 --omit='*/backends/*'

# Every fault of the catalogue, injected, every near miss and every hand-written port, on all of its pages: prints three
# tables and writes build/faults.json; fails where the ports miss a target. `make test` runs a fixed list of them: one
# case per cause, per kind of near miss, and per concept of the ports.
faults: .venv/ready
	OCRPARITY_ALL_FAULTS=1 $(BIN)/python -m pytest tests/faults -n 2

# Every fault that tests/layers drew, and right exports beside them: prints what was said of the layer, writes
# build/layers.json, and fails below 95 % right, at one false claim or one layer of a right export. PaddleOCR's own networks
# take part where OCRPARITY_PADDLEOCR_CHECKOUT names a checkout. OCRPARITY_ALL_LAYERS=0 runs a fixed list without ONNX.
layers: .venv/ready
	$(BIN)/python -m pip install --quiet --group layers
	OCRPARITY_ALL_LAYERS=$${OCRPARITY_ALL_LAYERS:-1} $(BIN)/python -m pytest tests/layers -n 2

# Every fault of a page, of both models and of what stands between them, and right pages: prints the sums, writes
# build/pages.json and docs/explanation/pages.md, and fails where a target is missed. `make test` runs a fixed list.
pages: .venv/ready
	OCRPARITY_ALL_PAGES=1 $(BIN)/python -m pytest tests/page_faults -n 2

# What takes too long for `make test`: 1,000 kills while a baseline is written, 10 of whole runs, 300,000 hostile inputs,
# a page of 12000x9000 px, a thousand images under xdist, 10,000 of a toy detector. Prints tables and writes build/*.json.
ENDURANCE := kills fuzz images large_suites labelled_suites baselined_suites
endurance: .venv/ready
	$(BIN)/python -m pytest -s $(ENDURANCE:%=tests/endurance/%.py)

# The tests, or those of TESTS, on one core that two busy programs share, at a lower priority: the verdicts are the same.
# Some hours for all of them.
loaded: .venv/ready
	PYTHONPATH=tests $(BIN)/python -m endurance.load $(TESTS)

# PaddleOCR's own CRNN and SVTR, trained for minutes each by a checkout, which OCRPARITY_PADDLEOCR_CHECKOUT names; prints
# what they read and writes build/rec_*.json.
training: .venv/ready
	$(BIN)/python -m pytest -s tests/endurance/training.py

# Each distribution of pytest-xdist, workers that die, tests that are collected twice: dozens of real runs.
RUNNERS := crash duplicates each loadfile loadscope worksteal
runners: .venv/ready
	$(BIN)/python -m pytest -n 2 $(RUNNERS:%=tests/runners/%.py)

# Other plugins beside ours, in an environment of their own and without paddle: eight in one run, what reporters write,
# and those that run tests in a way of their own. (pytest-asyncio warns where its settings are left out.)
COMPANIONS := side_by_side reports runners
companions: .venv-companions/ready engines
	.venv-companions/bin/python -m pytest -p no:asyncio $(COMPANIONS:%=tests/companions/%.py)

# OpenVINO and RapidOCR as the deployment of the example, in the tests' own environment, which they are added to.
ENGINES := openvino_side openvino_reader rapidocr_side rapidocr_reader
engines: .venv/ready
	$(BIN)/python -m pip install --quiet --group engines
	$(BIN)/python -m pytest $(ENGINES:%=tests/engines/%.py)

# What the fast unit tests notice of small changes to the core: prints the changes that none notices and the score, and fails
# below 95 %. SAMPLE=60 tries as many, always the same; FILES=compare/judge.py those of a file. Needs Python 3.11.
mutation: .venv-mutation/ready
	PYTHONPATH=tests:. .venv-mutation/bin/python -m mutation $(if $(SAMPLE),--sample $(SAMPLE)) $(FILES)

# The tables of docs/explanation/performance.md; writes build/bench.json. For the row of DetectionIoUEvaluator it needs a PaddleOCR checkout.
bench: .venv/ready
	PYTHONPATH=tests:. $(BIN)/python -m benchmarks

# The site, in build/docs: two pages from the settings' table and the schema, which tests hold together, and all by
# Sphinx. A warning fails it, and so does a link of a built page that leads nowhere, or a file of another host that a page loads.
docs: .venv-docs/ready
	$(DOCS)/python -m pytest_ocrparity.settings.settings_page > docs/reference/settings.md
	$(DOCS)/python docs/write_results_page.py > docs/reference/results_json.md
	$(DOCS)/python -m sphinx --fail-on-warning --nitpicky --fresh-env --quiet docs build/docs
	$(DOCS)/python docs/check_site.py build/docs

# The oldest and the newest versions of everything, and of pytest and xdist alone, in environments of their own; and the
# source distribution's own tests.
versions: .venv/ready
	$(BIN)/python -m nox

# What a release is made of: both distributions in dist/, checked, and the wheel tested in an environment of its own.
dist: .venv/ready
	$(BIN)/python -m nox -s dist

lint: .venv/ready
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: .venv/ready
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:
	rm -rf .venv .venv-companions .venv-docs .venv-mutation build dist .coverage* .mypy_cache .pytest_cache .ruff_cache

# The stamp is written last, so that an interrupted installation is made again. pip 25.1 reads dependency groups.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[train,onnx,xdist]" --group dev
	rm -rf $(OPERATORS)
	$(BIN)/python -m pip install --quiet --no-deps --target $(OPERATORS) paddleocr==2.10.0
	$(BIN)/python -m pip check
	touch $@

.venv-companions/ready: pyproject.toml
	$(PYTHON) -m venv .venv-companions
	.venv-companions/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-companions/bin/python -m pip install --quiet --editable . --group companions
	touch $@

.venv-mutation/ready: pyproject.toml
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-mutation/bin/python -m pip install --quiet --editable . --group mutation
	touch $@

.venv-docs/ready: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	$(DOCS)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(DOCS)/python -m pip install --quiet --editable . --group docs
	touch $@
