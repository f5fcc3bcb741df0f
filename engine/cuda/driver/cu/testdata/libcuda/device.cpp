// Devices, their contexts, and errors.
#include "emulated.h"

#include <stdio.h>
#include <stdlib.h>

std::mutex mutex;
thread_local Context *current;
static Context contexts[16];

int said(const char *name, int otherwise) {
	const char *value = getenv(name);
	return value ? atoi(value) : otherwise;
}

static std::map<std::string, int> calls;

static void write_calls() {
	const char *path = getenv("EMULATED_CALLS");
	FILE *f = path ? fopen(path, "w") : nullptr;
	if (!f) return;
	for (auto &c : calls) fprintf(f, "%s %d\n", c.first.c_str(), c.second);
	fclose(f);
}

CUresult asked(const char *function) {
	calls[function]++;
	const char *failure = getenv("EMULATED_FAILURE");
	size_t n = strlen(function);
	return CUresult(failure && !strncmp(failure, function, n) && failure[n] == '=' ? atoi(failure + n + 1) : 0);
}

CUresult in_context() {
	if (!current) return CUDA_ERROR_INVALID_CONTEXT;
	return current->retained ? current->dead : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

static bool there(int device) { return device >= 0 && device < said("EMULATED_DEVICES", 1); }

// left says what of a kind was not destroyed.
template <class H, class T> static std::string left(const Handles<H, T> &all, const Context *of, const char *kind) {
	int n = 0;
	for (auto &at : all.live) n += at.second.context == of;
	return n ? " " + std::to_string(n) + " " + kind : "";
}

extern "C" {

CUresult cuInit(unsigned) { ENTER; return CUDA_SUCCESS; }
CUresult cuDriverGetVersion(int *v) { *v = said("EMULATED_DRIVER_VERSION", 13000); return CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int *n) { *n = said("EMULATED_DEVICES", 1); return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *device, int ordinal) { *device = ordinal; return there(ordinal) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetName(char *name, int len, CUdevice) { snprintf(name, len, "emulated driver"); return CUDA_SUCCESS; }
CUresult cuDeviceTotalMem(size_t *bytes, CUdevice) { *bytes = size_t(said("EMULATED_MIB", 1 << 10)) << 20; return CUDA_SUCCESS; }

CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute attribute, CUdevice) {
	switch (attribute) {
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = said("EMULATED_CAPABILITY_MAJOR", 9); break;
	case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *v = 1 << 20; break;
	default: *v = 0;
	}
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
	ENTER;
	if (!there(device)) return CUDA_ERROR_INVALID_DEVICE;
	contexts[device].retained++;
	*context = reinterpret_cast<CUcontext>(&contexts[device]);
	return CUDA_SUCCESS;
}

// Stricter than the driver, which frees what is left: that it is left is a leak.
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
	ENTER;
	if (!there(device) || !contexts[device].retained) return CUDA_ERROR_INVALID_CONTEXT;
	const Context *c = &contexts[device];
	if (--contexts[device].retained || c->dead) return CUDA_SUCCESS;
	contexts[device].streams = 0;
	write_calls();
	std::string what = left(streams, c, "streams") + left(events, c, "events") + left(modules, c, "modules") + left(graphs, c, "graphs") + left(execs, c, "executable graphs") + memory_left();
	if (what.empty()) return CUDA_SUCCESS;
	fprintf(stderr, "emulated driver: left behind:%s\n", what.c_str());
	return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuCtxSetCurrent(CUcontext context) {
	ENTER;
	Context *c = reinterpret_cast<Context *>(context);
	if (c && (c < contexts || c >= contexts + 16 || !c->retained)) return CUDA_ERROR_INVALID_CONTEXT;
	current = c;
	return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult r, const char **text) {
	static const std::map<int, const char *> texts = {
		{CUDA_ERROR_INVALID_VALUE, "invalid argument"}, {CUDA_ERROR_OUT_OF_MEMORY, "out of memory"},
		{CUDA_ERROR_DEVICE_UNAVAILABLE, "CUDA-capable device(s) is/are busy or unavailable"}, {CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"},
		{CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"}, {CUDA_ERROR_INVALID_CONTEXT, "invalid device context"},
		{CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain."},
		{CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"}, {CUDA_ERROR_ILLEGAL_STATE, "the operation cannot be performed in the present state"},
		{CUDA_ERROR_NOT_FOUND, "named symbol not found"}, {CUDA_ERROR_NOT_READY, "device not ready"},
		{CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"}, {CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"},
		{CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"},
		{CUDA_ERROR_NOT_SUPPORTED, "operation not supported"},
		{CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "system has unsupported display driver / cuda driver combination"},
		{CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"},
		{CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"},
		{CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "operation would make the legacy stream depend on a capturing blocking stream"},
		{CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "attempt to terminate a thread-local capture sequence from another thread"}};
	auto at = texts.find(r);
	*text = at == texts.end() ? nullptr : at->second;
	return at == texts.end() ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
}
