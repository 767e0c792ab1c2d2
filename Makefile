# make demo: builds, and goes the whole way on an embedded simulated panel
# make test: formatting, lints, every test, the documentation
# make libraries: the shared library and the static one, for programs in C and C++
# make ptx: the CUDA kernels (cuda/*.cu) compiled anew, after a change of them
# make test-gpu: the tests that need an NVIDIA GPU, on the one that is here
# make test-aarch64: the tests that compare bits, on an emulated aarch64 processor
# make install: the program, both libraries, the header, and what pkg-config and CMake read, under PREFIX
# make uninstall, make docs, make clean: as usual
# What is missing on Debian or Ubuntu is installed, or the line that installs it is printed (.ci/packages).

SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= lib
INCLUDEDIR ?= include
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

.PHONY: demo build libraries test test-gpu test-aarch64 ptx ffi-test lint docs install uninstall packages test-packages third-party clean
.DEFAULT_GOAL := build

build: packages
	$(CARGO) build --release --locked

# The shared library is made with the program.
libraries: build
	packaging/static-library.sh

demo: build
	$(HAPLOOM) demo $(DEMO)

packages:
	@.ci/packages build

test: $(PYTHON)/ready lint docs
	HAPLOOM_PYTHON=$(abspath $(PYTHON)/bin/python3) $(CARGO) test --release --locked
	$(MAKE) ffi-test

test-gpu: packages
	$(CARGO) test --release --locked --test cuda_device --test cuda_networks --test cuda_805 -- --ignored --test-threads 1

test-aarch64: packages
	@.ci/packages aarch64
	tests/aarch64.sh

# cuda/ptx, of cuda/*.cu. Needs no GPU and no CUDA toolkit. What kernels then take is in cuda/bounds.json: where `make test`
# finds more, and that is meant, `$(PYTHON)/bin/python3 cuda/compile.py --bounds` writes it anew.
ptx: $(PYTHON)/ready
	$(PYTHON)/bin/python3 cuda/compile.py

# Programs that link the libraries, as installed by somebody else's packager: staged, then used where the stage lies.
FFI := $(abspath target/ffi-tests)
ffi-test: test-packages libraries
	rm -rf $(FFI)
	DESTDIR=$(FFI) PREFIX=/install LIBDIR=lib INCLUDEDIR=include packaging/install.sh
	ffi-tests/run $(FFI)/install

# include/haploom.h and what ffi-tests/abi keeps of it, after a change of src/ffi.
header:
	HAPLOOM_WRITE_HEADER=1 $(CARGO) test --release --test header
	ffi-tests/abi/keep

lint: test-packages
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings

# Of the Rust library, of the C library and of the R package: target/doc/index.html.
docs: build
	@.ci/packages docs
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps
	packaging/docs.sh

# Python with what the tests open model files with, and with what kernels are compiled with.
$(PYTHON)/ready: cuda/requirements.txt | test-packages
	python3 -m venv $(PYTHON)
	$(PYTHON)/bin/pip install --quiet --disable-pip-version-check safetensors numpy -r cuda/requirements.txt
	touch $@

test-packages:
	@.ci/packages build docs tests
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

# Under sudo nothing is built (root has no cargo, and its files would be in the user's way): `make libraries` comes first.
ifeq ($(SUDO_USER)$(DOAS_USER),)
install: libraries
endif
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export LIBDIR := $(LIBDIR)
install uninstall: export INCLUDEDIR := $(INCLUDEDIR)
install:
	packaging/install.sh
uninstall:
	packaging/install.sh uninstall

clean:
	$(CARGO) clean

# The table of crates in THIRD_PARTY.md, after a change of Cargo.lock.
third-party:
	.ci/third-party
