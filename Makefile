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

.PHONY: help install lock demo up down test check lint types unit architecture contracts models \
	integration e2e faults soak bench plots migrate topology schemas dead-letters clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## /{printf "  make %s\n      %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## Make .venv and put the locked packages and our own into it

$(VENV)/bin/uv: requirements/bootstrap.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; name one: make install PYTHON=..." >&2; exit 2; }
	@test -x $(RUN) || "$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 2; }
	@$(RUN) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(STAMP): $(VENV)/bin/uv requirements/dev.txt $(MEMBERS:%=%/pyproject.toml)
	@$(UV) pip sync --quiet --python $(RUN) --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(RUN) --offline --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

demo: $(STAMP) ## A campaign from end to end, on private servers (CHANNEL=whatsapp for messages; STORY=controls: pause, add, cancel, run again)
	@$(RUN) -m trunkline_dev demo $(if $(CHANNEL),--channel $(CHANNEL)) $(if $(STORY),--story $(STORY))

# Another name than `dev` is another stack, with servers and data of its own.
NAMED = $(if $(INSTANCE),--instance $(INSTANCE))

up: $(STAMP) ## Start the whole stack to play with (DOCKER=1: with compose)
	@$(RUN) -m trunkline_dev up $(NAMED) $(if $(DOCKER),--docker)

down: $(STAMP) ## Stop it
	@$(RUN) -m trunkline_dev down $(NAMED) $(if $(DOCKER),--docker)

test: $(STAMP) ## Everything that CI runs (BROKER=4.3: on that RabbitMQ; BROKERS=all: its tests on every one; MODELS=all: the long searches too)
	@$(RUN) -m trunkline_dev test

check: $(STAMP) ## Everything that needs nothing running
	@$(RUN) -m trunkline_dev test lint types unit architecture contracts

lint types unit architecture contracts models integration e2e: $(STAMP) ## One suite of `make test`
	@$(RUN) -m trunkline_dev test $@

faults: $(STAMP) ## Strike real processes at every failpoint and in storms (LONG=1; SEED=7, ONLY=outbound.intents, storm, cluster, parts or with LONG=1 kills .., STORMS=5, WAVES=4, PLANT=..)
	@FAULTS_LONG=$(LONG) FAULTS_SEED=$(SEED) FAULTS_ONLY=$(ONLY) FAULTS_STORMS=$(STORMS) FAULTS_STORM=$(STORM) FAULTS_WAVES=$(WAVES) FAULTS_PLANT="$(PLANT)" $(RUN) -m tests.faults

MINUTES ?= 5
soak: $(STAMP) ## Everything at a low rate, for MINUTES=5: memory, connections, tables and queues into docs/reliability/soak.json
	@$(RUN) -m tests.faults.soak --minutes $(MINUTES)

# What others are measured with lives apart: nothing of ours depends on it.
PEERS := .local/peers/.installed
$(PEERS): requirements/peers.txt $(STAMP)
	@$(UV) venv --quiet --clear --python $(RUN) .local/peers
	@$(UV) pip sync --quiet --python .local/peers/bin/python --require-hashes requirements/peers.txt
	@touch $@

JOBS ?= 4000
IN_FLIGHT ?= 100
REPEAT ?= 2
WORKERS ?= 1
WHAT ?= dispatch
ROWS ?= 1000000
SIZES ?= 10000,100000,1000000
BENCH_fabric = --repeat $(REPEAT)
BENCH_ingest = --repeat $(REPEAT) --rows $(ROWS)
BENCH_growth = --sizes $(SIZES)
BENCH_dispatch = --jobs $(JOBS) --in-flight $(IN_FLIGHT) --repeat $(REPEAT) --workers $(WORKERS)
BENCH_peers = --jobs $(JOBS) --in-flight $(IN_FLIGHT) --repeat $(REPEAT)
bench: $(STAMP) $(if $(filter peers fabric,$(WHAT)),$(PEERS)) ## How fast dispatch is, beside a bare loop (JOBS, IN_FLIGHT, REPEAT, WORKERS), or WHAT=claims, audience, fabric, growth (SIZES), ingest (ROWS), memory, peers, slots, fairness
	@$(RUN) -m trunkline_dev servers start --instance bench
	@eval "$$($(RUN) -m trunkline_dev servers env --instance bench)" && \
		$(RUN) -m tests.benchmarks.$(WHAT) $(BENCH_$(WHAT)); \
		status=$$?; $(RUN) -m trunkline_dev servers stop --instance bench; exit $$status

plots: $(STAMP) ## Draw the pictures in docs/benchmarks and docs/reliability from their JSON
	@$(UV) pip install --quiet --python $(RUN) --require-hashes -r requirements/benchmarks.txt
	@$(RUN) -m tests.benchmarks.plots
	@$(RUN) -m tests.benchmarks.plot_bars
	@$(RUN) -m tests.benchmarks.plot_growth
	@$(RUN) -m tests.faults.plot_soak

migrate: $(STAMP) ## Bring the databases of the running stack up to date
	@$(RUN) -m trunkline_dev migrate $(NAMED)

dead-letters: $(STAMP) ## What nobody could handle (DO="show --queue Q", DO="replay --id ID", DO="discard --id ID")
	@$(RUN) -m trunkline_dev dead-letters $(NAMED) $(or $(DO),list)

topology: $(STAMP) ## Write deploy/topology.json from the topology
	@$(RUN) -m trunkline_dev topology

schemas: $(STAMP) ## Write the golden schemas of new events
	@$(RUN) -m trunkline_dev schemas

lock: $(VENV)/bin/uv ## Resolve the requirements anew and write requirements/*.txt
	@echo uv | $(LOCK) - -o requirements/bootstrap.txt
	@$(LOCK) --group pyproject.toml:dev $(MEMBERS:%=%/pyproject.toml) -o requirements/dev.txt
	@$(LOCK) --group pyproject.toml:benchmarks -c requirements/dev.txt -o requirements/benchmarks.txt
	@echo hatchling | $(LOCK) - -c requirements/dev.txt -o requirements/build.txt
	@for s in $(SERVICES); do $(LOCK) services/$$s/pyproject.toml -c requirements/dev.txt -o requirements/$$s.txt || exit 1; done
	@$(LOCK) requirements/peers.in -o requirements/peers.txt
	@$(LOCK) deploy/sandbox/pyproject.toml -c requirements/dev.txt -o requirements/sandbox.txt

clean: ## Stop and remove everything that was made here: environment, caches, servers and their data
	@if test -x $(RUN); then $(RUN) -m trunkline_dev servers stop --all || true; fi
	@rm -rf $(VENV) .local .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
