# `make demo` and `make test` each set up what they need, then do their one job.
# make PYTHON=/path/to/python3.12: that one, instead of the newest that envs/find-python finds
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
SNAKEMAKE := $(BIN)/snakemake --cores 2
VIEWERS := .venv-viewers
DOCS := .venv-docs

.PHONY: setup demo test browser test-slurm test-viewers planted-truth mutations fuzz docs lint schemas envs timm-models \
    slurm-profile clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@envs/set-up $(VENV) "$(PYTHON)"

demo: setup
	$(SNAKEMAKE) --logger debatch
	@echo
	@cat results/demo/tables/table1.md
	@echo "Report: $(CURDIR)/results/demo/report.html"

lint: setup
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check --compact-diff Snakefile workflow
	$(BIN)/snakemake --lint

# two processes of one thread each: with two each they would run many times slower on two cores
test: lint browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 30

# Chromium and what drives it, for tests of pages; where it cannot be had, these are skipped and say so
browser: setup
	@envs/set-up-browser $(VENV)

# a SLURM of two nodes on this machine, with faults: Debian, as root; its files of tests run side by side
test-slurm: setup
	tests/slurm/one-machine.sh install
	tests/slurm/one-machine.sh start
	$(BIN)/python -m pytest -m slurm --confcutdir tests/slurm --numprocesses 4 --dist loadfile --durations 0 tests/slurm; \
	status=$$?; tests/slurm/one-machine.sh stop; exit $$status

# plates as napari opens them; it has an environment of its own (0.7 GB)
test-viewers: setup
	$(BIN)/python -m venv $(VIEWERS)
	$(VIEWERS)/bin/python -m pip install --quiet "$$(grep '^pip==' requirements.lock)"
	$(VIEWERS)/bin/python -m pip install --quiet --group viewers
	VIEWERS_PYTHON=$(VIEWERS)/bin/python $(BIN)/python -m pytest -m viewers tests/viewers

# self-supervised methods against a truth that was planted, on screens that no setting was chosen on (half an hour)
planted-truth: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m trains --durations 0 tests/workflow/test_planted_self_supervision.py

# what the tests notice: traps that are set one by one (a quarter of an hour)
mutations: setup
	$(BIN)/python tests/mutations/run.py

# 10,000 tables, folders, images, profiles and configurations that are drawn anew each time (five minutes)
fuzz: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --hypothesis-profile fuzz --numprocesses 2 --show-capture no --durations 0 tests/fuzz

# the documentation as a site, to be opened at site/index.html; a broken link fails it (30 seconds, no network once set up)
docs: setup $(DOCS)/.ready
	$(BIN)/python -m debatch.cli.reference docs/reference/generated
	$(DOCS)/bin/zensical build --clean --strict
	@echo "Documentation: $(CURDIR)/site/index.html; with search: python3 -m http.server --directory site"

# it has an environment of its own (150 MB), as the viewers
$(DOCS)/.ready: pyproject.toml
	$(BIN)/python -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet "$$(grep '^pip==' requirements.lock)"
	$(DOCS)/bin/python -m pip install --quiet --group docs
	touch $@

# make slurm-profile ACCOUNT=lab PARTITION=cpu GPU_PARTITION=gpu
slurm-profile:
	@profiles/install-slurm-profile "$(ACCOUNT)" "$(PARTITION)" "$(GPU_PARTITION)" "$(GPU_MODEL)"

# after a change of a configuration model
schemas: setup
	$(BIN)/python -m debatch.registry.schemas workflow/schemas

# after a change of the lock file
envs:
	{ sed -n '1,/- pip:/p' envs/debatch.yaml; grep -v '^#' requirements.lock | sed 's/^/      - /'; } > envs/.part
	mv envs/.part envs/debatch.yaml

# after a change of timm's pin
timm-models: setup
	$(BIN)/python -m debatch.model.timm_models src/debatch/config/timm_models.txt

clean:
	rm -rf $(VENV) $(VIEWERS) $(DOCS) .cache site docs/reference/generated results logs .snakemake
