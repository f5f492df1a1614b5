# WeCom Sign-in. `make` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.tools
BUILD := $(CURDIR)/.build
GO_TOOLS := go -C infra/tools build
DYNOXIDE_VERSION := 3.2.0
PYTHON ?= /usr/bin/python3
# AWS's command line for the template. SAM names one that is installed already.
SAM ?= $(TOOLS)/sam/bin/sam
export SAM
export SAM_CLI_TELEMETRY := 0
# No version stamps: they need git to trust the folder, and nothing reads them.
export GOFLAGS += -buildvcs=false

# ARCH is Lambda's name of the processor; `sam build` does not tell make which one
# the template wants, so give both the same.
ARCH ?= arm64
GOARCH_arm64 := arm64
GOARCH_x86_64 := amd64
# Without net/rpc (lambda.norpc) the linker can drop what is not called: a third of
# the size. Without paths and version stamps the same source gives the same bytes.
GO_BUILD = CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_$(ARCH)) \
	go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags "-s -w"

FUNCTIONS := $(notdir $(patsubst %/lambda/,%,$(wildcard functions/*/lambda/)))
# Megabytes (10^6 bytes) that the zip of a function may have.
ZIP_BUDGET := 8.0
ZIP_BUDGET_authorize := 4.0
ZIP_BUDGET_callback := 4.0

# What AWS on this machine is made of, and what deploys to it.
EMULATORS := $(TOOLS)/bin/dynoxide $(TOOLS)/ministack/ready $(TOOLS)/sam/ready
REHEARSAL := $(TOOLS)/ministack/ready $(TOOLS)/sam/ready

# A program takes the place of make: `go run` would hide its exit status, and Ctrl-C
# would reach two processes. $(call run,NAME,ARGUMENTS)
define run
@mkdir -p $(BUILD)
@go build -o $(BUILD)/$(1) ./infra/$(1)
@exec $(BUILD)/$(1) $(2)
endef

# Packages with fuzz targets, and how long each target runs.
FUZZTIME ?= 10s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: ## run everything on this machine: service, a simulated WeCom, a demo application
	$(call run,local)

.PHONY: build
build: ## build every function for Lambda into .build/FUNCTION/bootstrap (ARCH=arm64 or x86_64)
	@mkdir -p $(BUILD)
	@for name in $(FUNCTIONS); do echo "build $$name ($(ARCH))"; $(GO_BUILD) -o $(BUILD)/$$name/bootstrap ./functions/$$name/lambda; done

.PHONY: size
size: build ## check the size of what is deployed
	@mkdir -p $(BUILD)
	@go run ./infra/local/zipsize $(foreach name,$(FUNCTIONS),$(BUILD)/$(name)/bootstrap=$(or $(ZIP_BUDGET_$(name)),$(ZIP_BUDGET)))

.PHONY: format
format: $(TOOLS)/bin/gofumpt ## format the Go code
	@$(TOOLS)/bin/gofumpt -w functions shared infra docs

.PHONY: lint
lint: $(TOOLS)/bin/gofumpt $(TOOLS)/bin/golangci-lint ## format check, vet and linters
	@unformatted=$$($(TOOLS)/bin/gofumpt -l functions shared infra docs); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make format):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(TOOLS)/bin/golangci-lint run ./...

# Everything a change must pass. The last line counts; with CI set, a test that
# could not run is a failure.
.PHONY: test
test: tools lint size ## everything a change must pass
	@go run ./infra/local/testrun -- -race ./...

.PHONY: validate
validate: $(TOOLS)/sam/ready ## check template.yaml as SAM, CloudFormation and our own rules see it
	@go run ./infra/validate

.PHONY: emulators
emulators: $(EMULATORS) ## start AWS and WeCom on this machine for `make invoke` and `make api`
	$(call run,samlocal,emulators)

.PHONY: invoke
invoke: $(EMULATORS) ## run one function by sam local: make invoke FUNCTION=authorize [EVENT=file]
	@go run ./infra/samlocal invoke $(FUNCTION) $(EVENT)

.PHONY: api
api: $(EMULATORS) ## run the whole service by sam local start-api (needs a Docker engine)
	$(call run,samlocal,api)

.PHONY: rehearsal
rehearsal: $(REHEARSAL) ## deploy, update, delete and restore the service on this machine, by SAM
	@go test -count=1 -v ./infra/rehearsal

.PHONY: deploy
deploy: $(TOOLS)/sam/ready ## deploy to AWS, step by step (ARGS="-yes STACK": with the kept answers)
	$(call run,deploy,$(ARGS))

.PHONY: doctor
doctor: ## check a running deployment from outside: make doctor URL=https://...
	@mkdir -p $(BUILD)
	@go build -o $(BUILD)/doctor ./infra/doctor
	@if [ -t 0 ] && [ -z "$${ADMIN_KEY-}" ]; then \
		read -rsp 'Admin key (not shown; Enter skips what needs it): ' ADMIN_KEY || true; echo >&2; \
	fi; export ADMIN_KEY; exec $(BUILD)/doctor $(ARGS) $(URL)

.PHONY: reproducible
reproducible: ## build twice, in two places, and compare
	@go run ./infra/release reproducible

.PHONY: sbom
sbom: $(TOOLS)/bin/cyclonedx-gomod ## write what the programs are made of to .build/sbom.json (CycloneDX)
	@go run ./infra/release sbom

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include=*_test.go functions shared infra | xargs -n1 dirname | sort -u | while read -r folder; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$folder"/*_test.go | cut -c6- | sort -u); do \
			echo "$$folder $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$folder"; \
		done; \
	done

.PHONY: bench
bench: $(TOOLS)/bin/dynoxide ## measure sizes, starts, remote calls and processor time (docs/benchmarks.md)
	@go run ./infra/bench

.PHONY: screenshots
screenshots: ## make the pictures of README and guide (needs Chromium)
	@mkdir -p $(BUILD)
	@go build -o $(BUILD)/local ./infra/local
	@go run ./infra/screenshots -service $(BUILD)/local -to docs/images

.PHONY: tools
tools: $(TOOLS)/bin/gofumpt $(TOOLS)/bin/golangci-lint $(TOOLS)/bin/dynoxide $(TOOLS)/ministack/ready $(TOOLS)/sam/ready $(TOOLS)/bin/cyclonedx-gomod $(TOOLS)/axe/axe.min.js ## fetch what the tests need into .tools

$(TOOLS)/bin/gofumpt: infra/tools/go.mod
	@mkdir -p $(@D)
	$(GO_TOOLS) -o $@ mvdan.cc/gofumpt
	@touch $@

$(TOOLS)/bin/golangci-lint: infra/tools/go.mod
	@mkdir -p $(@D)
	$(GO_TOOLS) -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

# DynamoDB on this machine. DYNOXIDE names one that is installed already.
$(TOOLS)/bin/dynoxide:
	@mkdir -p $(@D)
	@if [ -n "$${DYNOXIDE:-}" ]; then ln -sf "$$DYNOXIDE" $@; \
	elif command -v cargo >/dev/null; then \
		cargo install dynoxide-rs --version $(DYNOXIDE_VERSION) --locked --no-default-features \
			--features native-sqlite,http-server,cli --root $(TOOLS) --quiet; \
	elif [ -n "$${CI:-}" ]; then echo "cargo is missing: it builds dynoxide, the DynamoDB of the tests"; exit 1; \
	else echo "SKIP dynoxide: cargo is missing, tests against DynamoDB will be skipped"; fi

# AWS on this machine.
$(TOOLS)/ministack/ready: infra/tools/ministack-requirements.txt
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		rm -rf $(@D); $(PYTHON) -m venv $(@D); \
		$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<; \
		touch $@; \
	elif [ -n "$${CI:-}" ]; then echo "$(PYTHON) has no venv (apt-get install python3-venv)"; exit 1; \
	else echo "SKIP ministack: $(PYTHON) has no venv, tests against Secrets Manager and the rehearsal will be skipped"; fi

# AWS SAM's command line and cfn-lint.
$(TOOLS)/sam/ready: infra/tools/sam-requirements.txt
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		rm -rf $(@D); $(PYTHON) -m venv $(@D); \
		$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<; \
		touch $@; \
	elif [ -n "$${CI:-}" ]; then echo "$(PYTHON) has no venv (apt-get install python3-venv)"; exit 1; \
	else echo "SKIP sam: $(PYTHON) has no venv, the template will not be checked"; fi

$(TOOLS)/bin/cyclonedx-gomod: infra/tools/go.mod
	@mkdir -p $(@D)
	$(GO_TOOLS) -o $@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
	@touch $@

# The judge of the pages' accessibility, fetched with ministack's Python.
$(TOOLS)/axe/axe.min.js: infra/tools/axe-requirements.txt $(TOOLS)/ministack/ready
	@if [ -x $(TOOLS)/ministack/bin/pip ]; then \
		rm -rf $(@D); mkdir -p $(@D); \
		$(TOOLS)/ministack/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
			-r infra/tools/axe-requirements.txt -d $(@D); \
		unpacked=$$($(TOOLS)/ministack/bin/python -c 'import glob, zipfile; [wheel] = glob.glob("$(@D)/*.whl"); print(zipfile.ZipFile(wheel).extract("axe_playwright_python/axe.min.js", "$(@D)"))'); \
		mv "$$unpacked" $@; touch $@; \
	elif [ -n "$${CI:-}" ]; then echo "pip is missing: it fetches axe-core (apt-get install python3-venv)"; exit 1; \
	else echo "SKIP axe-core: no Python with venv, pages will not be judged for accessibility"; fi

# JavaScript and CSS are formatted and linted along with Go.
BIOME := $(TOOLS)/biome/node_modules/.bin/biome
.PHONY: format-pages lint-pages
format: format-pages
format-pages: $(TOOLS)/biome/ready
	@if [ -e $< ]; then $(BIOME) check --write --linter-enabled=false functions shared infra; fi
lint: lint-pages
lint-pages: $(TOOLS)/biome/ready
	@if [ -e $< ]; then $(BIOME) check --error-on-warnings functions shared infra; fi
tools: $(TOOLS)/biome/ready
$(TOOLS)/biome/ready: infra/tools/package-lock.json
	@if command -v npm >/dev/null; then \
		rm -rf $(@D); mkdir -p $(@D); cp $(<D)/package.json $< $(@D); \
		(cd $(@D) && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null); \
		touch $@; \
	elif [ -n "$${CI:-}" ]; then echo "npm is missing: it fetches biome (apt-get install npm)"; exit 1; \
	else echo "SKIP biome: npm is missing, JavaScript and CSS will not be checked"; fi

.PHONY: clean
clean: ## remove what was built; .tools and .local stay
	rm -rf $(BUILD) .aws-sam

# Called by `sam build` with ARTIFACTS_DIR: build-<logical id of the function>.
SAM_TARGETS := $(addprefix build-,$(shell awk '/^  [A-Za-z]+Function:$$/ {sub(":", ""); print $$1}' template.yaml))
.PHONY: $(SAM_TARGETS)
$(SAM_TARGETS): build-%Function:
	$(GO_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" "./functions/$(shell echo $* | tr A-Z a-z)/lambda"
# The callback is served by a published version, and SAM publishes one for other bytes,
# but not for a changed parameter. So its package says when it was built: every build
# that is deployed is a version.
	@if [ $* = Callback ]; then date -u +%Y-%m-%dT%H:%M:%S.%NZ >"$(ARTIFACTS_DIR)/built"; fi
