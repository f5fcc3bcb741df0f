// Modules, their functions, and launches.
#include "emulated.h"

#include <algorithm>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

Handles<CUmodule, Module> modules;
Handles<CUfunction, Function> functions;

static std::vector<std::string> images; // that were loaded, each once

// What is static of a kernel's shared memory counts, too: the emulation knows only that it is 5 KiB at most.
constexpr int shared_by_default = (48 - 5) << 10, shared_by_request = 227 << 10;

static thread_local volatile bool faulted, in_launch;
static struct sigaction before;

// A kernel that reads or writes what was never allocated, or was freed, ends there.
static void fault(int number, siginfo_t *info, void *context) {
	if (in_launch) {
		faulted = true;
		emu::fail("reads or writes memory that is not there");
	}
	if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(number, info, context);
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(number);
	sigaction(number, &before, nullptr); // and happens again
}

CUresult run(const emu_kernel *kernel, const std::string &params, const int grid[3], int threads, size_t shared) {
	static bool installed;
	if (!installed) { // once: behind those of the program, whose faults are its own
		struct sigaction ours = {};
		ours.sa_sigaction = fault;
		ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
		installed = !sigaction(SIGSEGV, &ours, &before);
	}
	static int runs;
	if (++runs == said("EMULATED_FAULT", 0)) return CUDA_ERROR_ILLEGAL_ADDRESS;
	faulted = false, in_launch = true;
	const char *failure = emu_launch(kernel, params.data(), grid, threads, shared, EMU_SHUFFLED);
	in_launch = false;
	if (!failure) return CUDA_SUCCESS;
	fprintf(stderr, "emulated driver: %s: %s\n", kernel->name, failure);
	return faulted ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_ERROR_LAUNCH_FAILED;
}

extern "C" {

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
	ENTER_UNSAFE;
	if (*static_cast<const unsigned *>(image) != 0xba55ed50) return CUDA_ERROR_INVALID_IMAGE; // of a fatbin
	std::string whole(static_cast<const char *>(image), 16 + static_cast<const uint64_t *>(image)[1]);
	size_t i = std::find(images.begin(), images.end(), whole) - images.begin();
	if (i == images.size()) images.push_back(whole);
	*module = modules.make({current, i});
	return CUDA_SUCCESS;
}

// Stricter than the driver: nothing of it may be on its way.
CUresult cuModuleUnload(CUmodule module) {
	ENTER_UNSAFE;
	if (!modules.find(module)) return CUDA_ERROR_INVALID_HANDLE;
	for (auto &s : streams.live)
		for (auto &op : s.second.queue)
			if (op->work.function && functions.live.at(op->work.function).module == module) return CUDA_ERROR_INVALID_VALUE;
	for (auto f = functions.live.begin(); f != functions.live.end();) f = f->second.module == module ? functions.live.erase(f) : std::next(f);
	modules.live.erase(module);
	return CUDA_SUCCESS;
}

// A kernel is in one of the modules; here its name says in which.
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
	ENTER_CONTEXT;
	Module *m = modules.find(module);
	if (!m) return CUDA_ERROR_INVALID_HANDLE;
	const emu_kernel *k = emu_find(name);
	if (!k || std::hash<std::string>()(name) % images.size() != m->image) return CUDA_ERROR_NOT_FOUND;
	*function = functions.make({current, module, k, false, shared_by_default});
	return CUDA_SUCCESS;
}

CUresult cuFuncLoad(CUfunction function) {
	ENTER_UNSAFE;
	Function *f = functions.find(function);
	if (!f) return CUDA_ERROR_INVALID_HANDLE;
	f->loaded = true;
	return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
	ENTER_CONTEXT;
	Function *f = functions.find(function);
	if (!f) return CUDA_ERROR_INVALID_HANDLE;
	if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 || value > shared_by_request) return CUDA_ERROR_INVALID_VALUE;
	f->shared_most = value;
	return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream stream, void **params, void **extra) {
	ENTER_CONTEXT;
	Function *f = functions.find(function);
	if (!f) return CUDA_ERROR_INVALID_HANDLE;
	if (!gx || !gy || !gz || gx > 0x7fffffff || gy > 65535 || gz > 65535) return CUDA_ERROR_INVALID_VALUE;
	if (by != 1 || bz != 1 || int(bx) != f->kernel->threads) return CUDA_ERROR_INVALID_VALUE; // stricter: as its bounds say
	if (int(shared) > f->shared_most) return CUDA_ERROR_INVALID_VALUE;
	if (params || !extra || extra[0] != CU_LAUNCH_PARAM_BUFFER_POINTER || extra[2] != CU_LAUNCH_PARAM_BUFFER_SIZE || extra[4] != CU_LAUNCH_PARAM_END) return CUDA_ERROR_INVALID_VALUE;
	if (*static_cast<size_t *>(extra[3]) != emu_params(f->kernel)) return CUDA_ERROR_INVALID_VALUE;
	if (!f->loaded) { // where functions load when they are first used, this is that
		if (CUresult r = unsafe()) return r;
		f->loaded = true;
	}
	const emu_kernel *k = f->kernel;
	std::string block(static_cast<char *>(extra[1]), emu_params(k));
	return put(stream, {[=] {
		const int grid[] = {int(gx), int(gy), int(gz)};
		return run(k, block, grid, int(bx), shared);
	}, nullptr, 0, function, int(shared)});
}
}
