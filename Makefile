# Everything that a person types. `make` alone prints the list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up doctor test soak fuzz lint format bench migrations docs translations screenshots sbom audit requirements clean

VENV ?= .venv
PY := $(VENV)/bin/python
PORT ?= 8000
ARGS ?=
export VENV PORT

# Whatever Python there is looks for one that is new enough; none at all gets a message instead of "not found".
define bootstrap
@launcher=$$(command -v $${PYTHON:-python3} || command -v python3.12 || command -v python3.11 || command -v python) || \
  { echo "No Python found. Next step: apt-get install python3.11 python3.11-venv"; exit 2; }; \
  $$launcher tools/bootstrap.py $(1)
endef

help: ## This list
	@echo "Place-based risk forecasts and directed patrol missions. Usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables: PORT=8001 (demo)  ARGS=\"-k import\" (test, bench)  REQUIRE_ALL=1 (test: a skip is a failure)  PYTHON=python3.12"

demo: ## A demo city with forecasts and a published plan, served on http://localhost:$(PORT)
	$(call bootstrap,runtime)
	@exec $(PY) manage.py demo --port $(PORT)

up: ## The production stack on this machine, from its own PostgreSQL and Redis, on http://localhost:$(PORT)
	$(call bootstrap,runtime)
	@exec $(PY) tools/up.py --port $(PORT)

doctor: ## What is wrong with this installation, and how to mend it
	$(call bootstrap,runtime)
	@exec $(PY) manage.py doctor

test: ## Every test and check; on SQLite always, on PostgreSQL and in Chromium where they are installed
	$(call bootstrap,dev)
	@exec $(PY) tools/test.py $(ARGS)

soak: ## Simulated days with kills, malformed requests and readers, and the same days calmly: the ends must agree; ARGS="--days 30 --stack"
	$(call bootstrap,dev)
	@exec $(PY) -m tests.faults.soak $(ARGS)

fuzz: ## Every parser fed damaged files for a minute each: only its own errors may come out; ARGS="--seconds 600 areas"
	$(call bootstrap,dev)
	@exec $(PY) -m tests.fuzz $(ARGS)

lint: ## Format, lint, types, import contracts, missing migrations; nothing is changed
	$(call bootstrap,dev)
	@$(PY) tools/lint.py

format: ## Put the code into house format and mend what lint can mend
	$(call bootstrap,dev)
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .

bench: ## Every benchmark: one JSON each under benchmarks/results/, and a table
	$(call bootstrap,dev)
	@exec $(PY) benchmarks/run.py $(ARGS)

migrations: ## Write the migrations that changed models need
	$(call bootstrap,dev)
	@$(PY) manage.py makemigrations

docs: ## Write the reference pages that come from the code, and build the documentation's site into site/
	$(call bootstrap,dev)
	@$(PY) tools/docs.py

translations: ## Collect the texts that people read and compile their translations (needs GNU gettext)
	$(call bootstrap,dev)
	@$(PY) tools/translations.py $(ARGS)

screenshots: ## Every page of each role, light and dark, into var/screenshots/; ARGS="--tour" for README's and docs' pictures
	$(call bootstrap,dev)
	@exec $(PY) tools/screenshots.py $(ARGS)

sbom: ## A software bill of materials (CycloneDX) of what the product runs with, into var/sbom.json
	$(call bootstrap,runtime)
	@exec $(PY) tools/supply.py sbom $(ARGS)

audit: ## Known weaknesses of the pinned packages, where an advisory service can be reached
	$(call bootstrap,runtime)
	@exec $(PY) tools/supply.py audit

requirements: ## Pin requirements*.txt anew from requirements*.in
	$(call bootstrap,dev)
	@$(PY) tools/pin.py

clean: ## Remove the environment and caches; the demo's data in var/ stays (make clean-data removes it)
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles tests/artifacts
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

.PHONY: clean-data
clean-data:
	rm -rf var
