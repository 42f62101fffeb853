# make demo   the main job, end to end
# make test   everything scripts/check checks
# Both install what is missing first; once installed, neither needs a network.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
# On Linux the default torch wheel carries several GB for graphics cards. To do without them, name the wheel
# index that PyTorch's "Get started" page gives for CPU:  make demo TORCH_INDEX=...
TORCH_INDEX ?=
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt \
       $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test install system clean

# Without ngspice the demo still runs, from the shipped tables, and says so.
demo:
	@scripts/ensure-ngspice || echo "going on without ngspice, from the shipped tables" >&2
	@$(MAKE) --no-print-directory $(STAMP)
	$(VENV)/bin/snncircuit demo

test: install
	scripts/check

install: system $(STAMP)

system:
	@scripts/ensure-ngspice

# The stamp is what makes a second call need no network.
$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { $(PYTHON) --version; echo "snncircuit needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 2; } >&2
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned packages into $(VENV) (a few minutes, once)"
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e '.[pyspice,dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist build snncircuit-demo .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
