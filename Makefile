# The two commands of the README, and what developers need besides them.
#
#   make run          serve in the foreground
#   make stack        start the whole set of processes, with limits; docs/stack.md
#   make stack-status show them, and their memory against their limits
#   make stack-down   end them
#   make test         run every test
#   make lint         ruff, mypy, the rooms' import rules, generated code
#   make generate     the Python code of the contracts in proto/
#   make bench        measure, beside other servers; two hours
#   make bench-quick  a taste of that, within three minutes
#   make clean        take away what these made; figures in bench/out stay
#
# PYTHON chooses the interpreter: make run PYTHON=/opt/python3.12/bin/python3

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

# Each stamp says what was installed last; it is older than a changed setup.cfg.
RUN_STAMP := $(VENV)/installed
STACK_STAMP := $(VENV)/installed-stack
DEV_STAMP := $(VENV)/installed-dev

# A default editable install hides the folder twisted/plugins, and with it `rum`.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--config-settings editable_mode=compat --editable

# twistd looks at every plugin of every package until it has written its cache;
# that loads OpenSSL and more into the server's memory.
CACHE_PLUGINS := $(BIN)/twistd --help >/dev/null

.PHONY: run stack stack-status stack-down test lint generate coverage bench bench-quick clean

# Without a pidfile: after a crash its number may be somebody else's by now.
run: $(RUN_STAMP)
	@exec $(BIN)/twistd --nodaemon --pidfile= rum

# STACK adds options (python -m rum_twisted.stack --help): make stack STACK="--shift 10000"
stack: $(STACK_STAMP)
	@$(BIN)/python -m rum_twisted.stack $(STACK) up

stack-status: $(STACK_STAMP)
	@$(BIN)/python -m rum_twisted.stack $(STACK) status

stack-down: $(STACK_STAMP)
	@$(BIN)/python -m rum_twisted.stack $(STACK) down

# On the reactor that `twistd rum` runs on; without what gRPC says of refused callers.
test: $(DEV_STAMP)
	GRPC_VERBOSITY=NONE $(BIN)/python -m twisted.trial --reactor=asyncio tests

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python proto/generate.py --check

generate: $(DEV_STAMP)
	$(BIN)/python proto/generate.py

coverage: $(DEV_STAMP)
	$(BIN)/coverage run -m twisted.trial --reactor=asyncio tests
	$(BIN)/coverage report

# BENCH adds options (python -m bench.run --help): make bench BENCH="c400 --repeats 3"
bench: $(RUN_STAMP)
	@$(BIN)/python -m bench.run $(BENCH)

bench-quick: $(RUN_STAMP)
	@$(BIN)/python -m bench.run --quick $(BENCH)

clean:
	rm -rf $(VENV) build dist *.egg-info _trial_temp* .coverage
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f twisted/plugins/dropin.cache
	find $(wildcard rum_twisted twisted tests bench) -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Rum needs Python 3.11 or later; name one: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# What a server needs that was not configured, and rumctl.
$(RUN_STAMP): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing Rum into $(VENV) ..."
	@$(INSTALL) '.[database,weather,ctl,metrics]'
	@$(CACHE_PLUGINS)
	@touch $@

# All processes of etc/compose.yml, etcd included. Under a CPU limit, translating all
# modules at the first start would take long.
$(STACK_STAMP): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing Rum and an etcd into $(VENV) ..."
	@$(INSTALL) '.[stack]'
	@$(CACHE_PLUGINS)
	@$(BIN)/python -m compileall -q rum_twisted twisted
	@touch $@ $(RUN_STAMP)

$(DEV_STAMP): setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing Rum and the tools of its developers into $(VENV) ..."
	@$(INSTALL) '.[dev]'
	@$(CACHE_PLUGINS)
	@touch $@ $(RUN_STAMP) $(STACK_STAMP)
