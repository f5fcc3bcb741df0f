// The rules that the emulated driver holds its callers to, each broken once, in a
// process of its own: prints what broken rules were answered with, and exits with 1
// where that is not what is expected.
#include <cuda.h>

#include <functional>
#include <map>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

static CUcontext context;
static CUstream stream, other; // the other waits for nobody
static CUmodule module;
static CUfunction spin, activate;
static CUdeviceptr a, b; // of 4 KiB, with ones and twos
static unsigned char *pinned;
static CUgraph graph;
static CUgraphExec exec;
constexpr size_t bytes = 4096;

#define MUST(call)                                                   \
	if (CUresult r = (call)) {                                       \
		fprintf(stderr, "line %d: %s: %d\n", __LINE__, #call, int(r)); \
		_exit(2);                                                    \
	}

static CUfunction find(const char *name) {
	static CUmodule all[64];
	CUfunction f;
	for (uint64_t i = 0; i < 64; i++) { // as many images as there may be kernels in other modules
		uint64_t image[3] = {0xba55ed50, 8, i};
		if (i < 8 && !all[i]) MUST(cuModuleLoadData(&all[i], image));
	}
	for (CUmodule m : all)
		if (m && cuModuleGetFunction(&f, m, name) == CUDA_SUCCESS) {
			module = m;
			return f;
		}
	_exit(2);
}

static void begin() {
	MUST(cuInit(0));
	MUST(cuDevicePrimaryCtxRetain(&context, 0));
	MUST(cuCtxSetCurrent(context));
	MUST(cuStreamCreate(&stream, CU_STREAM_DEFAULT));
	MUST(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
	activate = find("activate");
	spin = find("spin");
	MUST(cuFuncLoad(activate));
	MUST(cuMemAlloc(&a, bytes));
	MUST(cuMemAlloc(&b, bytes));
	MUST(cuMemsetD8Async(a, 1, bytes, stream));
	MUST(cuMemsetD8Async(b, 2, bytes, stream));
	MUST(cuStreamSynchronize(stream));
	MUST(cuMemHostAlloc((void **)&pinned, bytes, 0));
	memset(pinned, 3, bytes);
}

static CUresult launch(CUfunction f, void *params, size_t size, unsigned grid = 1, unsigned threads = 32, unsigned shared = 0) {
	void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, params, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
	return cuLaunchKernel(f, grid, 1, 1, threads, 1, 1, shared, stream, NULL, extra);
}
static CUresult launch_spin(unsigned grid = 1, unsigned threads = 32, unsigned shared = 0, size_t size = 8) {
	int64_t cycles = 1;
	return launch(spin, &cycles, size, grid, threads, shared);
}
static CUresult launch_activate(CUdeviceptr y, CUdeviceptr x, int64_t elements) {
	struct { CUdeviceptr y, x; int64_t len; int act; } p = {y, x, elements, 0};
	return launch(activate, &p, sizeof p, 4, 256);
}

static void capture() { MUST(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)); }
static CUresult end() { return cuStreamEndCapture(stream, &graph); }
static void record() {
	capture();
	MUST(cuMemsetD8Async(a, 5, bytes, stream));
	MUST(end());
	MUST(cuGraphInstantiateWithFlags(&exec, graph, 0));
}

static CUevent event(unsigned flags = 0) {
	CUevent e;
	MUST(cuEventCreate(&e, flags));
	return e;
}

static CUresult elsewhere(std::function<CUresult()> f) { // on a thread of its own
	std::pair<std::function<CUresult()>, CUresult> both(f, CUDA_SUCCESS);
	pthread_t t;
	pthread_create(&t, NULL, [](void *p) -> void * {
		auto both = static_cast<std::pair<std::function<CUresult()>, CUresult> *>(p);
		both->second = both->first();
		return NULL;
	}, &both);
	pthread_join(t, NULL);
	return both.second;
}

static int first(CUdeviceptr p) { // byte there
	unsigned char got;
	MUST(cuMemcpyDtoH(&got, p, 1));
	return got;
}

struct Rule {
	const char *name;
	int answer; // or the byte that is found
	std::function<int()> broken;
};

static const std::vector<Rule> rules = {
	{"a thread without a context", 201, [] { return elsewhere([] { CUdeviceptr p; return cuMemAlloc(&p, 1); }); }},
	{"a launch on a thread without a context", 201, [] { return elsewhere([] { return launch_spin(); }); }},
	{"a stream destroyed on a thread without a context", 201, [] { return elsewhere([] { return cuStreamDestroy(stream); }); }},
	{"a context that was given back", 709, [] { CUdeviceptr p; cuDevicePrimaryCtxRelease(0); return cuMemAlloc(&p, 1); }},
	{"a context given back with memory left", 1, [] { return cuDevicePrimaryCtxRelease(0); }},
	{"a context given back twice", 201, [] { cuDevicePrimaryCtxRelease(0); return cuDevicePrimaryCtxRelease(0); }},
	{"no such device", 101, [] { CUdevice d; return cuDeviceGet(&d, 1); }},

	{"no memory", 2, [] { CUdeviceptr p; return cuMemAlloc(&p, size_t(2) << 30); }},
	{"memory of no bytes", 1, [] { CUdeviceptr p; return cuMemAlloc(&p, 0); }},
	{"memory freed twice", 1, [] { MUST(cuMemFree(a)); return cuMemFree(a); }},
	{"memory freed in its middle", 1, [] { return cuMemFree(a + 256); }},
	{"pinned memory freed twice", 1, [] { MUST(cuMemFreeHost(pinned)); return cuMemFreeHost(pinned); }},
	{"a copy to freed memory", 1, [] { MUST(cuMemFree(a)); return cuMemcpyHtoD(a, pinned, 1); }},
	{"a copy over the end", 1, [] { return cuMemcpyHtoD(a + 1, pinned, bytes); }},
	{"a copy from over the end", 1, [] { return cuMemcpyDtoH(pinned, a + 1, bytes); }},
	{"a copy within the device over the end", 1, [] { return cuMemcpyDtoDAsync(a, b + 1, bytes, stream); }},
	{"a fill of nothing", 1, [] { return cuMemsetD8Async(a, 0, 0, stream); }},
	{"a copy of nothing", 1, [] { return cuMemcpyDtoH(pinned, a, 0); }},
	{"a fill over the end", 1, [] { return cuMemsetD8Async(a, 0, bytes + 1, stream); }},
	{"an asynchronous copy of pageable memory", 1, [] { char c = 0; return cuMemcpyHtoDAsync(a, &c, 1, stream); }},
	{"an asynchronous copy over pinned memory's end", 1, [] { return cuMemcpyHtoDAsync(a, pinned + 1, bytes, stream); }},
	{"an asynchronous copy of pinned memory that was freed", 1, [] { MUST(cuMemFreeHost(pinned)); return cuMemcpyHtoDAsync(a, pinned, bytes, stream); }},
	{"pinned memory freed before its copy", 1, [] { MUST(cuMemcpyHtoDAsync(a, pinned, bytes, other)); return cuMemFreeHost(pinned); }},

	{"a kernel that reads freed memory", 700, [] { MUST(cuMemFree(b)); MUST(launch_activate(a, b, 16)); return cuStreamSynchronize(stream); }},
	{"a kernel that writes over the end", 700, [] { MUST(launch_activate(a, a, bytes / 4 + 1024)); return cuStreamSynchronize(stream); }},
	{"a kernel that reads no address", 700, [] { MUST(launch_activate(a, 0, 1)); return cuStreamSynchronize(stream); }},
	{"whatever comes after a kernel that failed", 700, [] { MUST(launch_activate(a, 0, 1)); cuStreamSynchronize(stream); return cuMemcpyHtoD(a, pinned, 1); }},
	{"threads that are not the kernel's", 1, [] { return launch_spin(1, 64); }},
	{"no blocks", 1, [] { return launch_spin(0); }},
	{"more blocks than a grid has", 1, [] { return launch_spin(0x80000000); }},
	{"shared memory that was not asked for", 1, [] { return launch_spin(1, 32, 48 << 10); }}, // which leaves none that is static
	{"shared memory of a graph that was taken back", 1, [] {
		MUST(launch_spin());
		MUST(cuFuncSetAttribute(spin, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 64 << 10));
		capture();
		MUST(launch_spin(1, 32, 64 << 10));
		MUST(end());
		MUST(cuFuncSetAttribute(spin, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 50 << 10));
		return cuGraphInstantiateWithFlags(&exec, graph, 0);
	}},
	{"more shared memory than there is", 1, [] { return cuFuncSetAttribute(spin, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (227 << 10) + 1); }},
	{"parameters of another size", 1, [] { return launch_spin(1, 32, 0, 4); }},
	{"a kernel that there is not", 500, [] { CUfunction f; return cuModuleGetFunction(&f, module, "no such"); }},
	{"no fatbin", 200, [] { CUmodule m; uint64_t image[2] = {}; return cuModuleLoadData(&m, image); }},
	{"a module unloaded twice", 400, [] { MUST(cuModuleUnload(module)); return cuModuleUnload(module); }},
	{"a module unloaded with its kernel on its way", 1, [] { MUST(launch_spin()); return cuModuleUnload(module); }},
	{"a kernel of an unloaded module", 400, [] { MUST(cuModuleUnload(module)); return launch_spin(); }},
	{"a graph with a kernel of an unloaded module", 400, [] {
		MUST(launch_spin());
		MUST(cuStreamSynchronize(stream));
		capture();
		MUST(launch_spin());
		MUST(end());
		MUST(cuGraphInstantiateWithFlags(&exec, graph, 0));
		MUST(cuModuleUnload(module));
		return cuGraphLaunch(exec, stream);
	}},

	{"a stream that was destroyed", 400, [] { MUST(cuStreamDestroy(stream)); return cuMemsetD8Async(a, 0, 1, stream); }},
	{"a stream destroyed twice", 400, [] { MUST(cuStreamDestroy(stream)); return cuStreamDestroy(stream); }},
	{"an event destroyed twice", 400, [] { CUevent e = event(); MUST(cuEventDestroy(e)); return cuEventDestroy(e); }},
	{"an event that was destroyed", 400, [] { CUevent e = event(); MUST(cuEventDestroy(e)); return cuEventRecord(e, stream); }},
	{"a wait for an event that was destroyed", 400, [] { CUevent e = event(); MUST(cuEventDestroy(e)); return cuStreamWaitEvent(stream, e, 0); }},
	{"the time of an event that was not recorded", 400, [] { float ms; CUevent e = event(), f = event(); MUST(cuEventRecord(e, stream)); return cuEventElapsedTime(&ms, e, f); }},
	{"the time of events without time", 400, [] { float ms; CUevent e = event(CU_EVENT_DISABLE_TIMING); MUST(cuEventRecord(e, stream)); MUST(cuEventSynchronize(e)); return cuEventElapsedTime(&ms, e, e); }},
	{"the time of an event that is to come", 600, [] { float ms; CUevent e = event(); MUST(cuEventRecord(e, stream)); return cuEventElapsedTime(&ms, e, e); }},
	{"a graph destroyed twice", 400, [] { record(); MUST(cuGraphDestroy(graph)); return cuGraphDestroy(graph); }},
	{"a graph instantiated when destroyed", 400, [] { record(); MUST(cuGraphDestroy(graph)); return cuGraphInstantiateWithFlags(&exec, graph, 0); }},
	{"an executable graph destroyed twice", 400, [] { record(); MUST(cuGraphExecDestroy(exec)); return cuGraphExecDestroy(exec); }},
	{"an executable graph launched when destroyed", 400, [] { record(); MUST(cuGraphExecDestroy(exec)); return cuGraphLaunch(exec, stream); }},

	{"a capture of the legacy stream", 900, [] { return cuStreamBeginCapture(NULL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }},
	{"a capture in a capture", 401, [] { capture(); return cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }},
	{"the end of no capture", 401, [] { return end(); }},
	{"a capture ended by another thread", 908, [] { capture(); return elsewhere([] { MUST(cuCtxSetCurrent(context)); return end(); }); }},
	{"memory in a capture", 900, [] { capture(); CUdeviceptr p; return cuMemAlloc(&p, 1); }},
	{"memory freed in a capture", 900, [] { capture(); return cuMemFree(a); }},
	{"pinned memory in a capture", 900, [] { capture(); void *p; return cuMemHostAlloc(&p, 1, 0); }},
	{"a module loaded in a capture", 900, [] { capture(); CUmodule m; uint64_t image[2] = {0xba55ed50, 0}; return cuModuleLoadData(&m, image); }},
	{"a kernel's first use in a capture", 900, [] { capture(); return launch_spin(); }},
	{"a stream waited for in its capture", 900, [] { capture(); return cuStreamSynchronize(stream); }},
	{"an event waited for in a capture", 900, [] { CUevent e = event(); MUST(cuEventRecord(e, other)); capture(); return cuEventSynchronize(e); }},
	{"a copy of the legacy stream in a capture", 906, [] { capture(); return cuMemcpyHtoD(a, pinned, 1); }},
	{"a copy of the legacy stream by another thread", 906, [] { capture(); return elsewhere([] { MUST(cuCtxSetCurrent(context)); return cuMemcpyHtoD(a, pinned, 1); }); }},
	{"pageable memory in a capture", 1, [] { capture(); char c = 0; return cuMemcpyHtoDAsync(a, &c, 1, stream); }},
	{"a capture in which that was tried", 901, [] { capture(); CUdeviceptr p; cuMemAlloc(&p, 1); return end(); }},
	{"more of a capture in which that was tried", 901, [] { capture(); CUdeviceptr p; cuMemAlloc(&p, 1); return launch_activate(a, b, 1); }},
	{"memory in another thread's capture, which is allowed", 0, [] { capture(); return elsewhere([] { MUST(cuCtxSetCurrent(context)); CUdeviceptr p; return cuMemAlloc(&p, 1); }); }},
	{"a capture runs nothing", 1, [] { record(); return first(a); }},
	{"a graph that runs", 5, [] { record(); MUST(cuGraphLaunch(exec, stream)); return first(a); }},

	// What is found is what an impatient host, or stream, finds.
	{"a pinned buffer that changes before its copy", 9, [] { MUST(cuMemcpyHtoDAsync(a, pinned, bytes, stream)); memset(pinned, 9, bytes); return first(a); }},
	{"a pinned buffer that changes after its copy", 3, [] { MUST(cuMemcpyHtoDAsync(a, pinned, bytes, stream)); MUST(cuStreamSynchronize(stream)); memset(pinned, 9, bytes); return first(a); }},
	{"a copy beside the stream that reads it", 1, [] { MUST(cuMemcpyHtoDAsync(a, pinned, bytes, other)); MUST(cuMemcpyDtoDAsync(b, a, bytes, stream)); return first(b); }},
	{"a copy before the stream that waits for it", 3, [] {
		CUevent e = event(CU_EVENT_DISABLE_TIMING);
		MUST(cuMemcpyHtoDAsync(a, pinned, bytes, other));
		MUST(cuEventRecord(e, other));
		MUST(cuStreamWaitEvent(stream, e, 0));
		MUST(cuMemcpyDtoDAsync(b, a, bytes, stream));
		return first(b);
	}},
	{"a wait for an event that was recorded too early", 1, [] {
		CUevent e = event(CU_EVENT_DISABLE_TIMING);
		MUST(cuEventRecord(e, other));
		MUST(cuMemcpyHtoDAsync(a, pinned, bytes, other));
		MUST(cuStreamWaitEvent(stream, e, 0));
		MUST(cuMemcpyDtoDAsync(b, a, bytes, stream));
		return first(b);
	}},
	{"a host that reads beside a stream that does not block", 1, [] { MUST(cuMemcpyHtoDAsync(a, pinned, bytes, other)); return first(a); }},
	{"an eager copy over what is still read", 3, [] { // streams 2 and 3, of which the second is eager
		setenv("EMULATED_EAGER", "8", 1);
		CUstream lazy, eager;
		MUST(cuStreamCreate(&lazy, CU_STREAM_NON_BLOCKING));
		MUST(cuStreamCreate(&eager, CU_STREAM_NON_BLOCKING));
		MUST(cuMemcpyDtoDAsync(b, a, bytes, lazy));
		MUST(cuMemcpyHtoDAsync(a, pinned, bytes, eager));
		MUST(cuStreamSynchronize(lazy));
		return first(b);
	}},
};

int main() {
	int wrong = 0;
	for (const Rule &r : rules) {
		fflush(stdout);
		pid_t child = fork();
		if (!child) {
			begin();
			int answer = r.broken();
			printf("%s: %d\n", r.name, answer);
			fflush(stdout);
			_exit(answer == r.answer ? 0 : 1);
		}
		int status;
		waitpid(child, &status, 0);
		if (status) {
			printf("%s: is not %d\n", r.name, r.answer);
			wrong++;
		}
	}
	printf("%zu rules, %d wrong\n", rules.size(), wrong);
	return wrong != 0;
}
