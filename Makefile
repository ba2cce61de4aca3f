# Builds a virtual environment of its own: needs nothing but make and Python 3.11 or newer.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet --quiet
# What is on these lists, and nothing else: pip refuses a package whose hash is another.
PIP_LISTED := $(PIP) --require-hashes --requirement
PIP_PACKAGE := $(PIP) --no-deps --no-build-isolation
LOCK := $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command "make constraints"

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick test-all lint audit docs release-check mutants constraints clean

help:
	@echo "make demo           a campaign and some orders against the sandbox, then the admin; ARGS=--exit ends after the run"
	@echo "make test           the tests on every database that is here, without a browser, workers and long combinations"
	@echo "make test-quick     those of the core rules, on SQLite, in half a minute"
	@echo "make test-all       all tests; ARGS of these three are handed to pytest"
	@echo "make lint           style, types, imports, migrations and secrets"
	@echo "make audit          known vulnerabilities of what is installed here"
	@echo "make docs           the documentation, in docs/_build/html"
	@echo "make release-check  the packages: built, checked, installed and used, and the list of what they need (SBOM), in dist"
	@echo "make mutants        changes the core rules in small ways, which the tests must notice; ARGS names a part (CONTRIBUTING.rst)"
	@echo "make constraints    the newest versions of all that is installed here, with their hashes, in requirements"
	@echo "make clean          remove everything that was built, the virtual environment included"

demo: $(VENV)/.installed-core
	@$(PYTHON) example_project/manage.py demo $(ARGS)

test: $(VENV)/.installed-dev
	@$(PYTHON) tests/run.py $(ARGS)

test-quick: $(VENV)/.installed-dev
	@$(PYTHON) tests/run.py --quick $(ARGS)

test-all: $(VENV)/.installed-dev
	@$(PYTHON) tests/run.py --all $(ARGS)

# The last looks for what could be a password or a key, and is not known from .secrets.baseline as an example.
lint: $(VENV)/.installed-dev
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) -m django makemigrations --check --dry-run --settings tests.settings
	$(PYTHON) example_project/manage.py makemigrations --check --dry-run
	git ls-files -z | xargs -0 $(VENV)/bin/detect-secrets-hook --no-verify --baseline .secrets.baseline

audit: $(VENV)/.installed-dev
	.ci/audit

constraints: $(VENV)/.installed-core
	@$(PIP) uv
	$(LOCK) setup.cfg requirements/lanes.in requirements/test.in --extra dev --output-file requirements/dev.txt
	$(LOCK) setup.cfg requirements/lanes.in requirements/test.in --extra test --constraint requirements/dev.txt \
	    --output-file requirements/test.txt
	$(LOCK) setup.cfg requirements/lanes.in --constraint requirements/dev.txt --output-file requirements/core.txt
	$(LOCK) requirements/mariadb.in --output-file requirements/mariadb.txt

docs: $(VENV)/.installed-dev
	$(VENV)/bin/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

release-check: $(VENV)/.installed-dev
	.ci/release-check

# One process, because the tests share a database.
mutants: $(VENV)/.installed-dev
	$(VENV)/bin/mutmut run --max-children 1 $(ARGS)
	$(VENV)/bin/mutmut results

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .tox
	rm -rf example_project/demo.sqlite3* example_project/media example_project/static example_project/hyber-private tests/*.sqlite3* test-artifacts mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A name on the PATH may lead to nothing (version managers leave such ones), so each is asked; venv needs ensurepip.
$(VENV)/.installed-core: setup.cfg pyproject.toml requirements/core.txt
	@is_new='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'; \
	if ! $(PYTHON) -c "$$is_new" 2>/dev/null; then \
	    for python in python3.14 python3.13 python3.12 python3.11 python3 python none; do \
	        if $$python -c "$$is_new" 2>/dev/null; then break; fi; \
	    done; \
	    if [ $$python = none ]; then echo "Python 3.11 or newer, with venv and pip, was not found." >&2; exit 1; fi; \
	    echo "Making $(VENV) with $$python"; \
	    $$python -m venv --clear $(VENV) || exit 1; \
	fi
	@echo "Installing what the package needs"
	@$(PIP_LISTED) requirements/core.txt
	@$(PIP_PACKAGE) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-core requirements/dev.txt requirements/mariadb.txt
	@echo "Installing what tests and checks need"
	@$(PIP_LISTED) requirements/dev.txt
	@$(PIP_LISTED) requirements/mariadb.txt --no-build-isolation >$(VENV)/mariadb.log 2>&1 \
	    || echo "mysqlclient cannot be built here, so there are no tests on MariaDB. $(VENV)/mariadb.log has the reason;" \
	            "what it needs is said at the end of the tests."
	@touch $@
