# What there is to do with this project; `make help` lists it.
#
# Every target sets up what it needs, and does nothing twice: cargo and go know what is built, scripts/venv.sh knows
# which environment is there.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# The steps are parallel inside; two at a time would only mix their output. `make test` does what mostly waits at the same
# time, and prints the output of each step in one piece.
ifndef TOGETHER
.NOTPARALLEL:
endif
together = $(MAKE) TOGETHER=1 --jobs 3 --output-sync=target

# The Python that .venv is made from: `make PYTHON=python3.12 run`.
PYTHON ?= python3
# Where `make install` puts things; DESTDIR goes before it.
PREFIX ?= /usr/local

export CGO_ENABLED := 1
export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv

CARGO_FLAGS := --release --locked
CORE := target/release/libgophersnake.so
HEADER := include/gophersnake.h
VERSION = $(shell sed -n '/^\[package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)

# -count=1: go would reuse a result although the core, which it does not know, has changed.
# No test depends on how fast the machine is: the time limit is for those that hang.
GO_TEST := go test -count=1 -timeout 40m
PROGRAMS := ./examples/... $(addsuffix /...,$(wildcard ./go/cmd))
STATICCHECK := go tool -modfile=tools/go.mod staticcheck
DEV := .venv-dev/bin
# Each folder is a place for sys.path, so each is checked by itself.
PYTHON_FOLDERS := $(wildcard python examples/*/python bench/python) scripts
# What the tests need is no part of what the programs need, so it is in an environment of its own.
TEST_LOCKS := requirements.txt requirements-test.txt
# So is what the benchmark compares with: servers that run the same Python and NumPy.
BENCH_LOCKS := requirements.txt bench/requirements.txt
# And the libraries whose own tests are run.
SUITES_LOCK := tests/suites/requirements.txt
LIBRARIES_LOCKS := requirements.txt requirements-libraries.txt
BENCH_MODULE := github.com/gophersnake/gophersnake/bench

c-files = $(shell git ls-files -co --exclude-standard '*.c' '*.h' | grep -vx $(HEADER))
go-files = $(shell git ls-files -co --exclude-standard '*.go')
shell-files = $(shell git ls-files -co --exclude-standard '*.sh') .ci/run

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## find the outliers of a real series, plot them to build/outliers.png
	@mkdir -p build
	@bin/outliers -plot build/outliers.png examples/outliers/data/sunspots.csv

.PHONY: build
build: .venv core ## set up everything: .venv, the core, the Go programs (bin/)
	@echo '== build programs (bin/)'
	@go build -o bin/ $(PROGRAMS)

.PHONY: install
install: core ## library, header, pkg-config file and bin/gophersnake to PREFIX (default /usr/local)
	@install -d '$(DESTDIR)$(PREFIX)/lib/pkgconfig' '$(DESTDIR)$(PREFIX)/include' '$(DESTDIR)$(PREFIX)/bin'
	@install -m 755 $(CORE) '$(DESTDIR)$(PREFIX)/lib/'
	@install -m 644 $(HEADER) '$(DESTDIR)$(PREFIX)/include/'
	@sed -e 's|@PREFIX@|$(abspath $(PREFIX))|' -e 's|@VERSION@|$(VERSION)|' gophersnake.pc.in \
	  >'$(DESTDIR)$(PREFIX)/lib/pkgconfig/gophersnake.pc'
	@# The installed program takes the core that is installed with it.
	@CGO_LDFLAGS='-O2 -g -Wl,-rpath,$$ORIGIN/../lib' go build -o '$(DESTDIR)$(PREFIX)/bin/' ./go/cmd/gophersnake
	@echo '== installed gophersnake $(VERSION) to $(DESTDIR)$(PREFIX)'

.PHONY: clean
clean: ## remove what was built, the virtual environments included
	@rm -rf bin build target .venv .venv-* .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Test

.PHONY: test
test: tools ## test everything with one Python, in some minutes
	@$(together) .venv .venv-test .venv-bench core
	@$(together) test-go test-bench test-c test-rust

.PHONY: test-rust
test-rust: tools
	@echo '== test rust'
	@cargo test --quiet --locked

.PHONY: test-c
test-c: .venv core
	@echo '== test c'
	@tests/c/run.sh

.PHONY: test-go
test-go: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
test-go: .venv-test core
	@echo '== test go'
	@# The package whose tests take longest comes first.
	@$(GO_TEST) -short ./go/python ./...

.PHONY: test-bench
test-bench: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-bench
test-bench: .venv-bench core
	@echo '== test the benchmark'
	@cd bench && $(GO_TEST) ./...

.PHONY: test-full
test-full: build .venv-test ## the Go tests at full length, with every CPython from 3.11 to 3.13 that is found
	@PANIC_PROFILE=release tests/c/run.sh
	@scripts/test_pythons.sh all .venv-test $(GO_TEST) ./go/python ./...

# What `make test` does not: each of the other CPythons, and the newest at full length.
.PHONY: test-pythons
test-pythons: build .venv-test
	@PANIC_PROFILE=release tests/c/run.sh
	@scripts/test_pythons.sh others .venv-test $(GO_TEST) ./go/python ./...

.PHONY: test-libraries
test-libraries: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-libraries
test-libraries: .venv-libraries core ## what happens to the values of many libraries: each row of the table in docs/LIBRARIES.md
	@echo '== test the values of libraries'
	@$(GO_TEST) -tags libraries ./go/python -run Libraries

.PHONY: check
check: tools check-format check-lint check-docs check-readme check-leftovers suites test-pythons test ## what CI checks: format, lints, documents, tests with each CPython, and the quick suites

.PHONY: check-format
check-format: .venv-dev
	@echo '== check format'
	@cargo fmt --check
	@test -z "$$(gofmt -l $(go-files) | tee /dev/stderr)" || { echo 'make format mends these' >&2; exit 1; }
	@$(DEV)/ruff format --quiet --check .
	@$(if $(c-files),$(DEV)/clang-format --dry-run -Werror $(c-files))

.PHONY: check-lint
check-lint: .venv-bench .venv-dev
	@echo '== check rust (clippy)'
	@cargo clippy --quiet $(CARGO_FLAGS) --all-targets --all-features -- -D warnings
	@echo '== check go (vet, staticcheck)'
	@go vet ./... && go -C bench vet ./...
	@$(STATICCHECK) ./...
	@cd bench && go tool -modfile=../tools/go.mod staticcheck ./...
	@echo '== check python (ruff, mypy)'
	@$(DEV)/ruff check --quiet .
	@for folder in $(PYTHON_FOLDERS); do \
	  MYPYPATH=$$folder $(DEV)/mypy --no-error-summary --python-executable .venv-bench/bin/python $$folder; done
	@$(DEV)/mypy --no-error-summary --python-executable .venv-bench/bin/python go/python/arrow/gophersnake_arrow.py
	@echo '== check shell (shellcheck)'
	@$(DEV)/shellcheck $(shell-files)

# That the header is the one that cbindgen makes is checked by tests/header.rs.
.PHONY: check-docs
check-docs: .venv
	@echo '== check documents'
	@RUSTDOCFLAGS='-D warnings' cargo doc --quiet --release --locked --no-deps --document-private-items
	@go -C tools run ./exported ../go
	@.venv/bin/python -I scripts/docs.py

.PHONY: check-readme
check-readme: build
	@echo '== check the commands of the README'
	@mkdir -p build
	@.venv/bin/python -I scripts/readme.py

.PHONY: check-leftovers
check-leftovers:
	@echo '== check leftovers'
	@scripts/leftovers.sh

.PHONY: lifetime
lifetime: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
lifetime: .venv-test core ## the Go tests while garbage is collected at every use of a handle, and with the race detector
	@echo '== test go with the race detector'
	@$(GO_TEST) -timeout 60m -race ./go/python
	@echo '== test go with -tags gophersnake_gc'
	@$(GO_TEST) -timeout 60m -tags gophersnake_gc ./go/python

# ONLY="lifetime limits" runs some of the programs; SEED=… repeats the random choices of a run that has failed.
.PHONY: torture
torture: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
torture: .venv-test core ## everything for long, at once and with the worst arguments: half an hour
	@go build -o build/torture/ ./tests/torture/...
	@status=0; for program in $(or $(ONLY),cancellation concurrency errors leaks lifetime limits processes signals); do \
	  build/torture/$$program $(if $(SEED),-seed $(SEED)) || status=1; done; exit $$status

# SUITE="test_io|NumPy" runs the parts that match.
SUITES = go build -o build/suites/ ./tests/suites && build/suites/suites $(if $(SUITE),-suite '$(SUITE)')
.PHONY: suites
suites: .venv-suites core ## tests of CPython, NumPy and greenlet in the host and in plain Python: what differs? Some minutes
	@echo '== test suites of others'
	@$(SUITES) -python .venv-suites

.PHONY: suites-full
suites-full: .venv-suites core ## the same with SciPy, pandas, PyArrow, joblib, trio and Tornado, on each CPython that is found: hours
	@status=0; while IFS='|' read -r minor python why; do \
	  [[ -n $$python ]] || { echo "== CPython $$minor is left out: $$why"; continue; }; \
	  echo "== test suites of others with CPython $$minor"; \
	  scripts/venv.sh .venv-suites-$$minor "$$python" $(SUITES_LOCK) </dev/null && \
	  { $(SUITES) -full -python .venv-suites-$$minor </dev/null || status=1; }; \
	done < <(scripts/pythons.sh); exit $$status

# How long `make soak` works.
SOAK ?= 10m
.PHONY: soak
soak: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
soak: .venv-test core ## all kinds of work for SOAK=10m, and whether anything grows
	@go build -o build/torture/ ./tests/torture/soak
	@build/torture/soak -for $(SOAK)

# The tests that pass memory to and fro. Those under efence have an address space of their own kind.
MEMORY_TESTS := Lend|Array|Map|Bind|Func|Object|Callback(Arg|Error|Panic|Gift|Lends|Nest|Returns)|Result|Retained|Exceptions|Error|Stream|Task|Class|Iter
NOT_WITH_TOOLS := Efence|Leak|MapGivesTurns|11|Random|ManyLends|ClassIdentity|Environment

# The core is named, because the loader of a program with AddressSanitizer does not look where the program says.
.PHONY: asan
asan: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
asan: export GOPHERSNAKE_CORE := $(CURDIR)/$(CORE)
asan: export ASAN_OPTIONS := detect_leaks=0:allocator_may_return_null=1
asan: .venv-test core ## the Go tests of memory with AddressSanitizer
	@scripts/planted.sh use-after-free 'AddressSanitizer: heap-use-after-free' go run -asan ./tests/planted
	@$(GO_TEST) -asan ./go/python -run '$(MEMORY_TESTS)' -skip '$(NOT_WITH_TOOLS)'

.PHONY: cgocheck
cgocheck: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
cgocheck: export GOEXPERIMENT := cgocheck2
cgocheck: .venv-test core ## the Go tests of memory while Go looks at each pointer that is stored
	@scripts/planted.sh go-pointer 'Go pointer' go run ./tests/planted
	@$(GO_TEST) ./go/python -run '$(MEMORY_TESTS)' -skip '$(NOT_WITH_TOOLS)'

# Go may interrupt a goroutine anywhere, and then looks at its stack in ways that valgrind does not know: not here.
# Isolated Python ignores PYTHONMALLOC, so its small objects come from its own pools, which valgrind does not see into.
.PHONY: valgrind
valgrind: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
valgrind: .venv-test core ## some Go tests of memory under valgrind
	@command -v valgrind >/dev/null || { echo 'missing: valgrind (apt-get install valgrind)' >&2; exit 1; }
	@mkdir -p build
	@go build -tags valgrind -o build/planted ./tests/planted
	@scripts/planted.sh use-after-free 'Invalid read' valgrind -q --error-exitcode=9 build/planted
	@go test -c -tags valgrind -o build/python.test ./go/python
	@cd go/python && GODEBUG=asyncpreemptoff=1 valgrind -q --error-exitcode=9 --undef-value-errors=no --leak-check=no --suppressions=../../tests/valgrind.supp ../../build/python.test \
	  -test.run '^Test(Lend(IsReadOnly|Mut|Part|Empty|InLists)|ResultSizes|ResultsAreCopies|RetainedByResult|CallbackArguments|CallbackGift)$$' -test.v

.PHONY: fuzz
fuzz: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
fuzz: .venv-test core ## fuzz the conversions, a minute for each target
	@for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' go/python/*_test.go); do \
	  go test ./go/python -run '^$$' -fuzz "^$$target$$" -fuzztime 1m; done

.PHONY: differential
differential: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-test
differential: .venv-test core ## millions of random values against Python, and 10^5 calls for each row of the tables
	@GOPHERSNAKE_CASES=5000000 GOPHERSNAKE_LEAK_CALLS=100000 go test -count=1 -timeout 120m ./go/python -run 'Random|Leak|Table|Convers' -v

.PHONY: embed
embed: core ## copy the core to where the build tag gophersnake_embed takes it from
	@cp $(CORE) go/python/

.PHONY: refcount
refcount: core ## the leak test with a debug CPython, which counts every reference
	@command -v python3.11-dbg >/dev/null || \
	  { echo 'missing: python3.11-dbg (apt-get install python3.11-dbg python3.11-venv)' >&2; exit 1; }
	@scripts/venv.sh .venv-dbg python3.11-dbg requirements.txt
	@GOPHERSNAKE_PYTHON=$(CURDIR)/.venv-dbg $(GO_TEST) ./go/python -run Leak -v

.PHONY: bench
bench: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-bench
bench: .venv-bench core ## compare with C, gRPC and others for some minutes: build/bench.md, build/bench.json, build/*.png
	@$(RUN_BENCH)

.PHONY: bench-full
bench-full: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-bench
bench-full: .venv-bench core ## the same with all sizes, and for longer
	@$(RUN_BENCH) -full

.PHONY: bench-budget
bench-budget: export GOPHERSNAKE_PYTHON := $(CURDIR)/.venv-bench
bench-budget: .venv-bench core ## profile a no-op with perf: where its time goes
	@command -v perf >/dev/null || { echo 'missing: perf (apt-get install linux-perf)' >&2; exit 1; }
	@command -v addr2line >/dev/null || { echo 'missing: addr2line (apt-get install binutils)' >&2; exit 1; }
	@mkdir -p build && cd bench && go test -c -o ../build/bench.test . && \
	  perf record --quiet --event cpu-clock --freq 2000 --output ../build/perf.data \
	    ../build/bench.test -test.run '^$$' -test.bench Noop -test.benchtime 10s >../build/budget.txt && \
	  perf script --input ../build/perf.data --no-demangle --fields ip,sym,symoff,dso 2>/dev/null >../build/samples.txt && \
	  perf report --input ../build/perf.data --stdio --no-children --field-separator '|' --sort dso,symbol 2>/dev/null | \
	  $(GOPHERSNAKE_PYTHON)/bin/python -I python/budget.py ../build/budget.txt ../build/samples.txt ../$(CORE)

.PHONY: bench-document
bench-document: ## put the tables of the last `make bench` into docs/PERFORMANCE.md
	@cd bench && go run . -out ../build -document ../docs/PERFORMANCE.md

# Not `go run`: it would stay between Ctrl-C and the benchmark, and each cold start is measured with this program.
RUN_BENCH = mkdir -p build && go -C bench build -o ../build/bench . && cd bench && ../build/bench -out ../build

##@ Develop

.PHONY: format
format: tools .venv-dev ## format Rust, Go, Python and C
	@cargo fmt
	@gofmt -w $(go-files)
	@$(DEV)/ruff check --quiet --select I --fix . && $(DEV)/ruff format --quiet .
	@$(if $(c-files),$(DEV)/clang-format -i $(c-files))

.PHONY: header
header: tools ## write include/gophersnake.h anew from src/
	@echo '== write $(HEADER)'
	@GOPHERSNAKE_WRITE_HEADER=1 cargo test --quiet --locked --test header >/dev/null

.PHONY: lock
lock: .venv-dev ## write the lock files of the Python requirements anew, with the newest versions
	@for name in requirements requirements-test requirements-libraries requirements-dev bench/requirements tests/suites/requirements; do \
	  echo "== lock $$name.txt"; \
	  $(DEV)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --custom-compile-command 'make lock' $$([[ $$name != *-test && $$name != *-libraries && $$name != */* ]] || echo '-c requirements.txt') \
	    $$([[ $$name != tests/* && $$name != *-libraries ]] || echo '-c requirements-test.txt') \
	    --output-file $$name.txt $$name.in; done

# The versions of the generators are those that go with bench/go.mod and bench/requirements.txt.
.PHONY: proto
proto: .venv-dev ## generate the benchmark's code for gRPC from bench/outliers.proto
	@GOBIN='$(CURDIR)/build/tools' go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	@GOBIN='$(CURDIR)/build/tools' go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
	@PATH='$(CURDIR)/build/tools':$$PATH $(DEV)/uvx --quiet --from grpcio-tools==1.85.1 --with setuptools \
	  python -m grpc_tools.protoc -I bench --python_out bench/python --pyi_out bench/python --grpc_python_out bench/python \
	  --go_out bench --go-grpc_out bench --go_opt module=$(BENCH_MODULE) --go-grpc_opt module=$(BENCH_MODULE) bench/outliers.proto

# Everything that is built asks first whether the tools are there.
.PHONY: tools
tools:
	@scripts/tools.sh '$(PYTHON)'

.PHONY: core
core: tools
	@echo '== build core ($(CORE)$(if $(wildcard $(CORE)),,; about a minute the first time))'
	@cargo build --quiet $(CARGO_FLAGS)

# Phony although they name folders: scripts/venv.sh decides, by the Python and the lock file.
.PHONY: .venv .venv-test .venv-libraries .venv-bench .venv-suites .venv-dev
.venv: tools
	@scripts/venv.sh .venv '$(PYTHON)' requirements.txt
.venv-test: tools
	@scripts/venv.sh .venv-test '$(PYTHON)' $(TEST_LOCKS)
.venv-libraries: tools
	@scripts/venv.sh .venv-libraries '$(PYTHON)' $(LIBRARIES_LOCKS)
.venv-bench: tools
	@scripts/venv.sh .venv-bench '$(PYTHON)' $(BENCH_LOCKS)
.venv-suites: tools
	@scripts/venv.sh .venv-suites '$(PYTHON)' $(SUITES_LOCK)
.venv-dev: tools
	@scripts/venv.sh .venv-dev '$(PYTHON)' requirements-dev.txt
