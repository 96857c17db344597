# make demo: discover directions of the shipped generator and draw them (make demo OUT=FOLDER: there, not in ganwalk-out)
# make check: lint, types, the quick tests of what changed · make test: lint, types, all tests
# make test-pythons: the tests on every Python here, with the newest dependencies · make bench: the benchmarks
# make test-lowest: the tests on the oldest Python here, with the lowest dependencies that pyproject.toml allows
# make fuzz: made-up files for every reader, MINUTES of them; failures are kept in build/fuzz/failures
# Not in it, as it takes long: python benchmarks/discovery.py, what whole discoveries cost
# make docs: docs/options.md from the options as they are, and build/site/index.html from docs/ and the docstrings
# make soak: commands that are killed, run out of disk or have their clock jump end as undisturbed ones (an hour)
# Every target sets up .venv by itself, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= ganwalk-out
# Of fuzz.
MINUTES ?= 30
# Of soak: kills of every command, runs of each other disturbance, and what is left to chance.
KILLS ?= 40
RUNS ?= 8
SEED ?= 0
# Of test-pythons and test-lowest: versions such as "3.12 3.13" (all that are found, or the oldest), the tier of tests
# (all or fast), pytest's arguments.
PYTHONS ?=
TIER ?= all
ARGS ?=
INSTALLED := $(VENV)/.installed

.PHONY: setup demo docs lint check test test-pythons test-lowest bench fuzz soak clean

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "ganwalk needs Python 3.10 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
		{ echo "cannot create $(VENV): install Python's venv module (Debian: apt install python3-venv)"; exit 1; }
	@echo "installing ganwalk and what it needs into $(VENV) (once)"
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/ganwalk discover --generator scenes --n-directions 10 --out $(OUT)
	$(BIN)/ganwalk render --directions $(OUT)/directions.safetensors --direction all
	$(BIN)/ganwalk render --directions $(OUT)/directions.safetensors --direction 0 --gif

docs: $(INSTALLED)
	$(BIN)/python -m tools.options_docs
	$(BIN)/python -m tools.site

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint
	$(BIN)/python -m tools.check

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-pythons:
	$(PYTHON) -m tools.pythons $(addprefix --python ,$(PYTHONS)) --tier $(TIER) -- $(ARGS)

test-lowest: $(INSTALLED)
	$(BIN)/python -m tools.bounds
	$(BIN)/python -m tools.pythons --lowest $(addprefix --python ,$(PYTHONS)) --tier $(TIER) -- $(ARGS)

bench: $(INSTALLED)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt giotto-ph
	$(BIN)/python benchmarks/rtd.py
	$(BIN)/python benchmarks/generators.py
	$(BIN)/python benchmarks/vae.py

fuzz: $(INSTALLED)
	@$(BIN)/pip install -q --disable-pip-version-check --only-binary :all: atheris || \
		echo "no atheris for this Python: files are damaged at random, whatever code they reach"
	$(BIN)/python -m tools.fuzz --minutes $(MINUTES)

soak: $(INSTALLED)
	$(BIN)/python -m tools.soak --kills $(KILLS) --runs $(RUNS) --seed $(SEED)

clean:
	rm -rf $(VENV) .venvs build dist *.egg-info
