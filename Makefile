# make reproduce   the whole study: environment, dvc repro, MLflow, the summary table
# make ui          the MLflow UI, on this machine only
# make test        environment, linters, types, layers, tests on all cores
# make test-all    the same with the tests that take minutes
# make bench       cost of training, compared with plain Keras and the machine, and of the survey (40 minutes on an idle machine)
# make docs        docs/ and the functions that users call, as pages: open site/index.html
# make notebook    docs/explore.ipynb, run from top to bottom in the finished study
# make gpu         replace TensorFlow's CPU build by the same version with CUDA (5 GB)
# make lock        update requirements.lock from pyproject.toml
# make clean       remove the environment, caches and unfinished work (data, models and the store stay)

VENV := .venv
# loadfile: module fixtures are made once. At most 8: each process imports TensorFlow and takes up to 2 GB.
PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
READY := $(VENV)/.ready
# A test that hangs fails by name, with the traceback of each thread.
BOUNDED := --max-worker-restart 0 -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true
# DVC runs the stages in $SHELL, which may be none that runs commands (nologin).
export SHELL := /bin/sh
# The stages call `python`, which must be the environment's.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
unexport PYTHONPATH PYTHONHOME

.PHONY: reproduce ui test test-all lint bench docs notebook gpu lock clean environment repository

reproduce: repository $(READY)
	@galmorph reproduce

ui: $(READY)
	@exec galmorph ui

lint: $(READY)
	ruff check .
	ruff format --check .
	mypy
	lint-imports

test: lint
	pytest $(PARALLEL) $(BOUNDED) -m "not slow"

test-all: lint
	pytest $(PARALLEL)

bench: $(READY)
	python -m benchmarks

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet

notebook: $(READY)
	jupyter execute --inplace docs/explore.ipynb

environment: $(READY)

# Before gigabytes are installed.
repository:
	@[ -e .git ] || git rev-parse --git-dir >/dev/null 2>&1 || grep -qs '^ *no_scm *= *true' .dvc/config .dvc/config.local || \
	  { echo "$(CURDIR): no git repository, which DVC needs (a downloaded archive of the project has none): git init" \
	  "here, or git clone instead of the download, or do without (docs/experiments.md, Without git)" >&2; exit 1; }

$(READY): requirements.lock pyproject.toml scripts/find-python
	@python=$$(sh scripts/find-python) && \
	echo "Installing into $(VENV) with $$python: about 3 GB, a few minutes" && \
	"$$python" -m venv --clear $(VENV) && \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Download before removing the CPU build, so that a lost connection leaves a working environment.
gpu: $(READY)
	pinned() { sed -n "s/^$$1==\([^ ;]*\).*/$$1==\1/p" requirements.lock; } && \
	cuda=$$(pinned tensorflow-cpu | sed 's/-cpu/[and-cuda]/') && \
	pip download --quiet --disable-pip-version-check --dest .galmorph/gpu "$$cuda" "$$(pinned keras)" && \
	pip uninstall --quiet --yes tensorflow-cpu tensorflow && \
	pip install --quiet --disable-pip-version-check --no-index --find-links .galmorph/gpu "$$cuda" "$$(pinned keras)"
	python -c 'import tensorflow; print(tensorflow.config.list_physical_devices("GPU") or "no GPU found")'

lock: $(READY)
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev --no-header \
		--quiet --upgrade pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .galmorph .pytest_cache .mypy_cache .ruff_cache .hypothesis
