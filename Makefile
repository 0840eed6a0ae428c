# Thin: every target names the commands it stands for. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := build

stage := scripts/stage
ctest := ctest -j2 --output-on-failure --no-tests=error
python := .deps/client/bin/python -B

.PHONY: build deps test compat soak demo package bench lint format sanitize asan-ubsan tsan fuzz clean help
.PRECIOUS: build/%/build.ninja
.NOTPARALLEL:

build: build/release/build.ninja ## release build of everything (the default)
	cmake --build build/release

build/%/build.ninja:
	cmake --preset $*

deps: ## install what building, testing and the demo need
	@scripts/install-deps

test: export STAGES_FILE := $(CURDIR)/build/stages-test.txt
test: ## set-up, release build, unit tests, integration tests with real clients and servers
	@mkdir -p build && : >$(STAGES_FILE)
	@$(stage) 'test: set-up' scripts/install-deps
	@$(stage) 'test: build' $(MAKE) --no-print-directory build
	@$(stage) 'test: unit' $(ctest) --test-dir build/release; unit=$$?; \
	  $(stage) 'test: integration' $(python) -m pytest tests/integration; integration=$$?; \
	  printf '\nSeconds a stage:\n'; cat $(STAGES_FILE); exit $$((unit || integration))

soak: deps build ## everything at once for ten minutes, every answer judged (SOAK_ARGS='--seconds 60 --seed 7')
	$(python) tests/soak/soak.py --seconds 600 $(SOAK_ARGS)

compat: deps build ## every driver straight and through the daemon; writes docs/compatibility.md (COMPAT_ARGS=--programs)
	scripts/install-compat-deps
	$(python) tests/compat/run.py $(COMPAT_ARGS)

demo: deps build/release/build.ninja ## the speed-up on real films and places (KEEP=1 leaves it running)
	cmake --build build/release --target mongocached
	@$(python) demo/demo.py $(if $(KEEP),--keep)

package: deps build/release/build.ninja ## the Debian package, in build/package
	cmake --build build/release --target mongocached package_files
	cpack --config build/release/CPackConfig.cmake -B build/package

bench: deps build ## the figures beside their yardsticks and targets (BENCH_ARGS=--quick: only whether it works)
	$(python) bench/run.py $(BENCH_ARGS)

lint: deps build/release/build.ninja ## layout and common faults
	@scripts/lint

format: deps ## rewrite the layout of all sources
	@scripts/lint --fix

sanitize: asan-ubsan tsan ## unit tests under clang's sanitizers (each is a target of its own)

unit_tests := protocol_tests auth_tests cache_core_tests cache_store_tests config_tests daemon_tests

# libmongoc and libbson are not instrumented: what they do among themselves is not ours to report.
tsan: export TSAN_OPTIONS := ignore_noninstrumented_modules=1
asan-ubsan tsan: %: deps build/%/build.ninja
	cmake --build build/$@ --target $(unit_tests)
	$(ctest) --test-dir build/$@ -R '^(protocol|auth|cache|cache_store|config|daemon)/'

fuzz: deps build/fuzz/build.ninja ## every fuzz target for FUZZ_SECONDS (default 20) each
	cmake --build build/fuzz --target tests/fuzz/all
	scripts/fuzz

clean: ## remove everything built (not .deps)
	rm -rf build demo/report bench/report

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
