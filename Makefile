# What a person or CI runs. `make` alone lists it.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

# The parts of `make lint` and `make test`, each a target of its own.
LINT := check-format check-code check-generated check-dependencies
TEST := test-build control-plane test-rust test-simulator test-segment test-dev-cluster test-chart test-image

.DEFAULT_GOAL := help
.PHONY: help demo dev-cluster test lint generate build bench bench-cluster chaos burst model fuzz parts $(LINT) $(TEST)
# Cargo locks its target folder and uses all processors by itself.
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## One event from Segment to an agent's task, with the real program: no cluster, no accounts
	@$(CARGO) build --locked --bin engage-operator --example demo
	@$(TARGET)/debug/examples/demo

dev-cluster: ## A local API server with the operator and the simulator, and what to try with kubectl; until Ctrl-C
	@$(CARGO) build --locked --workspace --bins
	@scripts/dev-cluster

test: $(TEST) ## All tests

test-build:
	$(CARGO) test --locked --workspace --no-run

control-plane: ## etcd, kube-apiserver and kubectl for the tests, built with Go; an earlier build is used again
	@tests/control-plane/build || { test $$? = 3 && test -z "$$CI"; }

test-rust: ## The tests in Rust
	$(CARGO) test --locked --workspace

test-simulator: ## The simulator under Twilio's own SDK for Python
	@$(CARGO) build --locked --workspace --bins
	ENGAGE_SIMULATOR=$(abspath $(TARGET)/debug/engage-simulator) tests/simulator/sdk/run

test-segment: ## The gateway under Segment's own webhook destinations, from npm
	@$(CARGO) build --locked --workspace --bins
	@ENGAGE_OPERATOR=$(abspath $(TARGET)/debug/engage-operator) ENGAGE_SIMULATOR=$(abspath $(TARGET)/debug/engage-simulator) \
	  tests/segment/run || { test $$? = 3 && test -z "$$CI"; }

test-dev-cluster: ## What `make dev-cluster` prints, run as it stands there
	@$(CARGO) build --locked --workspace --bins
	@scripts/dev-cluster --check || { test $$? = 3 && test -z "$$CI"; }

lint: $(LINT) ## All checks of the source

test-chart: ## The chart: what it renders and refuses; on an API server installed, upgraded, removed, with both roles under its rights
	@$(CARGO) build --locked --workspace --bins
	@ENGAGE_OPERATOR=$(abspath $(TARGET)/debug/engage-operator) ENGAGE_SIMULATOR=$(abspath $(TARGET)/debug/engage-simulator) \
	  tests/control-plane/helm-test --api-server || { test $$? = 3 && test -z "$$CI"; }

# Of the debug program, which is built anyhow: names, TLS and the image's files do not depend on how the program was optimised.
test-image: ## The image FROM scratch: names and TLS inside it, and made twice it is the same file
	@$(CARGO) build --locked --bin engage-operator
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && export PROGRAM=$(TARGET)/debug/engage-operator && { \
	  archive=$$(CARGO_TARGET_DIR=$$work/one scripts/image) && again=$$(umask 077 && CARGO_TARGET_DIR=$$work/two scripts/image) && \
	  scripts/image-test "$$archive" "$$again"; } || { test $$? = 3 && test -z "$$CI"; }

check-format: ## rustfmt
	$(CARGO) fmt --all --check

check-code: ## clippy; a warning is an error
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

check-generated: ## Fail if crds/ and docs/lint.md are not what `make generate` would write
	@$(CARGO) build --locked --bin engage-operator
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	  $(TARGET)/debug/engage-operator crds --output-dir "$$fresh" && \
	  diff -r crds "$$fresh" && $(TARGET)/debug/engage-operator flow lint --print-document | diff docs/lint.md - || \
	  { echo 'crds/ or docs/lint.md is out of date: run `make generate`' >&2; exit 1; }

check-dependencies: ## Licences, bans and sources of dependencies; the simulator depends on nothing of the product
	$(CARGO) deny --locked check bans licenses sources
	@! $(CARGO) tree --locked --package engage-simulator --edges all --prefix none | grep '^engage-operator '

bench: build ## The figures of the README, beside what people use today; five minutes
	$(CARGO) build --locked --release --package engage-simulator
	$(CARGO) build --locked --release --package bare
	benches/figures

bench-cluster: build ## The figures of the README on an API server, with a thousand destinations; twelve minutes
	$(CARGO) build --locked --release --package engage-simulator
	benches/cluster

chaos: test-build ## The kill tests at length: 200 kills of the gateway, 200 of the controller
	ENGAGE_KILLS=200 ENGAGE_CONTROLLER_KILLS=200 $(CARGO) test --locked --test product -- kill:: cluster::crashes

burst: ## Ten times more than may leave, for five minutes: memory, the time of a refusal, arrivals; nine minutes in all
	$(CARGO) test --locked --release --test product --no-run
	ENGAGE_BURST=300 $(CARGO) test --locked --release --test product -- burst::

model: ## The model checkers of the delivery and of flows at their long bounds, and 30,000 random schedules
	ENGAGE_MODEL=long ENGAGE_SCHEDULES=30000 $(CARGO) test --locked --lib -- delivery::model studio_flow::model --nocapture

fuzz: ## Each fuzz target for a minute; SECONDS_EACH says otherwise. Needs g++
	fuzz/run

generate: ## Write anew crds/ from the types in src/api, docs/lint.md from the rules, and what is made of crds/ and the chart
	@$(CARGO) build --locked --bin engage-operator
	$(TARGET)/debug/engage-operator crds --output-dir crds
	$(TARGET)/debug/engage-operator flow lint --print-document >docs/lint.md
	scripts/render-manifests

build: ## The optimised program, target/release/engage-operator
	$(CARGO) build --locked --release --bin engage-operator
	@! grep --quiet --text ENGAGE_SEEDED_BUG $(TARGET)/release/engage-operator || { echo 'a defect for tests is in the release' >&2; exit 1; }

# For CI, which times each part.
parts:
	@echo $(LINT) $(TEST)
