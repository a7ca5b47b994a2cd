# `make help` lists the targets. Variables: DURATION and NODES for demo; SEEDS and FROM for sim;
# MINUTES, ROUNDS and SEED for soak.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test check rings sim sim-mutants soak bench

DURATION ?= 20
NODES ?= 3
SEEDS ?= 2000
FROM ?= 0
MINUTES ?= 60
export SYNAPSE_DEMO_DIR

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A cluster under load on every node at once, then proof that all nodes are equal (DURATION=20 NODES=3)
	@.ci/prerequisites demo
	@cargo build --release -p synapse-bin
	@target/release/synapsectl demo --duration $(DURATION) --nodes $(NODES)

demo-down: ## Stop and remove the demo's cluster
	@cargo build --quiet --release -p synapse-bin
	@target/release/synapsectl demo --down

check: ## Format, lints, documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

test: ## The whole gate: check, all tests with real PostgreSQL, a short demo
	@.ci/prerequisites test
	@$(MAKE) --no-print-directory check
	@# Tests run the daemon and the command beside each other: build both before any test starts them.
	cargo build -p synapse-bin
	@# The demo is a separate end: keep the tests' own summary for the last line.
	@set +e; log=$$(mktemp); cargo nextest run --workspace 2>&1 | tee "$$log"; outcome=$$?; set -e; \
	  $(MAKE) --no-print-directory rings || true; \
	  dir=$$(mktemp -d /tmp/synapse-test-demo.XXXXXX); chmod 755 "$$dir"; demo=0; \
	  $(MAKE) --no-print-directory demo DURATION=5 SYNAPSE_DEMO_DIR="$$dir/demo" || demo=$$?; \
	  SYNAPSE_DEMO_DIR="$$dir/demo" $(MAKE) --no-print-directory demo-down || true; rm -rf "$$dir"; \
	  [ $$demo = 0 ] && echo 'demo: passed' || echo 'demo: FAILED'; \
	  grep -E 'tests? run:' "$$log" | tail -1 | sed 's/^ *Summary *//' || true; rm -f "$$log"; \
	  [ $$outcome = 0 ] && [ $$demo = 0 ]

rings: ## Count the tests of each ring
	@.ci/rings

sim: ## Seeded simulation (SEEDS=n FROM=s, FLAGS=… as a replay line says); exit 1 and a one-line replay on failure
	@cargo run --quiet --profile sim -p synapse-engine-sim --bin sim -- --seeds $(SEEDS) --from $(FROM) $(FLAGS)

sim-mutants: ## Show that the simulation finds faults that are put in on purpose
	@cargo run --quiet --profile sim -p synapse-engine-sim --features mutants --bin sim -- --mutant all

soak: ## Random kills in a cluster under load (MINUTES=60, or ROUNDS=200; SEED=s); all nodes are equal after each
	@.ci/prerequisites demo
	@SYNAPSE_FAULT_$(if $(ROUNDS),ROUNDS=$(ROUNDS),MINUTES=$(MINUTES)) $(if $(SEED),SYNAPSE_FAULT_SEED=$(SEED)) \
	  cargo test --quiet --release -p synapse-bin --test faults_on_postgres -- --nocapture \
	  --exact kills::faults_on_two_nodes_at_once_lose_and_double_nothing

bench: ## Every benchmark, and the report
	@.ci/prerequisites demo
	@cargo build --release -p synapse-bin
	@cargo run --quiet --release -p synapse-benchmarks -- all

bench-%: ## One benchmark by name
	@.ci/prerequisites demo
	@cargo build --release -p synapse-bin
	@cargo run --quiet --release -p synapse-benchmarks -- $*
