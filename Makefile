# Everything a person runs here. `make` alone prints what there is.
# The newest Python that is supported and really runs: a shim may stand on the PATH without a version behind it.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
RUN := PYTHONPATH=operator:. $(BIN)/python
CLUSTER := $(RUN) -m tests.cluster.run
.DEFAULT_GOAL := help
.PHONY: help demo test check lint types unit generate verify golden cluster cluster-down images install soak bench clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/ready ## a cluster, the operator, a model trained on census records, and its predictions
	@$(RUN) examples/demo.py

test: lint types verify install ## everything CI checks, with real pods
	@$(CLUSTER) $(BIN)/python tests/run.py tests --ignore=tests/soak --ignore=tests/bench

check: lint types verify ## what needs no cluster, in under three minutes
	@$(BIN)/python tests/run.py --numprocesses=auto --dist=worksteal tests/unit tests/golden tests/rules

lint: $(VENV)/ready ## style, layers
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && PYTHONPATH=operator $(BIN)/lint-imports --no-logo

types: $(VENV)/ready ## mypy, strictly
	@$(BIN)/mypy operator tests examples images

unit: $(VENV)/ready ## unit tests alone
	@$(BIN)/python tests/run.py tests/unit

generate: $(VENV)/ready ## write CRDs, RBAC and the pages made from the kinds
	@$(RUN) -m merkhet generate && $(RUN) docs/generate.py

verify: $(VENV)/ready ## fail where a generated file is not fresh
	@$(RUN) -m merkhet generate --check && $(RUN) docs/generate.py --check

golden: $(VENV)/ready ## write golden files anew; review the difference like code
	@$(BIN)/python tests/run.py tests/golden tests/chart/test_rendering.py --update-golden

cluster: $(VENV)/ready ## start the local cluster; kubeconfig in .cluster/kubeconfig
	@$(RUN) -m tests.cluster.cluster up

cluster-down: $(VENV)/ready ## stop the local cluster; nothing stays behind
	@$(RUN) -m tests.cluster.cluster down

images: cluster ## build the three images and put them onto the node
	@$(RUN) -m images.build && $(RUN) -m tests.cluster.cluster load

install: images ## install the chart into the cluster
	@$(RUN) -m tests.cluster.install

soak: install ## what takes too long for every change: rollouts by the hundred, kills at random
	@$(CLUSTER) $(BIN)/python tests/run.py tests/soak

bench: $(VENV)/ready ## measure beside the alternatives; figures go to docs/benchmarks.md
	@$(RUN) -m tests.cluster.cluster tools && $(RUN) -m tests.bench.operator.run && $(RUN) -m tests.bench.serving.run && \
		$(RUN) -m tests.bench.online.run && $(RUN) -m tests.bench.features.run && $(RUN) -m tests.bench.training.run && \
		$(MAKE) --no-print-directory install && $(CLUSTER) $(BIN)/python -m tests.bench.training.queue

clean: cluster-down ## remove what was built in this folder
	@rm -rf $(VENV) .cluster .mypy_cache .ruff_cache .pytest_cache

$(VENV)/ready: requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 with venv is needed: apt-get install python3 python3-venv"; exit 2; }
	@echo "Python environment ($(PYTHON))"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
