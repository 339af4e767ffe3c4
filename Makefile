# make book    builds the site;  make test    checks everything;  make help    lists the rest.
# Either does its own set-up: all it takes is make and Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
SITE := _build/.built
NOTEBOOKS := $(PY) book/_ext/notebooks.py

# The site is stale when any file is newer that is not a test, hidden, or made by a tool.
INPUTS := $(shell find . -mindepth 1 \( -name '.*' -o -name _build -o -name __pycache__ \
	-o -name '*.egg-info' -o -name tests -o -name benchmarks \) -prune -o -type f -print)

export PYDEVD_DISABLE_FILE_VALIDATION := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport MPLBACKEND
unexport PYTHONPATH

.PHONY: help setup book site lint test notebooks format mutants check-arm64 check-runtime linkcheck \
	clean distclean

help:
	@echo "make book       build the site and say which page to open"
	@echo "make test       lint, spelling, unit and property tests, every chapter, the built site,"
	@echo "                and the core on the oldest NumPy allowed"
	@echo "make notebooks  run every chapter in place and keep its text outputs only"
	@echo "make format     let ruff put code and notebook cells in shape"
	@echo "make mutants    plant known errors in copies of the code: the test named for each must fail"
	@echo "make check-arm64"
	@echo "                hold the simulation against the runtime's arm64 build, emulated"
	@echo "make book VENV=.arm64;  make test VENV=.arm64 DRAWS=2"
	@echo "                the same with the emulated Python: about 12 times as long"
	@echo "make check-runtime VERSION=2.1.6"
	@echo "                try what the book says of the runtime on another release of it"
	@echo "make linkcheck  ask every address in the book whether it still leads somewhere"
	@echo "make clean      remove what was built;  make distclean    remove $(VENV) and .arm64 too"

setup: $(READY)

ifeq ($(VENV),.arm64)
$(READY): requirements.txt pyproject.toml tests/check_arm64.py
	@$(MAKE) --no-print-directory setup VENV=.venv
	@.venv/bin/python tests/check_arm64.py --set-up
	@touch $@
else
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys' 2>/dev/null || \
	  { echo "No Python found as '$(PYTHON)': try make PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is older:" \
	    "try make PYTHON=python3.11." >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || \
	  { rm -rf $(VENV); $(PYTHON) -m venv $(VENV) >/dev/null 2>&1; } || \
	  { rm -rf $(VENV); echo "'$(PYTHON) -m venv' failed: install Python's venv module" \
	    "(on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Installing what requirements.txt lists into $(VENV) (half a minute) ..."
	@$(PY) -m pip install -qq --no-input -r requirements.txt
	@$(PY) -m pip install -qq --no-input --no-deps --no-build-isolation -e .
	@touch $@
endif

book: $(READY)
	@rm -f $(SITE)
	@$(MAKE) --no-print-directory site
	@echo
	@echo "The book is built. Open: file://$(CURDIR)/_build/html/index.html"

site: $(SITE)

$(SITE): $(READY) $(INPUTS)
	@rm -rf _build && mkdir _build
	@echo "Building the book: every chapter is run, every warning is an error ..."
	@$(VENV)/bin/jupyter-book build . -q -W -n --keep-going >_build/build.log 2>&1 || \
	  { cat _build/build.log >&2; echo "The book was not built: see above." >&2; exit 1; }
	@touch $@

lint: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m codespell_lib
	@$(NOTEBOOKS) check
	@$(PY) book/_ext/prose.py

# One pytest run at the end, so that its last line counts everything; when the site cannot be
# built the run still takes place, and tests/book says so. Without a package index the oldest NumPy
# cannot be tried (status 2): then that is said, and the rest is tested.
test: lint
	@$(PY) tests/check_numpy.py || test $$? -eq 2
	@$(MAKE) --no-print-directory site || true
	@$(PY) -m pytest -q -n auto --dist loadfile --nbval --nbval-cell-timeout=120 \
	  $(if $(DRAWS),--draws=$(DRAWS)) tests book

notebooks: $(READY)
	@$(NOTEBOOKS) run

format: $(READY)
	@$(PY) -m ruff check --fix --exit-zero -q .
	@$(PY) -m ruff format .

mutants: $(READY)
	@$(PY) -m tests.check_mutants

# Status 2: it cannot be tried here, and it has said why.
check-arm64: $(READY)
	@$(PY) tests/check_arm64.py --draws $(or $(DRAWS),8) $(TESTS) || test $$? -eq 2

check-runtime: $(READY)
	@test -n "$(VERSION)" || \
	  { echo "Say which release: make check-runtime VERSION=2.1.6" >&2; exit 2; }
	@$(PY) tests/check_runtime.py $(VERSION)

linkcheck: $(READY)
	@$(PY) tests/check_links.py

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -not -path './.arm64/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) .arm64
