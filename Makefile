# make demo: builds, and goes the whole way on an embedded simulated panel
# make test: formatting, lints, every test, the documentation
# make docs, make install, make clean: as usual
# What is missing on Debian or Ubuntu is installed, or the line that installs it is printed (.ci/packages).

SHELL := /bin/bash
PREFIX ?= /usr/local
DEMO ?= target/demo
export PATH := $(HOME)/.cargo/bin:$(PATH)

CARGO := cargo
HAPLOOM := target/release/haploom
PYTHON := target/python

# bindgen reads htslib's headers with libclang. Without clang's own headers it takes the C compiler's.
CLANG_HEADERS := $(wildcard /usr/lib/llvm-*/lib/clang/*/include/stddef.h /usr/lib/clang/*/include/stddef.h)
ifeq ($(CLANG_HEADERS)$(BINDGEN_EXTRA_CLANG_ARGS),)
export BINDGEN_EXTRA_CLANG_ARGS = -I$(shell cc -print-file-name=include)
endif

.PHONY: demo build test lint docs install packages test-packages third-party clean
.DEFAULT_GOAL := build

build: packages
	$(CARGO) build --release --locked

demo: build
	$(HAPLOOM) demo $(DEMO)

packages:
	@.ci/packages build

test: $(PYTHON)/ready lint docs
	HAPLOOM_PYTHON=$(abspath $(PYTHON)/bin/python3) $(CARGO) test --release --locked

lint: test-packages
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings

docs: packages
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps

# Python with what the tests open model files with.
$(PYTHON)/ready: | test-packages
	python3 -m venv $(PYTHON)
	$(PYTHON)/bin/pip install --quiet --disable-pip-version-check safetensors numpy
	touch $@

test-packages:
	@.ci/packages build tests
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

install: build
	install -D -m 755 $(HAPLOOM) $(DESTDIR)$(PREFIX)/bin/haploom

clean:
	$(CARGO) clean

# The table of crates in THIRD_PARTY.md, after a change of Cargo.lock.
third-party:
	.ci/third-party
