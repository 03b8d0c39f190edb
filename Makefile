# Everything that a developer or the continuous integration does, by name.
# Needed beforehand: Python 3.11 or newer, pip, make and git.

PYTHON ?= python3
# Index that pip takes torch from, where its default is not the build wanted.
TORCH_INDEX ?=
# Set to 1 to install CUDA packages where no GPU is seen.
ALLOW_CUDA ?=
WORKERS ?= 2
# Seconds after which `make fuzz` skips what it has not tried yet.
FUZZ_SECONDS ?= 540

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# nnU-Net and the BIDS validator, apart from Glioforge's own dependencies.
EXPORTS := .venv-exports
EXPORTS_STAMP := $(EXPORTS)/.installed
# Scripts that measure time without being asked what; the others of benchmarks/ compare commits or studies.
TIMINGS := doctor lesions metrics phantom precision prepare random_recipes spade_step store synthesizers \
           larger_than_memory
FAST := -m "not slow and not gpu and not browser"
PYTEST := $(BIN)/python -m pytest
FLOORS := core:95 config:95 compute:85 statistics:95 io:85 data:85 nn:85 losses:85 metrics:95 features:85 training:85 \
          lesions:95 segmentation:85 synthesis:85 quality:85 sampling:85 mixing:85 labelmaps:85 privacy:85 release:85 report:85 \
          viewer:85 reader:90 runs:85 classification:85 studies:85 papers:85 cli:85

# One thread a process: the workers share the cores among them.
export OMP_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test slow browser check ci-format lint types imports coverage docs fuzz load bench studies-smoke check-exports audit format changelog clean

help: ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /	/' | expand -t 16

setup: $(STAMP) ## make .venv with Glioforge and everything for development

$(STAMP): pyproject.toml constraints.txt .ci/torch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Glioforge needs Python 3.11 or newer, for example: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(if $(TORCH_INDEX),$(BIN)/python -m pip install -q -c constraints.txt --index-url '$(TORCH_INDEX)' torch)
	@$(if $(ALLOW_CUDA),:,$(BIN)/python .ci/torch_build.py)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## the whole pipeline on phantoms, with a report in demo-run/
	$(BIN)/glioforge demo --out demo-run

test: $(STAMP) ## tests without the slow ones
	$(PYTEST) $(FAST) -n $(WORKERS) $(COVERAGE)

slow: $(STAMP) ## the slow tests
	$(PYTEST) -m "slow and not gpu" -n $(WORKERS)

browser: $(STAMP) ## tests of the local pages in headless Chromium, which apt-get installs where it can
	@.ci/browser

check: ci-format lint types imports docs coverage ## all that continuous integration asks for

ci-format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

coverage: $(STAMP) ## tests without the slow ones, with a floor of branch coverage for each package
	rm -f .coverage .coverage.*
	@$(MAKE) --no-print-directory test COVERAGE="--cov=glioforge --cov-branch --cov-report="
	@$(BIN)/python .ci/coverage_floors.py $(FLOORS)

docs: $(STAMP) ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

fuzz: $(STAMP) ## the property tests with many more random examples, for ten minutes at most
	FUZZ_SECONDS=$(FUZZ_SECONDS) HYPOTHESIS_PROFILE=search $(PYTEST) -m hypothesis -n $(WORKERS) --timeout=0

load: $(STAMP) ## fifty readers at once while the server of their study is killed, into benchmarks/results
	$(BIN)/python benchmarks/reading_load.py

bench: $(STAMP) ## timings, into benchmarks/results
	for name in $(TIMINGS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

studies-smoke: $(STAMP) ## the studies of the papers with budget smoke on phantoms, into studies-smoke-run/; not part of check
	$(BIN)/python experiments/studies_smoke.py studies-smoke-run --workers $(WORKERS)

check-exports: $(STAMP) $(EXPORTS_STAMP) ## exports of phantoms, judged by nnU-Net and the BIDS validator; not part of check
	$(BIN)/python .ci/check_exports.py $(BIN) $(EXPORTS)/bin

$(EXPORTS_STAMP): constraints.txt .ci/torch_build.py
	@test -x $(EXPORTS)/bin/python || $(PYTHON) -m venv $(EXPORTS)
	@$(if $(TORCH_INDEX),$(EXPORTS)/bin/python -m pip install -q -c constraints.txt --index-url '$(TORCH_INDEX)' torch torchvision)
	@$(EXPORTS)/bin/python .ci/torch_build.py --cpu
	@echo "installing nnU-Net and the BIDS validator into $(EXPORTS) ..."
	@$(EXPORTS)/bin/python -m pip install -q -c constraints.txt 'nnunetv2>=2.8,<3' 'bids-validator-deno>=3'
	@touch $@

audit: $(STAMP) ## known weaknesses of the pinned packages
	$(BIN)/pip-audit -r constraints.txt --no-deps --disable-pip

format: $(STAMP) ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

changelog: $(STAMP) ## show the changelog of the next release
	$(BIN)/towncrier build --draft --version next

clean: ## remove what was built, but not .venv
	rm -rf build dist site demo-run studies-smoke-run .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
