PYTHON ?= python3
VENV := .venv
VENV_ALL := .venv-all
# A CPU build of torch where one is offered; on Linux PyPI's default is the CUDA build (several GB).
TORCH ?= torch==2.13.0
COVERAGE_FLOOR ?= 88
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_QUIET ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-lowest coverage lint types format docs wheel sanitize clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml setup.py $(wildcard src/konayuki/model/native/*)
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --upgrade 'pip>=25.1'
	$(VENV)/bin/python -m pip install --group test -e '.[hub]'
	touch $@

$(VENV_ALL)/.installed: pyproject.toml setup.py $(wildcard src/konayuki/model/native/*)
	test -x $(VENV_ALL)/bin/python || $(PYTHON) -m venv $(VENV_ALL)
	$(VENV_ALL)/bin/python -m pip install --upgrade 'pip>=25.1'
	$(VENV_ALL)/bin/python -m pip install $(TORCH)
	$(VENV_ALL)/bin/python -m pip install --group test --group clients --group lint -e '.[all]'
	touch $@

demo: $(VENV)/.installed  ## index the sample corpus and answer Japanese questions
	$(VENV)/bin/python demo/run.py

test: $(VENV)/.installed  ## the quick suite: base install and what needs no torch
	$(VENV)/bin/python -m pytest

test-all: $(VENV_ALL)/.installed  ## every test with every extra, slow ones included
	$(VENV_ALL)/bin/python -m pytest -m ''

test-lowest:  ## the quick suite with the lowest version of every dependency
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --upgrade 'pip>=25.1'
	$(PYTHON) tools/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --group test -e '.[hub]' -c .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pytest

coverage: $(VENV_ALL)/.installed  ## the quick suite with every extra; fails below the floor
	$(VENV_ALL)/bin/python -m pip install --group coverage
	$(VENV_ALL)/bin/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE_FLOOR)

docs:  ## build the documentation into site/; a broken link fails
	test -x .venv-docs/bin/mkdocs || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --upgrade 'pip>=25.1'
	.venv-docs/bin/python -m pip install --group docs -e .
	.venv-docs/bin/mkdocs build --strict

wheel:  ## build sdist and wheel, and try the wheel where there is no compiler
	rm -rf dist .venv-release .venv-wheel
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --upgrade 'pip>=25.1'
	.venv-release/bin/python -m pip install --group release
	.venv-release/bin/python -m build
	.venv-release/bin/twine check --strict dist/*
	$(PYTHON) -m venv .venv-wheel
	CC=false .venv-wheel/bin/python -m pip install dist/*.whl
	cd .venv-wheel && bin/konayuki info && bin/konayuki index ../demo/corpus --out demo.konayuki && \
		bin/konayuki search demo.konayuki 眠れない夜 -k 1

lint: $(VENV_ALL)/.installed  ## ruff: rules and format
	$(VENV_ALL)/bin/ruff check .
	$(VENV_ALL)/bin/ruff format --check .

types: $(VENV_ALL)/.installed  ## mypy, strict, over src/
	$(VENV_ALL)/bin/mypy

format: $(VENV_ALL)/.installed  ## rewrite the code in the project's format
	$(VENV_ALL)/bin/ruff check --fix .
	$(VENV_ALL)/bin/ruff format .

FUZZ_TEXTS ?= 1000000
FUZZ_MODELS ?= 100000
sanitize: $(VENV_ALL)/.installed  ## kernel tests and fuzzing under AddressSanitizer, UBSan, ThreadSanitizer
	rm -rf build/sanitize
	$(call sanitized,address$(comma)undefined)
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
		PYTHONPATH=build/sanitize/address,undefined $(VENV_ALL)/bin/python tools/fuzz.py \
		--texts $(FUZZ_TEXTS) --models $(FUZZ_MODELS) --json benchmarks/results/fuzz.json
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
		PYTHONPATH=build/sanitize/address,undefined $(VENV_ALL)/bin/python -m pytest -q tests/model/native
	$(call sanitized,thread)
	LD_PRELOAD="$$($(CC) -print-file-name=libtsan.so)" TSAN_OPTIONS="halt_on_error=1 ignore_noninstrumented_modules=1" \
		PYTHONPATH=build/sanitize/thread OPENBLAS_NUM_THREADS=1 $(VENV_ALL)/bin/python tools/race.py

comma := ,
define sanitized
	mkdir -p build/sanitize && cp -r src build/sanitize/$(1) && rm -f build/sanitize/$(1)/konayuki/model/native/_kernel*.so
	CFLAGS="-fsanitize=$(1) -fno-omit-frame-pointer" LDFLAGS="-fsanitize=$(1)" $(VENV_ALL)/bin/python setup.py -q build_ext \
		--build-lib build/sanitize/$(1) --build-temp build/sanitize/temp-$(1)
endef

clean:  ## remove the environments and build output
	rm -rf .venv* build dist site src/*.egg-info
