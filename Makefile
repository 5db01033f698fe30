# The commands of this repository; `make help` explains them.
# Another Python: make book PYTHON=python3.13

PYTHON ?= python3
RUN    := .venv/bin/python -m
READY  := .venv/ready

# One BLAS thread a process: several processes run side by side, and sums come out the same everywhere.
export OMP_NUM_THREADS      ?= 1
export OPENBLAS_NUM_THREADS ?= 1

# What `make bench` runs; where it writes: results of other settings must not replace the published.
BENCHES := $(patsubst benchmarks/%.py,%,$(shell grep -l '"--json"' benchmarks/*.py))
RESULTS := $(if $(ARGS),.bench/results,benchmarks/results)

.NOTPARALLEL:
.PHONY: help book test hostile verify figures bench live twins format lint lock clean

help:    ## Explain the commands (this list)
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 15

book:    $(READY) ## Execute every chapter and build the site; warnings are errors
	@.venv/bin/jupyter-book build . -W -n --keep-going || { rm -rf _build/.doctrees; exit 1; }

test:    book ## Run all tests: the library, the chapters against their twins, the site in a browser
	@$(RUN) pytest -n 2 --dist loadfile --nbval --nbval-current-env book tests

hostile: $(READY) ## Judge limit by a referee on hostile instances (ARGS="--instances 300 --seed 1")
	@.venv/bin/python tests/hostile.py $(ARGS)

verify:  $(READY) ## Check every claim of the book and print the ledger (ARGS="--only ID --seed 1")
	@$(RUN) wnlib verify $(ARGS)

figures: $(READY) ## Compute the numbers behind the figures again (NAMES="figure_3", ARGS=--check to compare)
	@$(RUN) wnlib figures $(NAMES) $(ARGS)

bench:   .bench/ready ## Measure against other programs, into benchmarks/results (NAMES=l1; ARGS=--quick: into .bench)
	@for name in $(or $(NAMES),$(BENCHES)); do echo "benchmarks/$$name.py"; \
	  .bench/bin/python benchmarks/$$name.py --json $(RESULTS)/$$name.json $(ARGS) || exit 1; done

live:    $(READY) ## Open the chapters in JupyterLab, to change and rerun them (ARGS="--no-browser")
	@.venv/bin/jupyter lab --LabApp.default_url=/lab/tree/book/introduction.ipynb $(ARGS)

twins:   $(READY) ## Make the executed notebooks again (NAMES="figure_1 polar" for some of them)
	@.venv/bin/python tools/twins.py $(NAMES)

format:  $(READY) ## Format the code, in the chapters too
	@$(RUN) ruff check --quiet --select I --fix wnlib tests tools && $(RUN) ruff format --quiet wnlib tests tools
	@PATH=.venv/bin:$$PATH jupytext --quiet --pipe-fmt py:percent --pipe 'ruff check --quiet --select I --fix -' \
	  --pipe 'ruff format -' $$(grep -l '{code-cell}' book/*.md)

lint:    $(READY) ## Check the style of the code, in the chapters through their twins, and its types
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy

lock:    ## Choose exact versions again from requirements.txt (needs uv)
	uv pip compile requirements.txt --universal --python-version 3.11 --fork-strategy fewest \
	  --generate-hashes --no-emit-package wnlib --no-emit-index-url --no-header --quiet -o requirements.lock

clean:   ## Remove everything that these commands made
	rm -rf .venv .bench _build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Installing into .venv (about a minute) ..."
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.bench/ready: benchmarks/requirements.txt
	@echo "Installing into .bench (some minutes) ..."
	@rm -rf .bench
	@$(PYTHON) -m venv .bench
	@.bench/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@.bench/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
