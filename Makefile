# Two commands set everything up on a machine that has Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test lint types check bench truth ops clean help

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## build .venv once, versions pinned by constraints.txt

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev]'
	$(BIN)/python -m streamspc.demo.broker
	@touch $@

demo: $(STAMP)  ## the main job on an embedded Apache Kafka; ARGS=--serve keeps it running
	$(BIN)/streamspc demo $(ARGS)

test: $(STAMP)  ## every test, against Apache Kafka; ARGS are pytest's
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy --strict
	$(BIN)/mypy

check: lint types test  ## all that .ci/run runs

bench: $(STAMP)  ## throughput beside bare client loops on the same topics; then the charts beside bare recursions; ARGS are bench/throughput.py's
	$(BIN)/python -m bench.throughput $(ARGS)
	$(BIN)/python bench/charts.py

truth: $(STAMP)  ## promised and realised false alarms on simulated streams; fails where they differ
	$(BIN)/python bench/truth.py $(ARGS)

ops: $(STAMP)  ## deploy/ checked by promtool, line by line; installs Debian's package prometheus where it is missing
	command -v promtool > /dev/null || (apt-get update -qq && apt-get install -qq -y --no-install-recommends prometheus)
	$(BIN)/python -m pytest -v tests/deploy

clean:  ## remove what install and the tools made
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
