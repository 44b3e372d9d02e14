# lishi 历史. `make help` lists the chores; `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
GO ?= go
export CGO_ENABLED = 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
RUN_FLAGS ?=
RUNS ?= 100
SEED ?= 1
TORTURE_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help build run test test-kafka torture race bench lint web clean tools engine docs

help: ## list the chores
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools:
	@scripts/check-tools go npm

engine: tools
	@scripts/fetch-engine >/dev/null

build: tools ## build bin/lishi
	@$(GO) build -trimpath -ldflags "-X lishi/infra/app.Version=$(VERSION)" -o bin/lishi .

run: engine build ## everything on this machine, with a page to chat on (RUN_FLAGS="--listen 127.0.0.1:9090")
	@exec bin/lishi serve --demo $(RUN_FLAGS)

test: engine ## all tests: Go, the page's, the whole program in a real browser
	@scripts/test

test-kafka: engine ## the log and the program on a real Apache Kafka of one and three brokers (needs Java and Maven)
	@scripts/check-tools java mvn
	@$(GO) vet -tags kafka ./infra/kafka/... ./infra/app/system ./infra/torture
	@$(GO) test -tags kafka -count 1 -p 1 -timeout 30m -run Kafka ./infra/kafka/... ./infra/app/system ./infra/torture

torture: engine ## clients against nodes and brokers that are killed, paused and cut off, their histories checked (docs/torture.md)
	@$(GO) build -o bin/torture ./infra/torture
	@bin/torture -runs $(RUNS) -seed $(SEED) $(TORTURE_FLAGS)

race: engine ## the Go tests under the race detector (needs a C compiler)
	@CGO_ENABLED=1 $(GO) test -race -short ./...

bench: engine build ## throughput, latency and memory of the whole program, and the Go benchmarks
	@scripts/bench/figures

lint: tools ## gofmt, go vet, staticcheck, the page's checks
	@scripts/lint

web: ## build the page (web/dist) from its source
	@scripts/check-tools npm && cd web && npm ci --no-audit --no-fund && npm run build

docs: build ## write the generated parts of docs/ anew
	@scripts/docs

clean: ## remove what was built (never data)
	rm -rf bin web/node_modules
