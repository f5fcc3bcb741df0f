# Everything a newcomer needs; `make help` lists it.
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0
# For all of it, tests too: a package of other flags is another package to the build cache.
export GOFLAGS := $(filter-out -trimpath,$(shell go env GOFLAGS 2>/dev/null)) -trimpath

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 17

.PHONY: build
build: ## bin/mdp, pure Go, static
	go build -o bin/mdp ./cmd/mdp

.PHONY: demo
demo: build ## prune a network for Fashion-MNIST: three minutes, then a page
	scripts/demo

# Built first: several at once would compile the same packages, each for itself. test-emu's kernels are test-cuda-build's, too.
.PHONY: test
test: build ## all that can be tested without a GPU
	@$(MAKE) --no-print-directory -j3 test-cuda-build test-go test-emu test-check test-asan

.PHONY: test-go
test-go: ## of that, what needs Go alone; go vet, too
	go test -vet=all ./...

# What needs g++ or nvcc is left out where they cannot be had, and says so.
.PHONY: cuda
cuda: ## bin/mdp-cuda with kernels for NVIDIA GPUs; runs without one
	kernels/compile
	eval "$$(scripts/cuda-toolchain)" && go build -tags cuda -o bin/mdp-cuda ./cmd/mdp

.PHONY: test-emu
test-emu: ## every kernel and what launches it, emulated here (g++)
	@command -v g++ >/dev/null || { echo "$@ is left out: g++ is not installed"; exit 0; }; \
	set -x; export CGO_ENABLED=1 CGO_CXXFLAGS=-O2; go test -vet=all -tags emu ./kernels ./engine/cuda/... ./engine/device && go test -vet=all -tags emu -run Device ./prune

# Kernels of tf32 and fp16 read and write where those of fp32 and bf16 do; what -run leaves out, -DNO_ does (kernels/wgmma.cuh).
# Their memory is C's: -asan, which compiles all of Go again, would find no more; CGO_LDFLAGS, in place of -ldflags, compiles net
# and what needs it again. test-emu vets what is tested here.
.PHONY: test-asan
test-asan: ## what kernels read and write, under AddressSanitizer (g++)
	@command -v g++ >/dev/null || { echo "$@ is left out: g++ is not installed"; exit 0; }; \
	set -x; CGO_ENABLED=1 CGO_CXXFLAGS='-O1 -g1 -fsanitize=address -fsanitize-sections=emu_shared -DNO_TF32_FP16' ASAN_OPTIONS=detect_leaks=0 \
	go test -vet=off -tags emu -ldflags=-extldflags=-fsanitize=address -run 'TestConformance/shuffled|TestMasked/(fp32|bf16)|TestPrecision/.*(fp32|bf16)' ./engine/cuda

# Every access of a kernel is looked at (kernels/check.cpp), and its integer arithmetic. Those of float32
# differ in types alone; without -run and -DNO_ they are looked at, too.
.PHONY: test-check
test-check: ## their races, unset memory, alignment, overflows (g++)
	@command -v g++ >/dev/null || { echo "$@ is left out: g++ is not installed"; exit 0; }; \
	set -x; CGO_ENABLED=1 CGO_CXXFLAGS='-O1 -fsanitize=thread,alignment,bounds,shift,signed-integer-overflow,float-cast-overflow --param=tsan-instrument-func-entry-exit=0 -DNO_TF32_FP16 -DNO_FLOAT' go test -vet=off -tags emu -run 'TestConformance/in_bf16|TestPrecision/.*in_bf16_(large|warpgroup|warpgroup_half)$$' ./engine/cuda

.PHONY: test-cuda-build
test-cuda-build: ## their build for a GPU, run from PTX; bin/mdp-cuda (nvcc)
	@toolchain=$$(scripts/cuda-toolchain) || { [ $$? = 3 ] && echo "$@ is left out: see above" && exit 0; exit 1; }; \
	eval "$$toolchain"; set -ex; $(MAKE) --no-print-directory cuda; \
	go test -vet=all -tags cuda ./kernels ./engine/cuda/... ./engine/device; go test -vet=all -tags cuda -run GPU ./prune ./cmd/mdp; bin/mdp-cuda doctor

.PHONY: test-onnx
test-onnx: ## ONNX's tests, others' models; counts: bench/results/onnx.md
	scripts/test-onnx

.PHONY: test-slurm
test-slurm: ## a sweep as a job array on Debian's Slurm, here (root)
	scripts/test-slurm

.PHONY: gpu-bundle
gpu-bundle: ## bin/gpu-bundle: gpu-check proves the kernels without Go
	scripts/gpu-bundle

.PHONY: test-gpu-bundle
test-gpu-bundle: gpu-bundle ## gpu-check and gpu-bench themselves, on an emulated driver
	rm -rf bin/gpu-check-emulated bin/gpu-bench-emulated; mkdir -p bin/emulated
	eval "$$(scripts/cuda-toolchain)" && g++ -shared -fPIC -std=c++17 -O2 -Wno-unknown-pragmas -Ikernels $$CGO_CFLAGS -o bin/emulated/libcuda.so.1 \
		engine/cuda/driver/cu/testdata/libcuda/*.cpp kernels/*.cpp
	TMPDIR=$(CURDIR)/bin/emulated LD_LIBRARY_PATH=$(CURDIR)/bin/emulated bin/gpu-bundle/gpu-check --short bin/gpu-check-emulated
	TMPDIR=$(CURDIR)/bin/emulated LD_LIBRARY_PATH=$(CURDIR)/bin/emulated bin/gpu-bundle/gpu-bench --short bin/gpu-bench-emulated

.PHONY: modelled-gpu
modelled-gpu: ## bin/modelled, a driver whose GPU is a model: no figure is real
	mkdir -p bin/modelled
	g++ -shared -fPIC -std=c++17 -O2 -Wall -o bin/modelled/libcuda.so.1 engine/cuda/driver/cu/testdata/modelled/libcuda.cpp
	@echo 'now LD_LIBRARY_PATH=bin/modelled bin/mdp-cuda bench --device cuda:0 --model resnet50 --step 32 --batch 256 --precision bf16'

.PHONY: bench
bench: ## speed and memory into bin/bench.txt, and their table
	scripts/bench

.PHONY: bench-solve
bench-solve: ## the solver's speed and memory: bench/results/solve.txt
	go run ./prune/solve/internal/benchsolve bench/results/solve.txt

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 10s)
	scripts/fuzz $(or $(FUZZTIME),10s)

.PHONY: generate
generate: ## write the assembly again from its generators
	go generate ./...
