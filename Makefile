# SpikeLoom: everything a developer runs. `make demo` and `make test` need python3, make and apt, and nothing else.

VENV   ?= .venv
BIN    := $(CURDIR)/$(VENV)/bin
PYTHON := $(BIN)/python
STAMP  := $(VENV)/.spikeloom-installed
JOBS   ?= 2

# Matrices are small: the threads of a BLAS only get into each other's way.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help venv venv-train demo test test-slow lint bench clean

help:
	@echo "make venv        create $(VENV) and install what the demo and the tests need"
	@echo "make venv-train  add torch and the audio libraries of the training script"
	@echo "make demo        keyword spotting: weights to proven Verilog"
	@echo "make test        the fast tests"
	@echo "make test-slow   every test, with the long random networks and proofs"
	@echo "make lint        ruff, types, import layers"
	@echo "make bench       the measurements of docs/performance.md"
	@echo "make clean       remove build/ and caches ($(VENV) stays)"

# The system packages are looked for each time, which takes no time; the rest only when its inputs changed.
venv:
	@sh tools/setup.sh system
	@$(MAKE) --no-print-directory $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/setup.sh
	@sh tools/setup.sh python "$(VENV)" "cosim,flow,host,data,nir,dev"
	@touch $(STAMP)

# On an ordinary PyPI, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu gives torch without CUDA.
venv-train: venv
	@sh tools/setup.sh python "$(VENV)" "cosim,flow,host,data,nir,dev,train"

demo: venv
	sh examples/demo.sh

test: venv
	$(PYTHON) -m pytest -m "not slow" -n $(JOBS)

test-slow: venv
	$(PYTHON) -m pytest -n $(JOBS)

lint: venv
	sh tools/lint.sh "$(BIN)"

bench: venv
	sh bench/run.sh

clean:
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
