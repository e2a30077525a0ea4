# `make up` and `make test` are all that a new machine needs: Python 3.11+, make, and the package registries.
.DEFAULT_GOAL := help
.PHONY: help setup up down status test check unit lint types imports planted format image

BIN := .venv/bin
# Some images set this. Every process here would then compile what it imports anew: half of what its start costs.
unexport PYTHONDONTWRITEBYTECODE
# Extra arguments: make up UP="--no-demo --port 8081", make unit TESTS="tests/dedup -k replay"
UP ?=
TESTS ?=
# Most tests wait for a broker, so a core has time for two. Without workers: make unit WORKERS=0
WORKERS ?= 4

help: ## Show what there is to make
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## Install what requirements.lock pins into .venv; does nothing when that is done
	@.ci/setup

up: setup ## Start Kafka, Postgres, the API and every consumer, show one clone, stay up until Ctrl-C
	@exec $(BIN)/clonepost up $(UP)

down: setup ## Stop the stack; its data stays
	@exec $(BIN)/clonepost down

status: setup ## Show every process and address of the running stack
	@exec $(BIN)/clonepost status

test: check unit ## Run lint, types, import rules and every test

check: lint types imports ## Run what needs no server

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

unit: setup ## Run the tests against a real broker and a real database
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder $(TESTS)

planted: setup ## Plant each known defect in a copy of the code: every one must be caught (about ten minutes)
	$(BIN)/pytest tests/planted -m "slow or slow_planted" $(TESTS)

format: setup ## Lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

image: ## Build the image that docker-compose.yml runs
	docker compose build
