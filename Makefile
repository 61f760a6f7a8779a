# Every command anybody runs. `make` alone prints them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
MEMBERS := libs/common services/api services/outbound services/messaging services/recordings \
	deploy/sandbox deploy/dev
SERVICES := api outbound messaging recordings

# The first Python that is new enough; name another with `make install PYTHON=...`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

UV := $(VENV)/bin/uv --no-config
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-header --no-emit-package trunkline-common

.PHONY: help install lock

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## Make .venv and put the locked packages and our own into it

$(VENV)/bin/uv: requirements/bootstrap.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; name one: make install PYTHON=..." >&2; exit 2; }
	@test -x $(RUN) || "$(PYTHON)" -m venv $(VENV)
	@$(RUN) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(STAMP): $(VENV)/bin/uv requirements/dev.txt pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@$(UV) pip sync --quiet --python $(RUN) --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(RUN) --offline --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

lock: $(VENV)/bin/uv ## Resolve the requirements anew and write requirements/*.txt
	@echo uv | $(LOCK) - -o requirements/bootstrap.txt
	@$(LOCK) --group pyproject.toml:dev $(MEMBERS:%=%/pyproject.toml) -o requirements/dev.txt
	@for s in $(SERVICES); do $(LOCK) services/$$s/pyproject.toml -c requirements/dev.txt -o requirements/$$s.txt || exit 1; done
	@$(LOCK) deploy/sandbox/pyproject.toml -c requirements/dev.txt -o requirements/sandbox.txt
