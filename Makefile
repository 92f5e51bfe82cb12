# `make` alone lists the targets. Every target installs what it needs into .venv, once.
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint table docs reference picture bench clean

PYTHON ?= python3
BIN := .venv/bin
# The table in the README is trained on all of MNIST (in MNIST's own IDX format) and on the 400
# Olivetti faces.
MNIST ?= ../shared/data/mnist
OLIVETTI ?= ../shared/data/olivetti

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/ready ## train 6 rows on digits and faces, and write a table with pictures
	$(BIN)/python -m gansweep -m lr=1e-4,5e-5 beta1=0.3,0.5,0.9

test: .venv/ready-dev ## run the tests on all cores
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: .venv/ready-dev ## run the slower tests: clusters, kills at random moments, databases
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow

lint: .venv/ready-dev ## check the formatting, and run ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

table: .venv/ready ## train what is missing of the 39 rows (MNIST=… OLIVETTI=…), and update the tables
	$(BIN)/python -m gansweep -m sweep=readme_table name=readme_olivetti \
		data=mnist,images data.root=$(MNIST):$(OLIVETTI)
	$(BIN)/python -m gansweep report readme_olivetti --thumbnail last --format markdown \
		--to reports/readme_olivetti_last
	$(BIN)/python -m gansweep report readme_olivetti --update docs/results.md
	$(BIN)/python -m gansweep report readme_olivetti --best 4 --format markdown \
		--columns gen,disc,smooth,alpha,batch_size,z_dim,lr,beta1 \
		--to reports/readme_olivetti_best --update README.md

docs: .venv/ready-docs ## build the site of the documentation into build/site, and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

reference: .venv/ready ## write docs/reference/ from the declarations
	$(BIN)/python docs/_make/reference.py

picture: .venv/ready-docs ## record a sweep and its gallery into docs/sweep.webp (needs chromium)
	$(BIN)/python docs/_make/picture.py

bench: .venv/ready-bench ## measure against other launchers (ONLY="step sweeps …"), and write reports/benchmarks/
	$(BIN)/python -m benchmarks $(ONLY)

clean: ## remove .venv, and keep runs and reports
	rm -rf .venv

# The import fails if torch and torchvision do not match.
.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 10) and f"gansweep needs Python 3.10 or newer, not {v[0]}.{v[1]}: make PYTHON=python3.11 …")'
	@echo "setting up .venv, once: PyTorch takes minutes and about 6 GB"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -c 'import torch, torchvision; print("torch", torch.__version__, "torchvision", torchvision.__version__)'
	@touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/ready-docs: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

.venv/ready-bench: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@
