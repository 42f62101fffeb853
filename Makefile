# make demo   the main job, end to end
# make test   everything scripts/check checks
# make kernel the C++ kernel, after its sources were edited
# The first two install what is missing first; once installed, none needs a network.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
KERNEL := snncircuit/network/event/src
BUILT := $(VENV)/.built
# The system's cmake, or where there is none the one of PyPI.
CMAKE := $(or $(shell command -v cmake),$(VENV)/bin/cmake)
# On Linux the default torch wheel carries several GB for graphics cards. To do without them, name the wheel
# index that PyTorch's "Get started" page gives for CPU:  make demo TORCH_INDEX=...
TORCH_INDEX ?=
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt \
       $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test install kernel system clean

# Without ngspice the demo still runs, from the shipped tables, and says so.
demo:
	@scripts/ensure-ngspice || echo "going on without ngspice, from the shipped tables" >&2
	@$(MAKE) --no-print-directory $(BUILT)
	$(VENV)/bin/snncircuit demo

test: install
	scripts/check

install: system $(BUILT)

system:
	@scripts/ensure-ngspice

# The stamp is what makes a second call need no network.
$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { $(PYTHON) --version; echo "snncircuit needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 2; } >&2
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned packages into $(VENV) (a few minutes, once)"
	$(PIP) nanobind scikit-build-core $(if $(filter $(VENV)/%,$(CMAKE)),cmake)
	$(PIP) --no-build-isolation -e '.[pyspice,dev]'
	@touch $@

# The install above builds it too, and where it cannot it goes on without; a source that does not compile is told here.
$(BUILT): $(STAMP) $(wildcard $(KERNEL)/*.cpp $(KERNEL)/*.hpp $(KERNEL)/CMakeLists.txt)
	@if [ -f $(KERNEL)/cmake_install.cmake ]; then $(CMAKE) --build $(KERNEL); else \
	    echo "no C++ compiler: going on without the event engine; make kernel tries again" >&2; fi
	@touch $@

kernel: $(STAMP)
	@[ -f $(KERNEL)/cmake_install.cmake ] || $(PIP) --no-build-isolation --no-deps -e .
	@[ -f $(KERNEL)/cmake_install.cmake ] || { echo "no C++ compiler was found (g++, clang++, or what CXX names)" >&2; exit 2; }
	@$(CMAKE) --build $(KERNEL)
	@touch $(BUILT)

clean:
	find $(KERNEL) -mindepth 1 -maxdepth 1 ! -name '*.cpp' ! -name '*.hpp' ! -name CMakeLists.txt -exec rm -rf {} +
	rm -rf $(VENV) $(KERNEL)/../_kernel.*.so dist build snncircuit-demo .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
