# `make` lists the targets. `make test` and `make demo` do all the set-up they need
# on a fresh Debian 12 machine as root.
SHELL := /bin/bash
export PATH := /usr/local/go/bin:$(PATH)
export GOFLAGS := -buildvcs=false
TOOL := go tool -modfile=.github/tools/go.mod
FUZZTIME ?= 2m

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: build
build: ## build bin/appstack and bin/pvelab
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: test
test: setup lint test-unit test-lab ## everything: linters, unit tests with -race, tests against the lab

.PHONY: test-unit
test-unit: ## the tests that need neither root nor network, with -race
	GORACE=atexit_sleep_ms=10 go test -race -short -timeout 10m ./...

.PHONY: test-lab
test-lab: ## the tests with real containers, docker and act (root, Linux)
	go test -count 1 -timeout 40m -p 2 ./...

.PHONY: torture
torture: setup ## every crash point, fault and interleaving, and the soak (hours); UPDATE=-update writes docs/reliability.md
	APPSTACK_TORTURE=1 go test -timeout 60m -p 1 -count 1 -v ./internal/guest ./internal/pve -run 'Bounded|Crash|Killed|Fault|Boots'
	APPSTACK_TORTURE=1 go test -timeout 8h -p 1 -parallel 4 -count 1 -v ./internal/app -run 'Crash|Fault|AtOnce|Signals|Cancel|Soak|ThinPath|NodeApp|Pote|Releases|Restore|Canary|Upload|Least|Elsewhere' $(if $(UPDATE),-args $(UPDATE))

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, actionlint, shellcheck
	@test -z "$$(gofmt -l bench cmd internal templates)" || { gofmt -d bench cmd internal templates; exit 1; }
	go vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) actionlint -shellcheck=
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run .ci/setup; else echo "lint: shellcheck is missing: skipped"; fi

.PHONY: demo
demo: ## deploy a sample app to a lab on this machine, as GitHub would
	@[ "$$(id -u)" = 0 ] || { echo "make demo needs root: it runs system containers and a Docker engine" >&2; exit 1; }
	@.ci/setup go
	@echo "demo: compiling"
	@# Debian's packages are installed meanwhile, and a template is built; what goes wrong
	@# with it, pvelab meets and tells. What is compiled here need not be compiled again
	@# for the action's image.
	@cache=$${APPSTACK_LAB_CACHE:-/var/cache/appstack-lab} && export GOCACHE=$$cache/go-build CGO_ENABLED=0 && \
	go build -trimpath -ldflags "-s -w" -o bin/ ./internal/lab/template/prebuild && \
	{ (.ci/setup demo && { bin/prebuild $$cache 2>/dev/null & }) & setup=$$!; } && \
	go build -trimpath -ldflags "-s -w" -tags small -o bin/ ./cmd/pvelab && wait $$setup
	@bin/pvelab demo $(DEMOFLAGS)

BENCH ?=
BENCHFLAGS ?=
.PHONY: bench
bench: setup ## measure against Ansible and plain scripts (root, 40 minutes); BENCH=part,… for some
	@[ "$$(id -u)" = 0 ] || { echo "make bench needs root: it runs system containers and a Docker engine" >&2; exit 1; }
	@dpkg-query -W ansible ansible-mitogen >/dev/null 2>&1 || { echo "bench: installing Ansible's collections and mitogen"; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 ansible ansible-mitogen >/dev/null; }
	go build -o bin/bench ./bench
	bin/bench -parts "$(BENCH)" $(BENCHFLAGS)

.PHONY: image
image: ## build the action's image with this machine's docker
	docker build --tag appstack-action .

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (2m)
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' internal templates | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$p/*_test.go | cut -d' ' -f2); do \
			echo "fuzz: ./$$p $$f"; go test ./$$p -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

.PHONY: generate
generate: ## rewrite generated files and golden files
	go generate ./...

.PHONY: setup
setup:
	@.ci/setup
