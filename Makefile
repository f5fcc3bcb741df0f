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
demo: build ## the whole flow on Fashion-MNIST in three minutes; ends with a table and runs/demo/report.html
	scripts/demo

.PHONY: test
test: ## everything that can be tested without a GPU
	go vet ./...
	go test ./...
	@$(MAKE) --no-print-directory -j2 test-emu test-asan test-check test-cuda-build

# What needs g++ or nvcc is left out where they cannot be had, and says so.
.PHONY: cuda
cuda: ## bin/mdp-cuda, with the kernels for NVIDIA GPUs; it runs without one, too
	kernels/compile
	eval "$$(scripts/cuda-toolchain)" && go build -trimpath -tags cuda -o bin/mdp-cuda ./cmd/mdp

.PHONY: test-emu
test-emu: ## every kernel and the code that launches it, on this machine's processor (g++)
	@command -v g++ >/dev/null || { echo "$@ is left out: g++ is not installed"; exit 0; }; \
	set -x; CGO_ENABLED=1 go vet -tags emu ./kernels ./engine/cuda/... ./engine/device ./prune && \
	CGO_ENABLED=1 go test -tags emu ./kernels ./engine/cuda/... && CGO_ENABLED=1 go test -tags emu -run Device ./prune

# Kernels of tf32 and fp16 read and write where those of fp32 and bf16 do.
.PHONY: test-asan
test-asan: ## the kernels' reads and writes, under AddressSanitizer (g++)
	@command -v g++ >/dev/null || { echo "$@ is left out: g++ is not installed"; exit 0; }; \
	set -x; CGO_ENABLED=1 CGO_CXXFLAGS='-O1 -g -fsanitize-sections=emu_shared' ASAN_OPTIONS=detect_leaks=0 go test -asan -tags emu -run 'TestConformance/shuffled|TestMasked/(fp32|bf16)|TestPrecision/.*(fp32|bf16)' ./engine/cuda

# Every access of a kernel is looked at (kernels/check.cpp), and its integer arithmetic.
.PHONY: test-check
test-check: ## the kernels under checks for races, memory that holds nothing, alignment and overflow (g++)
	@command -v g++ >/dev/null || { echo "$@ is left out: g++ is not installed"; exit 0; }; \
	set -x; CGO_ENABLED=1 CGO_CXXFLAGS='-O1 -fsanitize=thread,alignment,bounds,shift,signed-integer-overflow,float-cast-overflow --param=tsan-instrument-func-entry-exit=0' go test -tags emu -run 'TestConformance/shuffled' ./engine/cuda

.PHONY: test-cuda-build
test-cuda-build: ## the kernels for a GPU and bin/mdp-cuda, as far as they can be tested without one (g++, nvcc)
	@toolchain=$$(scripts/cuda-toolchain) || { [ $$? = 3 ] && echo "$@ is left out: see above" && exit 0; exit 1; }; \
	eval "$$toolchain"; set -ex; $(MAKE) --no-print-directory cuda; \
	go vet -tags cuda ./kernels ./engine/cuda/... ./engine/device ./prune ./cmd/mdp; go test -tags cuda ./kernels ./engine/cuda/...; go test -tags cuda -run GPU ./cmd/mdp; bin/mdp-cuda doctor

.PHONY: test-onnx
test-onnx: ## ONNX's own backend tests and other people's models, against ONNX Runtime (fetched from PyPI); the counts into bench/results/onnx.md
	scripts/test-onnx

.PHONY: gpu-bundle
gpu-bundle: ## bin/gpu-bundle, whose gpu-check proves the kernels on a machine with a GPU and without Go
	scripts/gpu-bundle

.PHONY: test-gpu-bundle
test-gpu-bundle: gpu-bundle ## gpu-check and gpu-bench themselves, on a driver that is emulated
	mkdir -p bin/emulated
	g++ -shared -fPIC -std=c++17 -O2 -Wno-unknown-pragmas -Ikernels -o bin/emulated/libcuda.so.1 \
		engine/cuda/driver/cu/testdata/libcuda.cpp kernels/emu.cpp kernels/wgmma.cpp kernels/host.cpp
	LD_LIBRARY_PATH=$(CURDIR)/bin/emulated bin/gpu-bundle/gpu-check --short bin/gpu-check-emulated
	LD_LIBRARY_PATH=$(CURDIR)/bin/emulated bin/gpu-bundle/gpu-bench --short bin/gpu-bench-emulated

.PHONY: modelled-gpu
modelled-gpu: ## bin/modelled, a driver whose GPU is a model: mdp-cuda bench at full scale where there is none; no figure of it is a GPU's
	mkdir -p bin/modelled
	g++ -shared -fPIC -std=c++17 -O2 -Wall -o bin/modelled/libcuda.so.1 engine/cuda/driver/cu/testdata/modelled/libcuda.cpp
	@echo 'now LD_LIBRARY_PATH=bin/modelled bin/mdp-cuda bench --device cuda:0 --model resnet50 --step 32 --batch 256 --precision bf16'

.PHONY: bench
bench: ## speed and memory: raw lines for benchstat in bin/bench.txt, and their table
	scripts/bench

.PHONY: bench-solve
bench-solve: ## the exact solver's speed and memory beside its bounds; the raw figures into bench/results/solve.txt
	go run ./prune/solve/internal/benchsolve bench/results/solve.txt

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
