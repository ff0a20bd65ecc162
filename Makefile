# make demo and make test set up what they need; a second run redoes nothing.
#
#   TORCH_INDEX=https://download.pytorch.org/whl/cpu    takes torch without CUDA (200 MB, not 3 GB)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
TORCH_INDEX ?=
# test files at once, on two cores: most of their time goes into waiting
WORKERS ?= 4
VENV := .venv
BIN := $(VENV)/bin

# compiled once, not by each of the many processes that the tests and the node start
export UV_COMPILE_BYTECODE := 1

# hospital networks often inspect TLS: trust what the system trusts, not uv's own list
export UV_SYSTEM_CERTS ?= 1

# uv where it can be had, for it is several times faster; plain pip does the same
INSTALL = if [ -x $(BIN)/uv ]; then set -- $(BIN)/uv pip install --python $(BIN)/python; \
	else set -- $(BIN)/python -m pip install; fi; [ -t 2 ] || set -- "$$@" -q; "$$@"
COMPILE_SOURCES = $(BIN)/python -m compileall -q msnode tests bench
TORCH = $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --no-deps \
	$(shell grep -oE '^torch(vision)?==[0-9.]+' requirements-torch.lock),-r requirements-torch.lock)

# the programs of others that the tests talk to: a command or file, and the package it is in
PACKAGES := \
	git=git \
	/usr/sbin/Orthanc=orthanc \
	/usr/share/orthanc/plugins/libOrthancDicomWeb.so=orthanc-dicomweb \
	/usr/share/orthanc/plugins/libOrthancWebViewer.so=orthanc-webviewer \
	storescu=dcmtk \
	dciodvfy=dicom3tools \
	/usr/share/java/pixelmed.jar=pixelmed-apps \
	java=default-jre-headless \
	jing=jing \
	promtool=prometheus \
	/usr/lib/postgresql=postgresql \
	chromium=chromium \
	firefox-esr=firefox-esr \
	node=nodejs \
	npm=npm \
	systemd-analyze=systemd \
	faketime=faketime \
	minisign=minisign \
	mkfs.ext4=e2fsprogs \
	ip=iproute2 \
	docker-compose=docker-compose


.PHONY: demo test packages test-long unit setup docs lint lock sbom licences soak bench bench-check \
	bench-growth clean

demo: setup
	@$(BIN)/msnode demo

setup: $(VENV)/.installed

# the system's packages and the Python ones, with lint, come at once: each waits for a network.
# One thread of OpenMP a process: more wait for one another, and so for other workers' processes.
test: export OMP_NUM_THREADS := 1
test:
	@$(MAKE) -j2 packages lint
	@$(COMPILE_SOURCES)
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder || { \
		echo "What failed beside other tests runs again, alone; what fails twice has failed"; \
		$(BIN)/pytest --last-failed --last-failed-no-failures none; }

packages: | $(BIN)/python
	@.ci/packages $(PACKAGES)

# what takes minutes for a promise that shorter tests hold in part: before a release
test-long: $(VENV)/.installed-dev
	@.ci/packages $(PACKAGES)
	@$(COMPILE_SOURCES)
	@$(BIN)/pytest -m long

# seconds: the unit tests that need neither torch nor anybody else's program; the properties and
# state machines, which take their time, run with the rest in make test
UNIT := $(addprefix tests/unit/,audit config deliver receive records store twin test_tls.py)
unit: $(VENV)/.installed-dev
	@$(BIN)/pytest -q -n $(WORKERS) -p no:hypothesispytest --ignore-glob='*_laws.py' --ignore-glob='*_machine.py' \
		--ignore-glob='*_any_*.py' $(UNIT)

# the documentation as a site; to search it: .venv/bin/mkdocs serve
docs: $(VENV)/.installed-dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict
	@echo build/site/index.html

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/packages =python3-venv
	@$(PYTHON) -c 'import sys; sys.exit("msnode needs Python 3.11 or newer, this is " \
		+ sys.version.split()[0] + "; name another one: make PYTHON=python3.12 …" \
		if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q uv || echo "uv cannot be had; going on with pip"

$(VENV)/.installed: requirements.lock requirements-torch.lock pyproject.toml | $(BIN)/python
	@echo "Installing the Python packages of requirements.lock into $(VENV)"
	@$(INSTALL) -r requirements.lock
	@$(INSTALL) $(TORCH)
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@$(COMPILE_SOURCES)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the Python packages of requirements-dev.lock into $(VENV)"
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

# make lock keeps the versions it can; make lock UPGRADE=--upgrade takes the newest.
# One resolution for all; the torch family apart, so that it can come from another index.
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock"
lock: | $(BIN)/python
	@cat requirements-dev.lock requirements-torch.lock >$(VENV)/all.lock
	@$(COMPILE) $(UPGRADE) --all-extras pyproject.toml -o $(VENV)/all.lock
	@$(COMPILE) -c $(VENV)/all.lock pyproject.toml -o $(VENV)/run.lock
	@split='/^[^ ]/ { torch = /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==/ }'; \
		awk "$$split !torch" $(VENV)/run.lock >requirements.lock; \
		awk "$$split torch || /^#/" $(VENV)/run.lock >requirements-torch.lock; \
		awk "$$split !torch" $(VENV)/all.lock >requirements-dev.lock

# nodes under load and faults for MINUTES, then everything is counted; tests/soak says what
MINUTES ?= 30
soak: $(VENV)/.installed-dev
	@.ci/packages /usr/sbin/Orthanc=orthanc storescu=dcmtk /usr/lib/postgresql=postgresql \
		mkfs.ext4=e2fsprogs
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(SOAK)

# the bill of materials (CycloneDX) of what is locked, and the licences of what is installed
SBOM ?= build/sbom.json
sbom: $(VENV)/.installed-dev
	@mkdir -p $(dir $(SBOM))
	@cat requirements.lock requirements-torch.lock | $(BIN)/python -W ignore -m cyclonedx_py \
		requirements - --pyproject pyproject.toml --output-reproducible -o $(SBOM)

LICENCES ?= build/licences.md
licences: $(VENV)/.installed-dev
	@mkdir -p $(dir $(LICENCES))
	@$(BIN)/pip-licenses --from=mixed --with-urls --format=markdown --output-file=$(LICENCES) \
		--packages $$(grep -ohE '^[a-z][a-z0-9-]+' requirements.lock requirements-torch.lock)

bench: setup
	@for script in $(filter-out bench/lesion_% bench/looks.py bench/check.py bench/servers.py bench/processes.py,$(wildcard bench/*.py)); do \
		echo "== $$script"; $(BIN)/python -m "bench.$$(basename $$script .py)"; done; \
		echo "bench/lesion_*.py and bench/looks.py need scans: each says which"

# whether anything has become slower beside its peers: alone on the machine, some minutes
bench-check: setup
	@.ci/packages $(filter orthanc% %=orthanc storescu=%,$(PACKAGES))
	@$(BIN)/python -m bench.check

# how the node behaves as things grow; docs/performance.md says what. A quick look, some parts:
# make bench-growth SCALE=0.1 PARTS="images inbox"
SCALE ?= 1
PARTS ?=
GROWTH ?= build/growth
bench-growth: $(VENV)/.installed-dev
	@.ci/packages dcmsend=dcmtk
	@$(BIN)/python -m bench.growth $(PARTS) --scale $(SCALE) --out $(GROWTH)

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
