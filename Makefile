# WeCom Sign-in. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.tools
BUILD := $(CURDIR)/.build
DYNOXIDE_VERSION := 3.2.0
CFN_GUARD_VERSION := 3.2.1
OAUTH2_PROXY_VERSION := 7.15.6
KEYCLOAK_VERSION := 26.7.3
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
ARCHITECTURES ?= arm64 x86_64
GOARCH_arm64 := arm64
GOARCH_x86_64 := amd64
# This machine's own.
HOST_ARCH := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
# Without net/rpc (lambda.norpc) the linker can drop what is not called: a third of
# the size. Without paths and version stamps the same source gives the same bytes.
GO_TARGET = CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_$(ARCH))
GO_BUILD = $(GO_TARGET) go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags "-s -w"

FUNCTIONS := $(notdir $(patsubst %/lambda/,%,$(wildcard functions/*/lambda/)))
# Licences that a module in the programs may have: they ask for their text to be kept,
# and for nothing of what is combined with them.
LICENCES := Apache-2.0,MIT,BSD-2-Clause,BSD-3-Clause,ISC

# What `make test` tests: everything, the clients of infra/clients, too, or some packages, those
# with the race detector. The clients' results are never cached: Go does not see that they depend
# on the service.
PACKAGES ?= ./...
# Of everything the longest begin first, three packages at a time, for what deploys mostly waits.
LONGEST := ./infra/rehearsal ./infra/e2e ./functions/admin
# Packages whose tests need nothing but Go, with -short.
QUICK := ./functions/... ./shared/... ./docs/... ./infra/local/... ./infra/samtemplate/... ./infra/wecomsim/... ./infra/testbrowser
# How long each fuzz target runs, and how often each benchmark.
FUZZTIME ?= 10s
COUNT ?= 6

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# A program takes the place of make: `go run` would hide its exit status, and Ctrl-C
# would reach two processes. $(call run,NAME,ARGUMENTS)
define run
@mkdir -p $(BUILD)
@go build -o $(BUILD)/$(notdir $(1)) ./infra/$(1)
@exec $(BUILD)/$(notdir $(1)) $(2)
endef

.PHONY: run
run: ## run everything on this machine: service, a simulated WeCom, a demo application
	$(call run,local)

.PHONY: check
check: gofmt-check ## the quick part of `make test`, with Go alone: format, vet, quick tests
	go vet ./...
	go test -short $(QUICK)

# The race detector makes programs many times slower, so it sees what needs nothing but Go,
# the rules of the service and whole journeys through it, and both stores. A test that fails runs
# once more when nothing else does, because browsers and clocks suffer from a busy machine;
# the summary names it. A data race is never given a second chance. The programs are built for
# this machine: those that other tests run are then built already.
GOTESTSUM = $(TOOLS)/bin/gotestsum --rerun-fails=1 --rerun-fails-max-failures=5 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race

# The last line counts. With CI set, a test that could not run is a failure.
.PHONY: test
test: tools lint ## everything that a change must pass; fetches its tools
	@$(MAKE) -s size ARCH=$(HOST_ARCH)
	@$(MAKE) -s reproducible ARCHITECTURES=$(HOST_ARCH) FUNCTIONS=authorize
	@status=0; rm -f $(BUILD)/tests-*.json; \
	if [ '$(PACKAGES)' = ./... ]; then \
		$(GOTESTSUM) --jsonfile-timing-events $(BUILD)/tests-race.json --packages='$(QUICK)' -- -race -short -timeout 20m || status=$$?; \
		$(GOTESTSUM) --jsonfile-timing-events $(BUILD)/tests-race-dynamo.json --packages=./shared/store/dynamo -- -race -timeout 20m || status=$$?; \
		$(GOTESTSUM) --jsonfile-timing-events $(BUILD)/tests-all.json --packages='$(LONGEST) ./...' -- -timeout 40m -p 3 || status=$$?; \
		(cd infra/clients && $(GOTESTSUM) --jsonfile-timing-events $(BUILD)/tests-clients.json --packages=./... -- -count=1 -timeout 20m) || status=$$?; \
	else \
		$(GOTESTSUM) --jsonfile-timing-events $(BUILD)/tests-some.json --packages='$(PACKAGES)' -- -race -timeout 40m || status=$$?; \
	fi; \
	awk -v status=$$status -v ci="$${CI:-}" -f infra/tools/testsummary.awk $(BUILD)/tests-*.json

.PHONY: build
build: ## build every function for Lambda into .build/FUNCTION/bootstrap (ARCH=arm64 or x86_64)
	@mkdir -p $(BUILD)
	@for name in $(FUNCTIONS); do echo "build $$name ($(ARCH))"; $(GO_BUILD) -o $(BUILD)/$$name/bootstrap ./functions/$$name/lambda; done

.PHONY: format
format: $(TOOLS)/bin/gofumpt $(TOOLS)/biome/ready ## format Go, JavaScript and CSS
	@$(TOOLS)/bin/gofumpt -w functions shared infra docs
	@if [ -e $(TOOLS)/biome/ready ]; then $(BIOME) check --write --linter-enabled=false functions shared infra; fi

.PHONY: lint
lint: gofmt-check $(TOOLS)/bin/golangci-lint $(TOOLS)/bin/go-licenses $(TOOLS)/biome/ready ## check format, run the linters, check the licences of what is deployed
	$(TOOLS)/bin/golangci-lint run ./...
	cd infra/clients && $(TOOLS)/bin/golangci-lint run --build-tags slow ./...
	@if [ -e $(TOOLS)/biome/ready ]; then $(BIOME) check --error-on-warnings functions shared infra; fi
	@$(GO_TARGET) GOFLAGS="$(GOFLAGS) -tags=lambda.norpc" $(TOOLS)/bin/go-licenses check --allowed_licenses=$(LICENCES) ./functions/.../lambda

.PHONY: gofmt-check
gofmt-check: $(TOOLS)/bin/gofumpt
	@unformatted=$$($(TOOLS)/bin/gofumpt -l functions shared infra docs); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make format):"; echo "$$unformatted"; exit 1; fi

.PHONY: validate
validate: $(TOOLS)/sam/ready $(TOOLS)/cfn-guard/bin/cfn-guard ## check template.yaml as SAM, CloudFormation and our own rules see it
	@go test -count=1 ./infra/templatetest

.PHONY: emulators
emulators: $(TOOLS)/ministack/ready $(TOOLS)/sam/ready ## start AWS and WeCom on this machine for `sam local` (docs/sam-local.md)
	$(call run,events/emulators)

.PHONY: rehearsal
rehearsal: $(TOOLS)/ministack/ready $(TOOLS)/sam/ready ## deploy, update, delete and restore the service on this machine, by SAM; FROM=folder: at first another release
	@REHEARSAL_FROM=$(abspath $(FROM)) go test -count=1 -timeout 40m -v $(if $(FROM),-run "^TestDeployment\$$") ./infra/rehearsal

.PHONY: doctor
doctor: ## check a running deployment from outside: make doctor URL=https://...
	@mkdir -p $(BUILD)
	@go build -o $(BUILD)/doctor ./infra/doctor
	@if [ -t 0 ] && [ -z "$${ADMIN_KEY-}" ]; then \
		read -rsp 'Admin key (not shown; Enter skips what needs it): ' ADMIN_KEY || true; echo >&2; \
	fi; export ADMIN_KEY; exec $(BUILD)/doctor $(ARGS) $(URL)

# OPENAUTH=1 measures OpenAuth beside us; npm fetches what package-lock.json names.
.PHONY: bench
bench: $(TOOLS)/bin/dynoxide $(TOOLS)/bin/benchstat ## measure COUNT times and sum up (docs/benchmarks.md); OLD=file compares
	@mkdir -p $(BUILD)
	@if [ -n "$(OPENAUTH)" ]; then rm -rf $(BUILD)/openauth; cp -R infra/e2e/testdata/openauth $(BUILD); cd $(BUILD)/openauth; npm ci --silent; npm run --silent build; fi
	@OPENAUTH=$(if $(OPENAUTH),$(BUILD)/openauth/openauth.mjs) go test -run '^$$' -bench . -timeout 2h -count $(COUNT) ./infra/e2e | tee $(BUILD)/bench.txt
	@$(TOOLS)/bin/benchstat $(OLD) $(BUILD)/bench.txt

.PHONY: screenshots
screenshots: ## take the pictures of README and guide (needs Chromium)
	@go test -count=1 -run '^TestPictures$$' ./infra/e2e -args -pictures $(CURDIR)/docs/images

# The second build has another path and time zone, and an empty cache, so that nothing
# of the first can be in it.
.PHONY: reproducible
reproducible: ## build twice, in two folders, and compare
	@rm -rf $(BUILD)/reproducible
	@mkdir -p $(BUILD)/reproducible/another/place
	@cp -R Makefile go.mod go.sum functions shared $(BUILD)/reproducible/another/place
	@for arch in $(ARCHITECTURES); do \
		$(MAKE) -s build ARCH=$$arch BUILD=$(BUILD)/reproducible/first/$$arch; \
		TZ=Asia/Shanghai GOCACHE=$(BUILD)/reproducible/cache $(MAKE) -s -C $(BUILD)/reproducible/another/place build ARCH=$$arch BUILD=$(BUILD)/reproducible/second/$$arch; \
	done >/dev/null
	@rm -rf $(BUILD)/reproducible/cache $(BUILD)/reproducible/another
	@cd $(BUILD)/reproducible && diff -r first second && cd first && sha256sum */*/bootstrap

# The linker wrote into each program what it is made of.
.PHONY: sbom
sbom: build $(TOOLS)/bin/cyclonedx-gomod ## list what each program is made of, in .build/FUNCTION/sbom.json (CycloneDX)
	@version=$$(sed -n 's/^const Version = "\(.*\)"/\1/p' shared/version/version.go); \
	export GOPROXY="file://$$(go env GOMODCACHE)/cache/download" GONOSUMDB='*'; \
	for name in $(FUNCTIONS); do \
		$(TOOLS)/bin/cyclonedx-gomod bin -json -output-version 1.6 -licenses -std -noserial -notimestamp -version "$$version" \
			-output $(BUILD)/$$name/sbom.json $(BUILD)/$$name/bootstrap 2>$(BUILD)/sbom.log || { cat $(BUILD)/sbom.log; exit 1; }; \
		echo "$(BUILD)/$$name/sbom.json"; \
	done

.PHONY: clean
clean: ## remove what was built; .tools and .local stay
	rm -rf $(BUILD) .aws-sam

# Parts of `make test`, and what takes a network or a long time.

# A start gets slower with every megabyte, and one stray import can add several.
.PHONY: size
size: build
	@for name in $(FUNCTIONS); do \
		case $$name in authorize|callback) allowed=4000000 ;; *) allowed=8000000 ;; esac; \
		zipped=$$(gzip -c $(BUILD)/$$name/bootstrap | wc -c); \
		echo "$$name: $$zipped bytes zipped, $$allowed allowed"; \
		[ "$$zipped" -le $$allowed ] || { echo "$$name is too large"; exit 1; }; \
	done

# What infra/clients tests beside the clients of `make test`.
.PHONY: clients
clients: $(addprefix $(TOOLS)/,bin/golangci-lint appbuilder/ready django/ready jupyterhub/ready keycloak/ready ministack/ready) $(TOOLS)/spring/application.jar ## have slower OpenID Connect clients sign in: Django, Flask-AppBuilder, GitLab's library, JupyterHub, Keycloak, Kubernetes, Spring Boot
	@cd infra/clients && $(TOOLS)/bin/golangci-lint run --build-tags slow,kubernetes ./...
	@cd infra/clients && go test -count=1 -timeout 20m -v -tags slow,kubernetes -run 'Django|FlaskAppBuilder|GitLab|JupyterHub|Keycloak|Kubernetes|SpringBoot' .

.PHONY: vulncheck
vulncheck: $(TOOLS)/bin/govulncheck
	$< ./...

.PHONY: fuzz
fuzz:
	@grep -rlE '^func Fuzz' --include=*_test.go functions shared infra | xargs -n1 dirname | sort -u | while read -r folder; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$folder"/*_test.go | cut -c6- | sort -u); do \
			echo "$$folder $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$folder"; \
		done; \
	done

# The tools, fetched into .tools at fixed versions. What a machine lacks to build one is
# skipped in one line, and an error with CI set.

TEST_TOOLS := $(addprefix $(TOOLS)/,bin/dynoxide bin/gofumpt bin/golangci-lint bin/gotestsum bin/go-licenses cfn-guard/bin/cfn-guard ministack/ready sam/ready axe/axe.min.js biome/ready bin/oauth2-proxy openid-client/ready proxies/ready)
.PHONY: tools
tools:
	@$(MAKE) -s -j4 $(TEST_TOOLS)

# $(call missing,TOOL,WHAT IS MISSING AND WHAT IT DOES)
missing = if [ -n "$${CI:-}" ]; then echo "$(1): $(2)"; exit 1; else echo "SKIP $(1): $(2)"; fi

PACKAGE_benchstat := golang.org/x/perf/cmd/benchstat
PACKAGE_cyclonedx-gomod := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
PACKAGE_go-licenses := github.com/google/go-licenses/v2
PACKAGE_gofumpt := mvdan.cc/gofumpt
PACKAGE_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
PACKAGE_gotestsum := gotest.tools/gotestsum
PACKAGE_govulncheck := golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/bin/%: infra/tools/go.mod
	@mkdir -p $(@D)
	go -C infra/tools build -o $@ $(PACKAGE_$*)
	@touch $@

# DynamoDB. DYNOXIDE names one that is installed already. Its own profile makes it small and
# takes half as long again to build; the tests want it soon.
$(TOOLS)/bin/dynoxide:
	@mkdir -p $(@D)
	@if [ -n "$${DYNOXIDE:-}" ]; then ln -sf "$$DYNOXIDE" $@; \
	elif command -v cargo >/dev/null; then \
		CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
			cargo install dynoxide-rs --version $(DYNOXIDE_VERSION) --locked --no-default-features \
			--features native-sqlite,http-server,cli --root $(TOOLS) --quiet; \
	else $(call missing,dynoxide,cargo is missing (https://rustup.rs)); fi

# Judges the template by infra/templatetest/rules.guard. Not optimized and without what a
# debugger needs: that builds three times as fast, and judging takes a moment either way.
$(TOOLS)/cfn-guard/bin/cfn-guard:
	@if command -v cargo >/dev/null; then \
		CARGO_PROFILE_DEV_DEBUG=0 cargo install cfn-guard --version $(CFN_GUARD_VERSION) --locked --debug --root $(TOOLS)/cfn-guard --quiet; \
	else $(call missing,cfn-guard,cargo is missing (https://rustup.rs)); fi

# ministack is AWS on this machine; sam is SAM's command line with cfn-lint; proxies are
# Caddy and Envoy.
$(TOOLS)/%/ready: infra/tools/%-requirements.txt
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		rm -rf $(@D); $(PYTHON) -m venv $(@D); \
		$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<; \
		touch $@; \
	else $(call missing,$*,$(PYTHON) has no venv (apt-get install python3-venv)); fi

# axe-core judges the pages' accessibility. ministack's Python fetches it.
$(TOOLS)/axe/axe.min.js: infra/tools/axe-requirements.txt $(TOOLS)/ministack/ready
	@if [ -x $(TOOLS)/ministack/bin/pip ]; then \
		rm -rf $(@D); mkdir -p $(@D); \
		$(TOOLS)/ministack/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r $< -d $(@D); \
		$(TOOLS)/ministack/bin/python -m zipfile -e $(@D)/*.whl $(@D); \
		cp $(@D)/axe_playwright_python/axe.min.js $@; \
	else $(call missing,axe-core,ministack is missing); fi

# Biome formats and lints JavaScript and CSS; openid-client is one of the clients.
BIOME := $(TOOLS)/biome/node_modules/.bin/biome
$(TOOLS)/biome/ready: infra/tools/package-lock.json
$(TOOLS)/openid-client/ready: infra/clients/openidclient/package-lock.json
$(TOOLS)/biome/ready $(TOOLS)/openid-client/ready:
	@if command -v npm >/dev/null; then \
		rm -rf $(@D); mkdir -p $(@D); cp $(<D)/package.json $< $(@D); \
		(cd $(@D) && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null); \
		touch $@; \
	else $(call missing,$(notdir $(@D)),npm is missing (apt-get install npm)); fi

# One of the clients, as its users build it.
$(TOOLS)/bin/oauth2-proxy:
	@GOBIN=$(@D) go install github.com/oauth2-proxy/oauth2-proxy/v7@v$(OAUTH2_PROXY_VERSION)

# The slower clients. Maven gets what pom.xml names.
$(TOOLS)/spring/application.jar: infra/clients/spring/pom.xml infra/clients/spring/src/main/java/application/Application.java
	@if command -v mvn >/dev/null; then \
		rm -rf $(@D); cp -R $(<D) $(@D); \
		mvn -q -B -f $(@D)/pom.xml package && mv $(@D)/target/application.jar $@; \
	else $(call missing,Spring Boot,Maven is missing (apt-get install maven)); fi

# Built once for a database in memory, as its manual wants it before a start.
$(TOOLS)/keycloak/ready:
	@if command -v mvn >/dev/null; then \
		rm -rf $(@D); mkdir -p $(@D); \
		mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy \
			-Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):zip -DoutputDirectory=$(@D); \
		(cd $(@D) && $(PYTHON) -m zipfile -e *.zip . && rm *.zip && mv keycloak-$(KEYCLOAK_VERSION)/* . && rmdir keycloak-$(KEYCLOAK_VERSION) && chmod +x bin/*.sh); \
		$(@D)/bin/kc.sh build --db=dev-mem >$(@D)/build.log 2>&1 || { cat $(@D)/build.log; exit 1; }; \
		touch $@; \
	else $(call missing,Keycloak,Maven is missing (apt-get install maven)); fi

# Called by `sam build` with ARTIFACTS_DIR: build-<logical id of the function>.
build-%Function:
	$(GO_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" "./functions/$(shell echo $* | tr A-Z a-z)/lambda"
# The callback is served by a published version, and SAM publishes one for other bytes,
# but not for a changed parameter. So its package says when it was built: every build
# that is deployed is a version.
	@if [ $* = Callback ]; then date -u +%Y-%m-%dT%H:%M:%S.%NZ >"$(ARTIFACTS_DIR)/built"; fi
