# `make help` lists what there is. GNU make, any POSIX shell.
SHELL = /bin/sh
.DEFAULT_GOAL = help

# Where servers' programs go that this machine lacks; several checkouts may share one.
TOOLS_DIR ?= .tools
# `make demo` begins anew here each time.
DATA_DIR ?= .orgledger/demo
# Further arguments of test, bench and demo.
ARGS ?=

CARGO ?= cargo
TOOLS = $(abspath $(TOOLS_DIR))
INSTALL_PROGRAMS = scripts/install-programs "$(TOOLS)"
# A data directory's own programs are found by `orgledger`; one copy serves them all.
LINK_PROGRAMS = mkdir -p $(1) && ln -sfn "$(TOOLS)/programs" $(1)/programs

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: programs ## Build orgledger and show it at work on a new data directory; DEMO_EXIT=1 ends after the show
	@$(call LINK_PROGRAMS,.orgledger)
	@$(call LINK_PROGRAMS,"$(DATA_DIR)")
	$(CARGO) build --release -p orgledger
	exec target/release/orgledger demo --fresh --data-dir "$(DATA_DIR)" $(if $(DEMO_EXIT),--exit) $(ARGS)

.PHONY: test
test: programs ## All tests, on private servers; ARGS='-p domain' for fewer
	@scripts/run-tests $(ARGS)

.PHONY: check
check: programs ## Formatting, lints, generated files, licences, compose file, the API against its description
	@TOOLS_DIR="$(TOOLS)" scripts/run-checks

.PHONY: bench
bench: programs ## The benchmark, on private servers with real durability; ARGS go to it
	$(CARGO) build --release -p orgledger -p embedded -p bench
	target/release/with-servers target/release/bench $(ARGS)

.PHONY: generate
generate: ## Write the generated files anew: schemas, OpenAPI, configuration page
	$(CARGO) run -q -p orgledger -- generate

.PHONY: programs
programs: ## Fetch the servers' programs that this machine lacks, into TOOLS_DIR
	@$(INSTALL_PROGRAMS)
	@if [ "$(TOOLS)" != "$(abspath .tools)" ]; then $(call LINK_PROGRAMS,.tools); fi

.PHONY: clean
clean: ## Remove what was built; data directories and programs stay
	$(CARGO) clean
