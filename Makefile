# Each target sets up what it needs by itself; a second run finds it there.
#
#   make demo        a demo shop, exported to Exact XML, in under a minute
#   make test        the tests (ARGS="tests/unit -k price" narrows them)
#   make test-long   kill matrices, big catalogues, long property runs
#   make agent       the agent beside Exact Globe as one file, dist/brekzsync-agent.pyz
#   make check       lint, format, types, import contracts, docs, shell scripts
#   make reference   rewrite the pages of docs/reference/ that follow from the code
#   make format      let ruff rewrite what `make check` would complain about
#   make bench       the measures; N=1000000 make bench for a million combinations
#   make clean       remove all of the above again
#
# VENV=/elsewhere uses another environment, PYTHON=python3.12 another Python,
# BREKZSYNC_NO_APT=1 installs nothing on the system also when root.

VENV ?= .venv
N ?= 100000
ARGS ?=
export VENV N

RUN := $(VENV)/bin/python -m
# Each process has a database server of its own, so there are not more than four; ARGS="-n 0" is one.
PYTEST := PYTHONHASHSEED=0 $(RUN) pytest -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := test
.PHONY: demo agent test test-long check lint types imports docs reference shell format bench clean core dev fast services

demo: core
	@scripts/demo.sh

agent: core
	@$(RUN) scripts.build_agent

test: dev fast services
	@HYPOTHESIS_PROFILE=ci $(PYTEST) -m "not long" $(ARGS)

test-long: dev fast services
	@HYPOTHESIS_PROFILE=long $(PYTEST) -m long $(ARGS)

check: lint types imports docs shell

lint: dev
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

types: dev
	@$(RUN) mypy

imports: dev
	@$(VENV)/bin/lint-imports --no-logo --cache-dir build/cache/imports

docs: dev
	@$(RUN) scripts.check_docs

reference: dev
	@$(RUN) scripts.generate_reference --write

shell: dev
	@scripts/check_shell.sh

format: dev
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

bench: core fast services
	@$(RUN) benchmarks

clean:
	rm -rf .venv build dist demo .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

core dev:
	@scripts/setup/environment.sh $@

# Libraries first: the fast driver is compiled against one of them.
fast: core services
	@scripts/setup/environment.sh fast

services:
	@scripts/setup/services.sh
