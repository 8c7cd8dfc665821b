# Leapstone: every target does its own set-up on a machine that has a Swift toolchain.
#
#   make run      a trained residual network on pictures of digits, and a trained U-Net drawing its mask
#   make build    the libraries and tools, release mode: .build/release/
#   make lib      libleapstone.so for C and others, on Linux: .build/lib/
#   make install  tools, library and header below PREFIX (/usr/local), under DESTDIR where that is set
#   make dist     the same as an archive that can be unpacked anywhere: .build/dist/; make test-dist tries it without Swift
#   make python   the Python package: a wheel with the library and the tools in it, .build/python/
#   make test     everything, release mode; FILTER=Softmax runs the tests whose names contain it
#   make test-neon  the kernels for arm64 in an emulator
#   make ratchet  rewrites the list of official ONNX cases that are known to fail, and prints what changed
#   make data     what tests read and scripts write: operator cases, full-size networks, hostile files
#   make models   the full-size networks alone, into .build/testdata/models
#   make fuzz     mutated models under AddressSanitizer, SECONDS=60 by SEED=1, on one core
#   make bench    the networks against ONNX Runtime and OpenVINO, into .build/bench; NETWORKS="resnet50 unet" ROUNDS=15
#   make bench-python    what a run costs through Python, above the library's own
#   make bench-kernels   every convolution algorithm and element-wise operator by itself, into .build/bench
#   make docs     the documentation, into .build/docs
#   make operators  docs/operators.md, from the tables of operators
#   make pictures the pictures in docs/pictures, of pages in a browser
#   make proto    Sources/CLeapProto from proto/onnx.proto
#   make format   rewrite the sources as swift-format wants them; make lint only checks

SHELL := bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := build

PACKAGES := libprotobuf-c-dev libopenblas-dev libjpeg-dev libpng-dev zlib1g-dev pkg-config
BROWSER_PACKAGES := chromium chromium-driver fonts-dejavu-core
PROTO_PACKAGES := protobuf-c-compiler protobuf-compiler
PKGCONFIG := libprotobuf-c openblas libjpeg libpng zlib
SWIFT_SOURCES = $(shell git ls-files '*.swift')
RELEASE := -c release

DATA := .build/testdata
VENV := .build/venv
PYTHON := $(VENV)/bin/python
TEST_LOG := .build/test.log

VERSION := $(shell cat VERSION)
TOOLS := onnx-run onnx-bench onnx-inspect onnx-verify
LIB := .build/lib
PREFIX ?= /usr/local
DIST := .build/dist
WHEEL := .build/python
SCALE := .build/scale
BENCH := .build/bench
BENCH_VENV := .build/bench-venv
BENCH_PYTHON := $(BENCH_VENV)/bin/python
NETWORKS ?= resnet18 resnet50 resnet50v2 densenet121 inception_v3 inception_resnet_v2 unet unet_resnet34 \
  mobilenet_v3_large efficientnet_b0
ROUNDS ?= 15
# One network of each family whose layers kernels are measured on.
FAMILIES := resnet50 densenet121 unet inception_resnet_v2
OFFICIAL = PYTHONPATH=python $(PYTHON) python/tests/official/suite.py
ARCHIVE := leapstone-$(VERSION)-$(shell uname -s | tr A-Z a-z)-$(shell uname -m)

.PHONY: run demo build lib install dist test-dist python test-python official ratchet test-scale test-neon fuzz test data models \
  bench bench-kernels bench-python docs operators pictures browser example service-example c-example snippets packages proto format lint clean

# $(call apt,PACKAGES): installs them where there is apt; fails where there is none.
apt = { command -v apt-get >/dev/null && { sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
  $$sudo apt-get update -qq && \
  $$sudo apt-get install -y -qq --no-install-recommends $(1) >/dev/null; }; }

# Installs the C libraries that are missing; says what to install where there is no apt.
packages:
	@missing=; for p in $(PKGCONFIG); do pkg-config --exists $$p 2>/dev/null || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] || { \
	  echo "missing C libraries:$$missing"; \
	  $(call apt,$(PACKAGES)) || { \
	    echo "install them: apt install $(PACKAGES)  |  brew install protobuf-c openblas jpeg-turbo libpng zlib pkgconf"; \
	    exit 1; }; }

build: packages
	swift build $(RELEASE)

# Linked only when something in it changed: the static libraries take their time.
lib: packages
	swift build $(RELEASE) --product LeapstoneC
	@for input in .build/release/libLeapstoneC.a packaging/{link,leapstone.map,single_thread.c,standard_error.c}; do \
	  [ $(LIB)/libleapstone.so -nt $$input ] || { packaging/link library $(LIB); break; }; done

install: build lib
	packaging/stage $(DESTDIR)$(PREFIX) $(LIB) $(TOOLS)

dist: build lib
	@rm -rf $(DIST)/$(ARCHIVE)
	packaging/stage $(DIST)/$(ARCHIVE) $(LIB) $(TOOLS)
	tar -C $(DIST) -I 'xz -T0' -cf $(DIST)/$(ARCHIVE).tar.xz $(ARCHIVE)
	@cd $(DIST) && du -ahL --apparent-size $(ARCHIVE)/bin $(ARCHIVE)/lib/libleapstone.so.$(VERSION) $(ARCHIVE).tar.xz

test-dist: dist
	@command -v debootstrap >/dev/null || $(call apt,debootstrap)
	.ci/bare-root $(DIST)/$(ARCHIVE).tar.xz .build/bare-root

# The wheel, and what goes into it.
python: build lib $(VENV)/.made
	@rm -rf $(WHEEL)/prefix
	packaging/stage $(WHEEL)/prefix $(LIB) $(TOOLS)
	packaging/wheel $(PYTHON) $(WHEEL) $(WHEEL)/prefix

# The Python package, in the tree and as a wheel.
test-python: python browser
	$(PYTHON) -m pytest -rs -c python/pyproject.toml python/tests

# A browser without a window. Where there is none, tests that need it say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || $(call apt,$(BROWSER_PACKAGES)) || \
	  echo "no chromium with its driver: pages are not looked at in a browser"

# The official ONNX suite through leapstone.backend, held to a list of known failures.
official: lib $(VENV)/.made
	$(OFFICIAL)

ratchet: lib $(VENV)/.made
	$(OFFICIAL) --ratchet

# Pictures scored by Ray Data and PySpark, on several workers, and by one process. Not a part of `make test`.
test-scale: python
	@command -v java >/dev/null || $(call apt,default-jre-headless)
	@[ -x $(SCALE)/bin/python ] || python3 -m venv $(SCALE)
	$(SCALE)/bin/python -m pip install --quiet --disable-pip-version-check -r Examples/ScaleOut/requirements.txt
	$(SCALE)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(WHEEL)/*.whl
	$(SCALE)/bin/python Examples/ScaleOut/check.py testdata/resnet-digits.onnx testdata/digits-held-out.npz $(SCALE)/files

# The NEON kernels against the portable ones, in an emulator.
test-neon:
	@command -v qemu-aarch64 >/dev/null && [ -e /usr/aarch64-linux-gnu/include/math.h ] || $(call apt,qemu-user gcc-aarch64-linux-gnu) || true
	.ci/check-neon .build/neon

# libFuzzer on the scan and on load, plan and run. Not a part of `make test`; what was found is kept in .build/fuzz.
SECONDS ?= 60
SEED ?= 1
fuzz: packages $(addprefix $(DATA)/,cases/.made onnx/.made hostile/.made)
	Fuzz/build .build/fuzz
	Fuzz/fuzz .build/fuzz $(SECONDS) $(SEED)

# A trained residual network names pictures of digits; a trained U-Net draws the mask of shapes.
run demo: build
	@mkdir -p .build/demo
	@echo; echo "A residual network on handwritten digits that it was not trained on:"
	@.build/release/onnx-run testdata/resnet-digits.onnx --image testdata/pictures/digit-*.png --labels testdata/digits.txt --top 3
	@echo; echo "A U-Net that finds shapes:"
	@.build/release/onnx-run testdata/unet-shapes.onnx --image testdata/pictures/shapes-2.png --overlay .build/demo/shapes.png
	@echo; echo "The picture with its mask: $(CURDIR)/.build/demo/shapes.png"

# Without --disable-testable-imports the tests would rebuild what the tools built. With FILTER, only the test targets that it may
# mean are built, and what they depend on.
TEST_TARGETS = $(if $(FILTER),$(shell .ci/test-targets '$(FILTER)'))
NEEDS_DATA = $(if $(FILTER),$(findstring ConformanceTests,$(TEST_TARGETS))$(findstring LeapstoneTests,$(TEST_TARGETS)),all)

test: $(if $(FILTER),packages,build example service-example $(if $(filter Linux,$(shell uname -s)),c-example) snippets)
	$(if $(NEEDS_DATA),@$(MAKE) --no-print-directory -j2 data)
	@status=0; export LEAPSTONE_ONNX_DATA=$(CURDIR)/$(DATA)/onnx; $(if $(FILTER),export LEAPSTONE_TESTS=$(TEST_TARGETS);) \
	swift test $(RELEASE) --disable-testable-imports \
	  $(if $(FILTER),--test-product LeapstonePackageTests --filter '$(FILTER)') 2>&1 | tee $(TEST_LOG) || status=$$?; \
	$(if $(FILTER),,for target in test-python official; do \
	  $(MAKE) --no-print-directory $$target 2>&1 | tee -a $(TEST_LOG) || status=$$?; done;) \
	grep '^SKIPPED' $(TEST_LOG) | sort -u | sed 's/^SKIPPED:*/ /' || true; \
	echo "skipped tests: $$(grep -c '^SKIPPED' $(TEST_LOG))"; \
	exit $$status

# What scripts write for tests. Each folder has a stamp, so that it is made once; the scripts themselves look at what they
# and their packages contain, so that files that are merely newer cost a second.

data: $(addprefix $(DATA)/,cases/.made onnx/.made models/.made hostile/.made)

models: $(DATA)/models/.networks

$(DATA)/cases/.made: $(wildcard testdata/operators/*.py) $(VENV)/.made
	$(PYTHON) testdata/operators/make_cases.py --into $(@D)
	@touch $@

$(DATA)/onnx/.made: testdata/operators/make_cases.py $(VENV)/.made
	$(PYTHON) testdata/operators/make_cases.py --onnx --into $(@D)
	@touch $@

$(DATA)/models/.networks: $(wildcard testdata/models/*.py) $(VENV)/.made
	$(PYTHON) testdata/models/make_models.py --into $(@D) --check
	@touch $@

$(DATA)/models/.made: $(DATA)/models/.networks
	$(PYTHON) testdata/models/make_references.py --models $(@D) --into $(@D)
	@touch $@

$(DATA)/hostile/.made: $(wildcard testdata/hostile/*.py)
	@command -v python3 >/dev/null || $(call apt,python3) || { echo "python3 is needed to write test data"; exit 1; }
	python3 testdata/hostile/make_hostile.py $(@D)
	@touch $@

# A Python of the tests' own, and one of the benchmarks', with the versions that the requirements pin.
$(VENV)/.made: testdata/requirements-test.txt
	$(call venv,$(VENV),$<) || { \
	  echo "Without them, 'swift test' runs all tests but those that read generated data; it says which it skips."; \
	  exit 1; }
	@touch $@

$(BENCH_VENV)/.made: Benchmarks/requirements.txt
	$(call venv,$(BENCH_VENV),$<)
	@touch $@

# $(call venv,FOLDER,REQUIREMENTS): a virtual environment with these packages.
venv = @python3 -c 'import ensurepip, venv' 2>/dev/null || $(call apt,python3 python3-venv) || { \
	  echo "Python 3.11 or newer with its venv module is needed"; exit 1; }; \
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; this is $$(python3 --version)"; exit 1; }; \
	python3 -m venv --clear $(1) && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check -r $(2) || { \
	  echo "The packages that $(2) lists could not be installed: pip needs the network, or a mirror (PIP_INDEX_URL)."; \
	  false; }

# Not a part of `make test`: only an idle machine says anything about speed. PAGE is a page whose tables are rewritten.
bench: lib $(DATA)/models/.networks $(BENCH_VENV)/.made
	$(BENCH_PYTHON) Benchmarks/compare.py $(NETWORKS:%=$(DATA)/models/%.onnx) --rounds $(ROUNDS) --into $(BENCH) \
	  $(if $(PAGE),--page $(PAGE))

bench-kernels: build $(DATA)/models/.networks
	@mkdir -p $(BENCH)
	.build/release/leap-kernel-bench convolutions $(FAMILIES:%=$(DATA)/models/%.onnx) -o $(BENCH)/convolutions.csv
	.build/release/leap-kernel-bench elementwise -o $(BENCH)/elementwise.csv

# The tests' Python has ONNX, which writes the model, and ONNX Runtime.
bench-python: lib $(VENV)/.made
	$(PYTHON) Benchmarks/run_cost.py

docs: build
	.ci/docs release .build/docs

# The list of operators, which a test holds to the tables.
operators: packages
	LEAPSTONE_WRITE_PAGES=1 LEAPSTONE_TESTS=LeapRuntimeTests swift test $(RELEASE) --disable-testable-imports \
	  --test-product LeapstonePackageTests --filter OperatorPageTests

# What README.md and docs/ show of networks that scripts make.
pictures: build browser $(DATA)/models/.networks $(VENV)/.made
	$(PYTHON) docs/pictures/take_pictures.py $(DATA)/models

# Packages of their own that depend on this one's last commit: programs, and an HTTP service under load. They share a build of it.
example: packages
	Examples/Classify/check .build/example
	Examples/CustomOperator/check .build/example

service-example: build
	@pkg-config --exists libmicrohttpd || $(call apt,libmicrohttpd-dev) || { \
	  echo "install libmicrohttpd: apt install libmicrohttpd-dev  |  brew install libmicrohttpd"; exit 1; }
	@command -v python3 >/dev/null || $(call apt,python3) || { echo "python3 is needed to load the service"; exit 1; }
	Examples/ClassifyService/check .build/example .build/release/onnx-run

# A program in C, under AddressSanitizer, against the library as it is installed; and what the library does to its host.
c-example: lib $(VENV)/.made
	packaging/stage .build/prefix $(LIB)
	Examples/c/check .build/prefix
	$(PYTHON) .ci/check-library $(LIB)/libleapstone.so Sources/CLeapstone/leapstone.h

# The Swift in the documentation.
snippets: build
	.ci/snippets release

# The C code for the ONNX schema, with protobuf-c 1.4.1.
proto:
	@command -v protoc-c >/dev/null || $(call apt,$(PROTO_PACKAGES))
	protoc-c --proto_path=proto --c_out=Sources/CLeapProto onnx.proto
	mv Sources/CLeapProto/onnx.pb-c.h Sources/CLeapProto/include/

lint:
	swift format lint --strict --parallel $(SWIFT_SOURCES)

format:
	swift format --in-place --parallel $(SWIFT_SOURCES)

clean:
	rm -rf .build
