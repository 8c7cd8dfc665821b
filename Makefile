# Leapstone: every target does its own set-up on a machine that has a Swift toolchain.
#
#   make build    the libraries, release mode
#   make test     everything, release mode; FILTER=Softmax runs the tests whose names contain it
#   make proto    Sources/CLeapProto from proto/onnx.proto
#   make format   rewrite the sources as swift-format wants them; make lint only checks

SHELL := bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := build

PACKAGES := libprotobuf-c-dev libopenblas-dev libjpeg-dev libpng-dev zlib1g-dev pkg-config
PROTO_PACKAGES := protobuf-c-compiler protobuf-compiler
PKGCONFIG := libprotobuf-c openblas libjpeg libpng zlib
SWIFT_SOURCES = $(shell git ls-files '*.swift')
# One kind of build for tools and tests: without the flag each would rebuild what the other built.
RELEASE := -c release

.PHONY: build test packages proto format lint clean

# Installs the C libraries that are missing; says what to install where there is no apt.
packages:
	@missing=; for p in $(PKGCONFIG); do pkg-config --exists $$p 2>/dev/null || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "missing C libraries:$$missing"; \
	  if command -v apt-get >/dev/null; then \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	  else \
	    echo "install them: apt install $(PACKAGES)  |  brew install protobuf-c openblas jpeg-turbo libpng zlib pkgconf"; exit 1; \
	  fi; \
	fi

build: packages
	swift build $(RELEASE)

test: build
	swift test $(RELEASE) --disable-testable-imports $(if $(FILTER),--filter '$(FILTER)')

# The C code for the ONNX schema, with protobuf-c 1.4.1.
proto:
	@command -v protoc-c >/dev/null || { sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; $$sudo apt-get update -qq && $$sudo apt-get install -y -qq $(PROTO_PACKAGES) >/dev/null; }
	protoc-c --proto_path=proto --c_out=Sources/CLeapProto onnx.proto
	mv Sources/CLeapProto/onnx.pb-c.h Sources/CLeapProto/include/

lint:
	swift format lint --strict --parallel $(SWIFT_SOURCES)

format:
	swift format --in-place --parallel $(SWIFT_SOURCES)

clean:
	rm -rf .build
