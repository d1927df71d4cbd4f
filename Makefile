# The front door. Everything is done by CMake and the scripts under spec/; `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local
SECONDS_FUZZ ?= 60

.DEFAULT_GOAL := help
.PHONY: help packages build run test sanitize soak bench lint fuzz install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages:
	@.ci/install build

build: packages ## install what is missing and build the release into build/
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DPERI_AS_ONE=ON -DCMAKE_INSTALL_PREFIX=$(PREFIX) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD)

run: build ## build and start examples/quickstart in the foreground
	@exec examples/quickstart/run

test: build ## build and run every spec
	@.ci/install test
	@spec/support/all --build $(BUILD)

sanitize: ## run the specs under ASan+UBSan and under TSan
	@.ci/install build test
	@spec/support/sanitize

soak: build ## the long runs: churn, kills, leaks (about an hour)
	@.ci/install test
	@PERI_SOAK=1 spec/support/all --build $(BUILD) spec/flow

bench: build ## measure and print the tables of the README
	@.ci/install test bench
	@spec/bench/run $(BUILD)

lint: build ## layers, sizes, formatting, clang-tidy, luacheck
	@.ci/install test
	@spec/support/all --build $(BUILD) spec/lint
	@spec/lint/tidy $(BUILD)

fuzz: ## fuzz the decoders for SECONDS_FUZZ seconds each
	@.ci/install build test
	@spec/fuzz/run $(SECONDS_FUZZ)

install: build ## install into PREFIX (default /usr/local)
	@cmake --install $(BUILD)

clean: ## remove what was built
	@rm -rf $(BUILD) build-*
