# Everything runs in .venv, which the first target that needs it sets up from the hashed lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# uv, where it is there, installs the same lock much faster than pip; compiled, as by pip, since the first start would take a minute otherwise.
INSTALL := $(if $(shell uv --version 2>/dev/null),uv pip install --quiet --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

.PHONY: up drill test test-live test-redmine stories browser screenshots vendor check format lint types docs bench golden soak lock clean

## up: set up what is missing and start everything on this machine
up: $(STAMP)
	@$(BIN)/tocsin up $(ARGS)

## drill: play a practice incident (ARGS=--auto plays it alone)
drill: $(STAMP)
	@$(BIN)/tocsin drill $(ARGS)

# Four processes, since most tests wait for a server; those that wait longest come first, so that none is left alone at the end.
LONGEST := tests/stories tests/server tests/live
OTHERS := $(filter-out $(LONGEST) tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/ tests/test_*.py)))

## test: the whole suite (ARGS="-k name" for a part)
test: $(STAMP)
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(LONGEST) $(OTHERS)
	$(BIN)/python -m pytest tests/browser -m browser -k "$(SHORT)"
endif

# The short form of `make browser`: one test of each promise that only a browser can break.
SHORT := shows_within_a_second or survives_twenty or shown_in_full or led_without_scripts or saved_by_itself or without_scripts_it_is or keyboard_alone or empty_field_is_told

## stories: every story, also those that take long with nothing cached
stories: $(STAMP)
	$(BIN)/python -m pytest -n 4 tests/stories -m "not live" $(ARGS)

## browser: the pages in headless Chromium, with axe-core; installs Chromium where it is missing and apt is there
browser: $(STAMP) .cache/axe.min.js
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }
	$(BIN)/python -m pytest tests/browser -m browser $(ARGS)

.cache/axe.min.js: starter/web/static/vendor/vendor.lock
	$(BIN)/python -m tests.vendor --axe
	@touch $@

## screenshots: pictures of the pages into docs/screenshots, light and dark, laptop and phone
screenshots: $(STAMP)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

## vendor: the scripts of others are still the locked ones (ARGS=--write takes them over)
vendor: $(STAMP)
	$(BIN)/python -m tests.vendor $(ARGS)

# Debian starts what it installs; our tests start their own.
LIVE_PROGRAMS := prometheus prometheus-alertmanager

## test-live: install Debian's Prometheus and Alertmanager where they are missing, and live through a real outage
test-live: $(STAMP)
	@for program in $(LIVE_PROGRAMS); do command -v $$program >/dev/null || missing=1; done; test -z "$$missing" || $(MAKE) --no-print-directory live-programs
	$(BIN)/python -m pytest tests/live -o addopts="-q --strict-markers" -o faulthandler_timeout=600 $(ARGS)

## live-sev1: a whole SEV1 on real Synapse, Roundup, SMTP, Prometheus and Alertmanager, each taken away in turn; says what it counted
live-sev1: $(STAMP)
	@for program in $(LIVE_PROGRAMS); do command -v $$program >/dev/null || missing=1; done; test -z "$$missing" || $(MAKE) --no-print-directory live-programs
	$(BIN)/python -m pytest tests/live/test_sev1.py -o addopts="-q --strict-markers" -o faulthandler_timeout=0 $(ARGS)

.PHONY: live-programs live-sev1
live-programs:
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends $(LIVE_PROGRAMS)
	-for program in $(LIVE_PROGRAMS); do service $$program stop; done

## check: lint, types, docs
check: lint types docs

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

## docs: the generated pages are up to date, and every example in them holds
docs: $(STAMP)
	$(BIN)/python -m tests.docs --check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m tests.docs --write

## bench: the figures, as ratios against a bare workflow in one run (ARGS=--long for the long form)
bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

## golden: record histories of this version beside the old ones (old ones are never rewritten)
golden: $(STAMP)
	$(BIN)/python -m tests.workflows.recording
	$(BIN)/python -m tests.workflows.group_recording

## soak: many kills of worker and server under a story, counted (KILLS=200)
soak: $(STAMP)
	$(BIN)/python -m pytest tests/server -m long -o addopts="" $(ARGS)

## test-redmine: tickets at a real Redmine of Debian's package (needs root and apt-get install redmine redmine-sqlite puma)
test-redmine: $(STAMP)
	TOCSIN_TEST_REDMINE=1 $(BIN)/python -m pytest tests/integrations/test_redmine.py $(ARGS)

## lock: pin and hash what is installed
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra dev --extra postgres pyproject.toml -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 …"; rm -rf $(VENV); exit 1; }
	@echo "Setting up $(VENV) (once) …"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
