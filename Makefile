# Everything a newcomer needs; `make help` lists it.
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

.PHONY: build
build: ## bin/mdp, pure Go, static
	go build -trimpath -o bin/mdp ./cmd/mdp

.PHONY: demo
demo: build ## the whole flow on Fashion-MNIST in under five minutes; ends with a table and runs/demo/report.html
	scripts/demo

.PHONY: test
test: ## everything that can be tested without a GPU
	go vet ./...
	go test ./...

.PHONY: bench
bench: build ## speed and memory, printed side by side
	scripts/bench

.PHONY: lint
lint: ## go vet, staticcheck and gofmt
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 10s)
	scripts/fuzz $(or $(FUZZTIME),10s)

.PHONY: generate
generate: ## write the assembly again from its generators
	go generate ./...
