# Both commands also work without make: python3 deploy/demo.py, python3 deploy/check.py
PYTHON ?= python3

.PHONY: demo test attacks thorough fix bench clean

demo:  ## A Git host, Headgate and an infrastructure repository on this machine; ONCE=1 plays the tour and exits, HOST=gitlab plays it on GitLab
	@$(PYTHON) deploy/demo.py $(if $(HOST),--host $(HOST),) $(if $(ONCE),--once,)

test:  ## Everything that has to be true: format, lint, types, import rules, tests, coverage
	@$(PYTHON) deploy/check.py

attacks:  ## Every attack, contained and without each layer that stops it: some minutes
	@$(PYTHON) deploy/check.py tests/attacks -n 2

thorough:  ## What the everyday run leaves out, as one of its kind shows it already: many minutes
	@$(PYTHON) deploy/check.py -m thorough -n 2

fix:  ## Format and mend what the linter can mend
	@$(PYTHON) deploy/check.py --fix

bench:  ## The benchmark tables
	@$(PYTHON) deploy/check.py --bench

clean:
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .coverage*
