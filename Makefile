# Seeing CNNs. `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help lab test book figures notebooks weights lint bench clean

PYTHON ?= python3
BIN := .venv/bin
DAYS := $(if $(DAY),day$(DAY),$(sort $(notdir $(patsubst %/code/visualizations.py,%,$(wildcard days/day*/code/visualizations.py)))))
NOTEBOOKS := $(wildcard days/*.ipynb days/day*/*.ipynb)
export PYTHONPATH := $(CURDIR)

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

lab: .venv/installed  ## open the course in JupyterLab (installs everything first)
	$(BIN)/jupyter lab $(ARGS) days/start_here.ipynb

test: .venv/installed-test  ## run all tests: code, exercises, notebooks, figures, browser
	$(BIN)/python -m pytest $(ARGS)

book: .venv/installed  ## write the reading edition, all days as web pages, to _book/index.html
	$(BIN)/python -m book.build $(ARGS)

figures: .venv/installed  ## rebuild the pictures in days/*/outputs/ and say what changed (DAY=17 for one day)
	@$(BIN)/python -m days.figures $(DAY)

notebooks: .venv/installed  ## run the notebooks and store their outputs (DAY=17 for one day)
	@for day in $(DAYS); do $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
	  --ExecutePreprocessor.timeout=180 --ExecutePreprocessor.record_timing=False \
	  --ExecutePreprocessor.store_widget_state=False days/$$day/*.ipynb || exit 1; done

weights: .venv/installed  ## train the networks of Days 18, 23 and 24 anew and store them (six minutes)
	$(BIN)/python -m days.day18.code.runs
	$(BIN)/python -m days.day23.code.network
	$(BIN)/python -m days.day23.code.patients
	$(BIN)/python -m days.day24.code.bias_lab

lint: .venv/installed-test  ## check style and format of code and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff format --check --line-length 98 $(NOTEBOOKS)

bench: .venv/installed-test .venv-bench/installed  ## time the course's code against its floor and its peers
	$(BIN)/python -m benchmarks.run
	.venv-bench/bin/python -m benchmarks.peers

clean:  ## remove the environment and all caches
	rm -rf .venv .venv-bench .pytest_cache .ruff_cache && find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/installed-test: requirements-test.txt .venv/installed
	$(BIN)/python -m pip install --quiet --requirement requirements-test.txt
	touch $@

.venv-bench/installed: requirements.txt requirements-test.txt benchmarks/requirements.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet $(addprefix --requirement ,$^)
	.venv-bench/bin/python -m pip install --quiet --no-deps torch-lucent==0.1.8
	touch $@
