# Each target does its own set-up; see README.md.
SHELL := /bin/sh
VENV := .venv
PYTHON := $(VENV)/bin/python
# Tests and demo start `inv` again and again: where this is set, each start compiles all of the tool.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint types campaign bench clean

# On a fleet of real hosts: a rename, a stolen key revoked, a hung machine power-cycled; looked at first, done, proved.
demo: $(VENV)/.run
	$(PYTHON) -m runbooks.lab.demo

test: $(VENV)/.dev
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev
	$(VENV)/bin/mypy

# Kill a rename, and what is done to accounts, mail aliases and mailing lists, at every point, then resume and undo it, and
# break hosts and the directory at every step in every way, and search for texts and files that are read or written
# wrong: some hours.
campaign: $(VENV)/.dev
	$(PYTHON) -m tests.campaign.campaign
	$(PYTHON) -m tests.campaign.accounts
	$(PYTHON) -m tests.campaign.aliases
	$(PYTHON) -m tests.campaign.lists
	$(PYTHON) -m pytest --hypothesis-profile=search tests/test_model.py tests/registry tests/aliases tests/transport/test_known_hosts.py
	ALL_FAULTS=1 $(PYTHON) -m pytest tests/faults tests/procedures/test_faults.py tests/campaign/test_aliases.py tests/campaign/test_lists.py

# What the README's figures come from. ARGS=--peers: beside other tools, installed in .bench, too: an hour.
# QUICK=1: 300 hosts, our rows, asyncssh and cumin: under ten minutes.
bench: $(VENV)/.dev
	$(PYTHON) -m benchmarks $(if $(QUICK),--quick) $(ARGS)

$(VENV)/.run: pyproject.toml bin/setup
	bin/setup $(VENV) .
	touch $@

$(VENV)/.dev: pyproject.toml bin/setup
	bin/setup $(VENV) '.[dev]'
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV)
