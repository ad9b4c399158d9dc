# `make help` lists the targets. Everything is set up in .venv by the targets themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(wildcard src/*.rs src/*/*.rs src/*/*/*.rs) $(wildcard templates/*) \
           $(wildcard rsimport/*.py rsimport/*.pyi rsimport/*/*.py rsimport/*/*/*.py) $(wildcard kernels/* kernels/*/*) \
           $(wildcard labextension/data/share/jupyter/labextensions/rsimport/* labextension/data/share/jupyter/labextensions/rsimport/*/*)

.DEFAULT_GOAL := help
.PHONY: help setup tools demo test rust-test python-test lint format bench bench-calls bench-kernels bench-native \
        bench-cluster bench-peers docs docs-site docs-pictures ship wheel fuzz faults types accept-analyzer clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/installed ## make .venv and install the package into it

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python $(SOURCES)
	@echo "compiling the engine and installing the package into $(VENV); this takes a minute or two"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	@touch $@

tools: $(VENV)/tools ## install what the tests and checks need as well

# The package is there already, so that only what its extra asks for is fetched.
$(VENV)/tools: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "rsimport[dev]"
	@touch $@

demo: $(VENV)/installed ## import a kernel through the hook and time it against Python
	$(BIN)/python examples/bench_logistic.py

test: rust-test lint python-test ## run all tests and checks

rust-test: ## run the tests of the engine
	cargo test --quiet --no-default-features

# From their own folder, where `import rsimport` cannot find the sources in the checkout.
python-test: $(VENV)/installed $(VENV)/tools ## run the tests of the package, against the installed one
	cd pytests && ../$(BIN)/pytest -n auto --dist worksteal

lint: $(VENV)/installed $(VENV)/tools ## check formats, lints and types
	cargo fmt --check
	cd kernels && rustfmt --check --edition 2024 *.rs
	cd examples && rustfmt --check --edition 2024 *.rs
	cd templates && rustfmt --check --edition 2024 *.rs
	CLIPPY_CONF_DIR=$(abspath kernels) $(BIN)/rsimport clippy kernels -- --deny warnings
	PYO3_PYTHON=$(abspath $(BIN)/python) cargo clippy --quiet --all-targets -- --deny warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python kernels
	cd pytests && ../$(BIN)/stubtest rsimport._engine

format: $(VENV)/tools ## format everything
	cargo fmt
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed $(VENV)/tools ## measure, and print ratios
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "rsimport[bench]"
	$(BIN)/python benchmarks/bench.py --json docs/figures.json

bench-calls: $(VENV)/installed ## measure what a call from Python costs, by every way there is
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "rsimport[bench,call-peers]"
	$(BIN)/python benchmarks/calls.py --markdown --json docs/calls.json > docs/calls.md
	$(BIN)/python benchmarks/calls_picture.py

bench-kernels: $(VENV)/installed ## measure the shipped kernels against their peers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "rsimport[kernel-peers]"
	$(BIN)/python benchmarks/shipped.py --json docs/kernels.json

bench-native: $(VENV)/installed ## measure native loops that call a kernel without Python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "rsimport[kernel-peers,peers]"
	$(BIN)/python benchmarks/native.py --json docs/native.json

bench-cluster: $(VENV)/installed $(VENV)/tools ## measure how soon a cluster has kernels, and hears of faults
	$(BIN)/python benchmarks/cluster_faults.py --json docs/cluster_faults.json

bench-peers: $(VENV)/installed ## compare the loop with every peer, in ten minutes and more
	$(BIN)/python benchmarks/install_peers.py
	$(BIN)/python benchmarks/loop.py --json docs/loop.json
	$(BIN)/python benchmarks/loop_picture.py

# What is random here is the same for the same SEED.
SEED ?= 0
INPUTS ?= 1000000
MINUTES ?= 5

fuzz: $(VENV)/installed $(VENV)/tools ## try random inputs, INPUTS=1000000 for each target, in half an hour or more
	FUZZ_INPUTS=$(INPUTS) cargo test --profile fuzz --no-default-features --test fuzz -- --nocapture --test-threads 1
	cd pytests && ../$(BIN)/python -m fuzz --inputs $(INPUTS) --seed $(SEED)

accept-analyzer: $(VENV)/installed ## ask a real rust-analyzer about the shipped kernels (ANALYZER=rust-analyzer)
	$(BIN)/python scripts/accept_analyzer.py $(ANALYZER)

faults: $(VENV)/installed $(VENV)/tools ## kill builds, fill disks, set limits for MINUTES=5, and import what is left
	cd pytests && ../$(BIN)/python -m faults --minutes $(MINUTES) --seed $(SEED)

types: $(VENV)/installed $(VENV)/tools ## have every type checker that is there look at the stubs of many kernels
	cd pytests && ../$(BIN)/stubtest rsimport.kernels --allowlist stubtest_allowed.txt
	cd pytests && ../$(BIN)/python checkers.py ../kernels checked big_kernels --user checked/user.py

docs: $(VENV)/installed ## write what is generated: the reference, and tables and pictures of the figures measured last
	$(BIN)/python scripts/reference.py
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python benchmarks/picture.py
	$(BIN)/python benchmarks/loop_picture.py
	$(BIN)/python benchmarks/calls_picture.py

docs-site: docs ## make the site, into site/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "rsimport[docs]"
	$(BIN)/python -m zensical build --clean --strict

docs-pictures: $(VENV)/installed $(VENV)/tools ## write the pictures of a notebook, by the test that drives JupyterLab
	cd pytests && DOCS_PICTURES=../docs/pictures ../$(BIN)/pytest -q test_jupyterlab.py

ship: $(VENV)/installed $(VENV)/tools ## ship all kernels into environments without Rust and test them there, in ten minutes
	$(BIN)/python scripts/ship_kernels.py

wheel: $(VENV)/tools ## build a wheel into dist/
	$(BIN)/maturin build --release --out dist

clean: ## remove what the targets made; the cache of kernels stays
	rm -rf $(VENV) target dist site
