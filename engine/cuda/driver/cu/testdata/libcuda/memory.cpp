// Memory of the device and pinned memory of the host. What is freed, and what lies
// behind an allocation's last 256 bytes, cannot be read or written, nor is its address
// given again.
#include "emulated.h"

#include <sys/mman.h>

namespace {

constexpr size_t page = 4096, reserved = size_t(1) << 40;

struct Region {
	char *next;
	std::map<char *, size_t> live;
	size_t used;

	char *alloc(size_t bytes) {
		if (!next) next = static_cast<char *>(mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
		size_t aligned = (bytes + 255) / 256 * 256, pages = (aligned + page - 1) / page * page;
		if (next == MAP_FAILED || mprotect(next + page, pages, PROT_READ | PROT_WRITE)) return nullptr;
		char *p = next + page + pages - aligned;
		next += page + pages;
		live[p] = bytes;
		used += bytes;
		return p;
	}
	bool free(char *p) {
		auto at = live.find(p);
		if (at == live.end()) return false;
		char *from = p - reinterpret_cast<uintptr_t>(p) % page;
		size_t pages = (p + at->second - from + page - 1) / page * page;
		madvise(from, pages, MADV_DONTNEED);
		mprotect(from, pages, PROT_NONE);
		used -= at->second;
		live.erase(at);
		return true;
	}
	bool holds(char *p, size_t bytes) const {
		auto after = live.upper_bound(p);
		if (after == live.begin()) return false;
		auto at = std::prev(after);
		return bytes <= at->second && p - at->first <= ptrdiff_t(at->second - bytes);
	}
};
Region device, host;

size_t mib(const char *name, int otherwise) { return size_t(said(name, otherwise)) << 20; }
char *at(CUdeviceptr p) { return reinterpret_cast<char *>(p); }

Work copy(CUdeviceptr dst, CUdeviceptr src, size_t bytes) {
	return {[=] { memcpy(at(dst), at(src), bytes); return CUDA_SUCCESS; }, nullptr, 0, nullptr};
}

} // namespace

// Stricter than the driver, whose header does not say what it makes of no bytes.
bool allocated(CUdeviceptr p, size_t bytes) { return bytes && device.holds(at(p), bytes); }

std::string memory_left() {
	std::string what;
	if (!device.live.empty()) what += " " + std::to_string(device.used) + " bytes of the device";
	if (!host.live.empty()) what += " " + std::to_string(host.used) + " pinned bytes";
	return what;
}

extern "C" {

CUresult cuMemAlloc(CUdeviceptr *p, size_t bytes) {
	ENTER_UNSAFE;
	if (!bytes) return CUDA_ERROR_INVALID_VALUE;
	if (device.used + mib("EMULATED_MIB_TAKEN", 0) + bytes > mib("EMULATED_MIB", 1 << 10)) return CUDA_ERROR_OUT_OF_MEMORY;
	char *got = device.alloc(bytes);
	if (!got) return CUDA_ERROR_OUT_OF_MEMORY;
	memset(got, 0xff, bytes);
	*p = reinterpret_cast<CUdeviceptr>(got);
	return CUDA_SUCCESS;
}

// Waits for all work, as the driver does.
CUresult cuMemFree(CUdeviceptr p) {
	ENTER_UNSAFE;
	for (auto &s : streams.live)
		if (s.second.context == current) s.second.advance();
	return device.free(at(p)) ? current->dead : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemGetInfo(size_t *free, size_t *all) {
	ENTER_CONTEXT;
	*all = mib("EMULATED_MIB", 1 << 10);
	*free = *all - mib("EMULATED_MIB_TAKEN", 0) - device.used;
	return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned) {
	ENTER_UNSAFE;
	if (!bytes) return CUDA_ERROR_INVALID_VALUE;
	return (*p = host.alloc(bytes)) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

// Stricter than the driver: a copy that will read it has not been waited for.
CUresult cuMemFreeHost(void *p) {
	ENTER_UNSAFE;
	for (auto &s : streams.live)
		for (auto &op : s.second.queue)
			if (op->work.pinned && op->work.pinned + op->work.bytes > p && host.live.count(static_cast<char *>(p)) && op->work.pinned < static_cast<char *>(p) + host.live[static_cast<char *>(p)]) return CUDA_ERROR_INVALID_VALUE;
	return host.free(static_cast<char *>(p)) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char v, size_t bytes, CUstream s) {
	ENTER_CONTEXT;
	if (!allocated(dst, bytes)) return CUDA_ERROR_INVALID_VALUE;
	return put(s, {[=] { memset(at(dst), v, bytes); return CUDA_SUCCESS; }, nullptr, 0, nullptr});
}

// Its source is pinned: from elsewhere the copy is none that goes on by itself, and a
// graph would read it when it is long gone. Stricter than the driver.
CUresult cuMemcpyHtoDAsync(CUdeviceptr dst, const void *src, size_t bytes, CUstream s) {
	ENTER_CONTEXT;
	char *from = static_cast<char *>(const_cast<void *>(src));
	if (!allocated(dst, bytes) || !host.holds(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
	return put(s, {[=] { memcpy(at(dst), from, bytes); return CUDA_SUCCESS; }, from, bytes, nullptr});
}

CUresult cuMemcpyDtoDAsync(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream s) {
	ENTER_CONTEXT;
	if (!allocated(src, bytes) || !allocated(dst, bytes)) return CUDA_ERROR_INVALID_VALUE;
	return put(s, copy(dst, src, bytes));
}

CUresult cuMemcpyHtoD(CUdeviceptr dst, const void *src, size_t bytes) {
	ENTER_CONTEXT;
	if (CUresult r = use_legacy()) return r;
	if (!allocated(dst, bytes)) return CUDA_ERROR_INVALID_VALUE;
	memcpy(at(dst), src, bytes);
	return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoH(void *dst, CUdeviceptr src, size_t bytes) {
	ENTER_CONTEXT;
	if (CUresult r = use_legacy()) return r;
	if (!allocated(src, bytes)) return CUDA_ERROR_INVALID_VALUE;
	memcpy(dst, at(src), bytes);
	return CUDA_SUCCESS;
}
}
