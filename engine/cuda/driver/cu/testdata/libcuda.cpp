// A libcuda.so.1 without a GPU: the driver's functions that this package uses, with
// the kernels' emulation behind them, so that the path to a GPU is walked where there
// is none. It is strict where the driver is: a call on a thread without the context,
// a pointer that was not allocated, a kernel that does not exist are errors.
#include "emu.h"

#include <chrono>
#include <map>
#include <mutex>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <vector>

namespace {

enum { ok = 0, invalid_value = 1, out_of_memory = 2, invalid_image = 200, invalid_context = 201, not_found = 500, launch_failed = 719 };

// What the environment says, or else.
int said(const char *name, int otherwise) {
	const char *value = getenv(name);
	return value ? atoi(value) : otherwise;
}

size_t total() { return size_t(said("EMULATED_MIB", 1 << 10)) << 20; }
size_t taken() { return size_t(said("EMULATED_MIB_TAKEN", 0)) << 20; } // by another process
std::mutex mutex;
std::map<char *, size_t> live; // allocations
size_t used;
struct Copy {
	char *dst;
	const char *src;
	size_t bytes;
};
std::vector<Copy> late; // copies to come
std::map<const char *, size_t> pinned; // memory of the host
int primary; // what a context's handle points to
thread_local void *current;

struct Launch {
	const emu_kernel *kernel;
	int grid[3], threads;
	size_t shared;
	std::string params;

	int run() const { return emu_launch(kernel, params.data(), grid, threads, shared, EMU_SHUFFLED) ? launch_failed : ok; }
};
typedef std::vector<Launch> Graph;
std::map<const emu_kernel *, size_t> shared_most; // dynamic shared memory beyond 48 KiB, for whom it was asked
Graph *capturing; // launches go here instead of running

bool allocated(char *p, size_t bytes) {
	std::lock_guard<std::mutex> lock(mutex);
	auto after = live.upper_bound(p);
	if (after == live.begin()) return false;
	auto at = std::prev(after);
	return p + bytes <= at->first + at->second;
}

// The error that the environment asks this function for, as in cuGraphLaunch=719.
int asked(const char *function) {
	const char *failure = getenv("EMULATED_FAILURE");
	size_t n = strlen(function);
	return failure && !strncmp(failure, function, n) && failure[n] == '=' ? atoi(failure + n + 1) : ok;
}

} // namespace

#define WITH_CONTEXT \
	if (current != &primary) return invalid_context

extern "C" {

int cuInit(unsigned) { return ok; }
int cuDriverGetVersion(int *v) { *v = said("EMULATED_DRIVER_VERSION", 13000); return ok; }
int cuDeviceGetCount(int *n) { *n = said("EMULATED_DEVICES", 1); return ok; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal < said("EMULATED_DEVICES", 1) ? ok : invalid_value; }
int cuDeviceGetName(char *name, int len, int) { snprintf(name, len, "emulated driver"); return ok; }
int cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = total(); return ok; }
int cuDeviceGetAttribute(int *v, int attribute, int) { // its compute capability is 9.0 unless the environment says otherwise
	*v = attribute == 75 ? said("EMULATED_CAPABILITY_MAJOR", 9) : attribute == 38 ? 1 << 20 : 0; // 38: the second-level cache
	return ok;
}
int cuDevicePrimaryCtxRetain(void **context, int) { *context = &primary; return asked(__func__); }
int cuDevicePrimaryCtxRelease_v2(int) { return live.empty() && pinned.empty() ? ok : invalid_value; } // stricter: nothing may be left
int cuCtxSetCurrent(void *context) { current = context; return ok; }

int cuStreamCreate(void **stream, unsigned) { WITH_CONTEXT; *stream = malloc(1); return ok; }
int cuStreamDestroy_v2(void *stream) { free(stream); return ok; }
int cuStreamSynchronize(void *) { WITH_CONTEXT; return asked(__func__); }

int cuModuleLoadData(void **module, const void *image) {
	WITH_CONTEXT;
	if (*static_cast<const unsigned *>(image) != 0xba55ed50) return invalid_image; // of a fatbin
	*module = malloc(1);
	return asked(__func__);
}
int cuModuleUnload(void *module) { WITH_CONTEXT; free(module); return ok; }
int cuModuleGetFunction(const void **function, void *, const char *name) {
	WITH_CONTEXT;
	*function = emu_find(name);
	return *function ? ok : not_found;
}

int cuMemAlloc_v2(char **p, size_t bytes) {
	WITH_CONTEXT;
	std::lock_guard<std::mutex> lock(mutex);
	if (used + taken() + bytes > total()) return out_of_memory;
	*p = static_cast<char *>(aligned_alloc(256, (bytes + 255) / 256 * 256));
	memset(*p, 0xff, bytes);
	live[*p] = bytes;
	used += bytes;
	return ok;
}
int cuMemFree_v2(char *p) {
	WITH_CONTEXT;
	std::lock_guard<std::mutex> lock(mutex);
	auto at = live.find(p);
	if (at == live.end()) return invalid_value;
	used -= at->second;
	live.erase(at);
	free(p);
	return ok;
}
int cuMemGetInfo_v2(size_t *free, size_t *all) { WITH_CONTEXT; *free = total() - taken() - used; *all = total(); return ok; }

int cuMemsetD8Async(char *dst, unsigned char v, size_t bytes, void *) {
	WITH_CONTEXT;
	if (!allocated(dst, bytes)) return invalid_value;
	memset(dst, v, bytes);
	return ok;
}

// A copy on a stream of its own happens as late as it may: when another stream, or the
// host, waits for an event recorded after it. Its source is pinned.
int cuMemHostAlloc(char **p, size_t bytes, unsigned) {
	WITH_CONTEXT;
	*p = static_cast<char *>(malloc(bytes));
	if (!*p) return out_of_memory;
	pinned[*p] = bytes;
	return ok;
}
int cuMemFreeHost(char *p) {
	WITH_CONTEXT;
	if (!pinned.erase(p)) return invalid_value;
	free(p);
	return ok;
}
int cuMemcpyHtoDAsync_v2(char *dst, const char *src, size_t bytes, void *) {
	WITH_CONTEXT;
	auto after = pinned.upper_bound(src);
	if (after == pinned.begin() || src + bytes > std::prev(after)->first + std::prev(after)->second || !allocated(dst, bytes)) return invalid_value;
	late.push_back({dst, src, bytes});
	return ok;
}
int cuMemcpyDtoDAsync_v2(char *dst, char *src, size_t bytes, void *) {
	WITH_CONTEXT;
	if (!allocated(src, bytes) || !allocated(dst, bytes)) return invalid_value;
	memcpy(dst, src, bytes);
	return ok;
}
int cuStreamWaitEvent(void *, int64_t *, unsigned) {
	WITH_CONTEXT;
	for (const Copy &c : late) memcpy(c.dst, c.src, c.bytes);
	late.clear();
	return ok;
}

int cuMemcpyHtoD_v2(char *dst, const void *src, size_t bytes) {
	WITH_CONTEXT;
	if (!allocated(dst, bytes)) return invalid_value;
	memcpy(dst, src, bytes);
	return ok;
}
int cuMemcpyDtoH_v2(void *dst, char *src, size_t bytes) {
	WITH_CONTEXT;
	if (int failed = asked(__func__)) return failed;
	if (!allocated(src, bytes)) return invalid_value;
	memcpy(dst, src, bytes);
	return ok;
}

int cuFuncSetAttribute(const emu_kernel *f, int attribute, int value) {
	WITH_CONTEXT;
	if (attribute != 8 || value > 227 << 10) return invalid_value; // 8: the most dynamic shared memory
	std::lock_guard<std::mutex> lock(mutex);
	shared_most[f] = value;
	return ok;
}

int cuLaunchKernel(const emu_kernel *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *, void **params, void **extra) {
	WITH_CONTEXT;
	if (params || !extra || extra[0] != (void *)1 || extra[2] != (void *)2 || extra[4] || by != 1 || bz != 1) return invalid_value;
	if (*static_cast<size_t *>(extra[3]) != emu_params(f)) return invalid_value;
	std::lock_guard<std::mutex> lock(mutex);
	auto most = shared_most.find(f);
	if (shared > (most == shared_most.end() ? 48 << 10 : most->second)) return invalid_value;
	Launch l = {f, {int(gx), int(gy), int(gz)}, int(bx), shared, std::string(static_cast<char *>(extra[1]), emu_params(f))};
	if (int failed = asked(__func__)) return failed;
	if (!capturing) return l.run();
	capturing->push_back(l);
	return ok;
}

int cuStreamBeginCapture_v2(void *, int) {
	WITH_CONTEXT;
	if (capturing) return invalid_value;
	capturing = new Graph;
	return ok;
}
int cuStreamEndCapture(void *, Graph **graph) {
	WITH_CONTEXT;
	if (!capturing) return invalid_value;
	*graph = capturing;
	capturing = nullptr;
	return ok;
}
int cuGraphInstantiateWithFlags(Graph **exec, const Graph *graph, unsigned long long) { WITH_CONTEXT; *exec = new Graph(*graph); return ok; }
int cuGraphDestroy(Graph *graph) { WITH_CONTEXT; delete graph; return ok; }
int cuGraphExecDestroy(Graph *exec) { WITH_CONTEXT; delete exec; return ok; }
int cuGraphLaunch(const Graph *exec, void *) {
	WITH_CONTEXT;
	std::lock_guard<std::mutex> lock(mutex);
	for (const Launch &l : *exec)
		if (int failed = l.run()) return failed;
	return asked(__func__);
}

int cuEventCreate(int64_t **event, unsigned) { WITH_CONTEXT; *event = new int64_t; return ok; }
int cuEventDestroy_v2(int64_t *event) { WITH_CONTEXT; delete event; return ok; }
int cuEventRecord(int64_t *event, void *) {
	WITH_CONTEXT;
	*event = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
	return ok;
}
int cuEventSynchronize(int64_t *) { WITH_CONTEXT; return ok; }
int cuEventElapsedTime_v2(float *ms, int64_t *from, int64_t *to) { *ms = float(double(*to - *from) / 1e6); return ok; }
int cuEventElapsedTime(float *ms, int64_t *from, int64_t *to) { return cuEventElapsedTime_v2(ms, from, to); }

int cuGetErrorString(int r, const char **text) {
	static const std::map<int, const char *> texts = {
		{invalid_value, "invalid argument"}, {46, "CUDA-capable device(s) is/are busy or unavailable"},
		{222, "the provided PTX was compiled with an unsupported toolchain."}, {launch_failed, "unspecified launch failure"}};
	auto at = texts.find(r);
	*text = at == texts.end() ? "unspecified" : at->second;
	return ok;
}
}
