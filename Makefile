# What you type. Behind it is `python -m tools`, which also runs without make.
#   make up                      the stack `local` on the emulator of this machine
#   make up STACK=dev            another stack, unmodified, on the same emulator
#   make up STACK=dev TARGET=azure
#   make up BACKEND=debian       the stack `debian`, on a PostgreSQL with graphs, pg_cron and contrib
#   make preview ARGS=--diff     more arguments, passed on

STACK ?=
TARGET ?= emulator
ARGS ?=
Q ?=
JOB ?=
PYTHON ?= python3

export STACK TARGET JOB
RUN := $(PYTHON) -m tools

.DEFAULT_GOAL := help
.PHONY: help up preview preflight refresh status estimate failures spend calibrate pause resume retry rollback search console psql \
        destroy down test test-unit test-components test-protocol \
        test-postgres test-emulator test-stack lint schema lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: STACK=$(or $(STACK),local) TARGET=$(TARGET) (emulator or azure) JOB= ARGS= (more arguments) PYTHON=$(PYTHON)"

up: ## create or update the stack, embed its rows; sets up what is missing
	@$(RUN) up $(ARGS)

preview: ## show what `make up` would do, and what new jobs would cost
	@$(RUN) preview $(ARGS)

preflight: ## check sign-in, rights, quota, models, sizes and names before `up`; changes nothing
	@$(RUN) preflight $(ARGS)

refresh: ## compare the recorded state with what is really there
	@$(RUN) refresh $(ARGS)

status: ## resources, extensions, jobs; ARGS=--watch follows the jobs live
	@$(RUN) status $(ARGS)

estimate: ## what is left: rows, tokens, requests, cost, minutes; JOB=name for one
	@$(RUN) estimate $(ARGS)

failures: ## rows in quarantine: key, attempts, error, since when
	@$(RUN) failures $(ARGS)

spend: ## what each job spent, by day
	@$(RUN) spend $(ARGS)

calibrate: ## learn from one small paid request how many tokens are billed: JOB=name
	@$(RUN) calibrate $(ARGS)

pause: ## let workers leave a job alone: JOB=name, or JOB=all
	@$(RUN) pause $(ARGS)

resume: ## let a job go on: JOB=name, or JOB=all
	@$(RUN) resume $(ARGS)

retry: ## queue the rows in quarantine again: JOB=name, or JOB=all
	@$(RUN) retry $(ARGS)

rollback: ## go back to the model that a job had before: JOB=name
	@$(RUN) rollback $(ARGS)

search: export SEARCH_QUERY = $(Q)
search: ## find rows by meaning: make search Q="late delivery penalty"; ARGS=--compare shows words and both beside it
	@$(RUN) search $(ARGS) -- "$$SEARCH_QUERY"

console: ## a page for your browser: jobs, quota, failures, search; ARGS=--allow-actions lets it change jobs
	@$(RUN) console $(ARGS)

psql: ## a session in the database as the stack's user
	@$(RUN) psql $(ARGS)

destroy: ## delete the stack's resources, and list what is retained
	@$(RUN) destroy $(ARGS)

down: ## stop the emulator; its state stays
	@$(RUN) down

test: ## all tests, on six levels
	@$(RUN) test $(ARGS)

test-unit: ## tests of nothing but the code
	@$(RUN) test unit $(ARGS)

test-components: ## tests of the components with mocks
	@$(RUN) test components $(ARGS)

test-protocol: ## tests of the dynamic resources over gRPC
	@$(RUN) test protocol $(ARGS)

test-postgres: ## tests of the SQL on a real PostgreSQL
	@$(RUN) test postgres $(ARGS)

test-emulator: ## tests of the emulator with the official clients
	@$(RUN) test emulator $(ARGS)

test-stack: ## tests of the whole with the real engine
	@$(RUN) test stack $(ARGS)

lint: ## check format, style and types
	@$(RUN) lint

schema: ## make the JSON schema and the page of the config again
	@$(RUN) schema $(ARGS)

lock: ## make the lock files again from requirements*.in
	@$(RUN) lock $(ARGS)

clean: ## remove stacks, emulator, caches and .venv of this checkout
	@$(RUN) clean

.PHONY: bench bench-quick
bench: ## measure the engine and its searches, about 25 to 40 minutes: make bench ARGS="--only B1,B6 --runs 3"
	@$(RUN) bench $(ARGS)

bench-quick: ## see that every benchmark runs, in under 3 minutes
	@$(RUN) bench --quick $(ARGS)
