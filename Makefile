# Everything these commands make lies under .docconv; `make clean` removes it.
PYTHON ?= python3
VENV := .docconv/venv
RUN := $(VENV)/bin/python -m dev
PINNED := pyproject.toml sandbox/pyproject.toml dev/install.py $(wildcard constraints/*.txt)

.DEFAULT_GOAL := help
.PHONY: help demo ui libreoffice check test lint docs compat docling bench pictures constraints clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/demo.ready ## Convert a folder of documents through a real Airflow, with a table at the end
	@$(RUN).demo

ui: $(VENV)/demo.ready ## Open the same Airflow in the browser, until Ctrl-C
	@$(RUN).ui

libreoffice: $(VENV)/demo.ready ## Add LibreOffice and DjVuLibre, which convert more kinds of documents
	@$(RUN).libreoffice

check: $(VENV)/test.ready ## Run the linters and the tests that need no servers, in a minute
	@$(RUN).check check

test: $(VENV)/test.ready ## Run every test and the linters
	@$(RUN).check test

lint: $(VENV)/test.ready ## Run the linters only
	@$(RUN).check lint

docs: $(VENV)/test.ready ## Build the documentation site, with the first page at .docconv/docs/index.html
	@$(RUN).check docs

compat: $(VENV)/test.ready ## Run the tests of the package on older Airflows, back to 2.11 (AIRFLOW=3.0.6 for one)
	@$(RUN).compat $(AIRFLOW)

docling: $(VENV)/test.ready ## Run the tests of docling-serve against a real one, at DOCLING_SERVE_URL
	@$(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/airflow/test_docling_server.py

bench: $(VENV)/test.ready ## Measure time, memory and calls of large nights, against other ways
	@$(VENV)/bin/python -m benchmarks

pictures: $(VENV)/test.ready ## Take the pictures of the pages in docs/images anew
	@DOCCONV_PICTURES=docs/images $(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/ui/test_browser.py

constraints: $(VENV)/demo.ready ## Pin the newest versions of everything that is installed
	@$(RUN).constraints

clean: ## Remove everything these commands have made
	rm -rf .docconv

$(VENV)/%.ready: $(PINNED)
	@command -v $(PYTHON) >/dev/null || { echo "This needs Python 3.11 or later ($(PYTHON) not found)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "This needs Python 3.11 or later, not " + sys.version)'
	@$(PYTHON) -m dev.install $*
