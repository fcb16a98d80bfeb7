# `make run` on a fresh machine makes .venv, installs, and opens the dashboard.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export GRADIO_ANALYTICS_ENABLED := False
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run install install-dev chromium slurm lint format test test-browser test-fast test-js test-long bench nano anatomies \
  wheel notices plotly images raise-pins clean

run: install
	$(BIN)/qwen-ui --open

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev node_modules/.installed

# torch goes first: the pinned version satisfies every other package, so none fetches another build.
$(VENV)/.installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $$(grep '^torch==' requirements.txt)
	$(BIN)/pip install --quiet -r requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

# ESLint and Prettier; the page itself needs neither Node.js nor a build.
node_modules/.installed: package.json package-lock.json
	@command -v npm >/dev/null || (apt-get update -qq && apt-get install -y -qq nodejs npm) \
	  || (echo "Install Node.js 20 or newer with npm (Debian: nodejs npm), then run make again." >&2; exit 1)
	npm ci --silent
	touch $@

chromium:
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium) \
	  || (echo "Install Chromium with your system's package manager, then run make again." >&2; exit 1)

# The tests of Slurm start one of their own, and are skipped where it cannot be installed.
slurm:
	@command -v sbatch >/dev/null || (apt-get update -qq && apt-get install -y -qq slurm-wlm munge) \
	  || echo "Without Slurm (Debian: slurm-wlm munge) its tests are skipped." >&2

# mypy checks the package, the benchmarks, the scripts and the tests (pyproject.toml).
lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npx eslint .
	npx prettier --check .

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npx prettier --write .

# Everything but the browser's tests and the fault suites. Two files at a time.
test: install-dev slurm test-js
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "not long and not browser" -n 2 --dist loadfile --durations=10

# One file at a time: a browser, its dashboard and a run take both cores of a small machine already.
test-browser: install-dev chromium
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "not long and browser" --durations=10

# What needs neither a browser nor more than a few seconds.
test-fast: install-dev test-js
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "not long and not slow and not browser"

test-js: install-dev
	node --test tests/js/*.test.js

test-long: install-dev chromium
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m long

# The wheel, and the sdist that it can be built from again, in dist/.
wheel: install-dev
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

# Raises the pins within the ranges of pyproject.toml and runs everything on them; what does not pass
# is put back by `git checkout requirements.txt requirements-dev.txt`.
raise-pins: install
	$(BIN)/python -m scripts.raise_pins
	$(MAKE) lint test test-browser

# What THIRD_PARTY_NOTICES.md says of the files and packages that are handed on.
notices: install
	$(BIN)/python -m scripts.third_party > THIRD_PARTY_NOTICES.md.new
	mv THIRD_PARTY_NOTICES.md.new THIRD_PARTY_NOTICES.md

# The page's own plotly.js, with what is drawn here alone (scripts/plotly); commit what it writes.
plotly:
	cd scripts/plotly && npm ci --silent --ignore-scripts && npm run --silent build

# The pictures in the documents.
images: install-dev chromium
	$(BIN)/python -m scripts.screenshots --output docs/images --readme

bench: install-dev chromium
	@for module in benchmarks/bench_*.py; do \
	  echo "== $$module"; $(BIN)/python -m benchmarks.$$(basename $$module .py) || exit 1; done

# AUSTEN is a text of Jane Austen's novels, a paragraph a line; see assets/nano/README.md.
anatomies: install
	$(BIN)/python -m scripts.bundle_anatomies

nano: install
	$(BIN)/python -m scripts.pretrain_nano --data $(AUSTEN) --output assets/nano

clean:
	rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
