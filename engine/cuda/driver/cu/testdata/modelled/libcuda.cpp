// A libcuda.so.1 whose GPU is a model: kernels are not executed, nor is memory there;
// each takes the time that roofline.h gives it, on a stream that runs in real time
// beside the host. So what the host does between is measured as it is, and a table of
// thousands of configurations takes about as long as on such a GPU. MODELLED, NOT
// MEASURED: none of its latencies is a GPU's. What the environment may say:
//
//	MODELLED_GPUS=1         how many there are, for a process each
//	MODELLED_SEED=1         of noise and of when it throttles; printed
//	MODELLED_NOISE=0.3      standard deviation of a kernel's time, percent; one in 3000 takes 5 to 60 µs more
//	MODELLED_TICK_NS=500    of the events' clock
//	MODELLED_THROTTLE_S=20  seconds between falls to 60 % of the clock, which last 0.1 to 0.5 s; 0 for none
//	MODELLED_DRIFT=0        percent by which the clock sways, once in half a minute
//	MODELLED_LOST=0         launches after which a process has lost its GPU; 0 for never
//	MODELLED_LOST_GPU=-1    which of them can be lost; -1 for any
#include "roofline.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <random>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>
#include <time.h>
#include <vector>

namespace {

double said(const char *name, double otherwise) { return getenv(name) ? atof(getenv(name)) : otherwise; }

int64_t now() {
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * int64_t(1000000000) + t.tv_nsec;
}

// Sleeps, and awaits the rest awake, as the driver does.
void wait(int64_t until) {
	for (int64_t left; (left = until - now()) > 0;)
		if (left > 300000) {
			timespec t = {0, 0};
			t.tv_sec = (left - 200000) / 1000000000, t.tv_nsec = (left - 200000) % 1000000000;
			nanosleep(&t, nullptr);
		}
}

struct Kernel { std::string name; };
struct Module {
	std::string image;
	std::map<std::string, Kernel> kernels; // those that were asked for; of one that is not there without its name
};
struct Launch {
	const Kernel *kernel;
	int64_t blocks;
	std::string params;
};
typedef std::vector<Launch> Graph;
struct Stream {
	int64_t end;               // of what was queued so far
	std::deque<int64_t> queue; // the ends of what the host may have queued: 1024
};
struct Event { int64_t at; };

std::mutex mutex;
std::mt19937_64 random_bits(said("MODELLED_SEED", 1));
std::map<uint64_t, size_t> live;
uint64_t next_address = 1ull << 40;
Stream default_stream;
Graph *capturing;
Caches caches;
int ordinal; // of the GPU that this process has
int64_t start = now(), busy_since, busy_until, launches, held_ns, kernel_ns;

constexpr int most_queued = 1024;
constexpr size_t total = size_t(139) << 30;

double uniform() { return std::uniform_real_distribution<double>()(random_bits); }

// The clock's share of its most: it rises in 10 ms when the device was idle for 50,
// falls for a while now and then, and sways.
double clock_at(int64_t t) {
	static std::mt19937_64 bits(uint64_t(said("MODELLED_SEED", 1)) + 1);
	static double every = said("MODELLED_THROTTLE_S", 20), sways = said("MODELLED_DRIFT", 0) / 100;
	static int64_t from = start + int64_t(1e9 * every * (0.5 + bits() % 1000 / 1e3)), to = from + 300000000;
	if (t - busy_until > 50000000) busy_since = t;
	double share = 1 - 0.4 * exp(-(t - busy_since) / 10e6) - sways * (0.5 + 0.5 * sin((t - start) * 2 * M_PI / 30e9));
	for (; every > 0 && t > to; to = from + 100000000 + bits() % 400000000) from = to + int64_t(1e9 * every * (0.5 + bits() % 1000 / 1e3));
	return every > 0 && t > from ? std::min(share, 0.6) : share;
}

// Puts work of so long on the stream, behind what is there and after a gap.
void queue(Stream *s, double ns, double gap) {
	while (!s->queue.empty() && (s->queue.front() <= now() || s->queue.size() >= most_queued)) {
		wait(s->queue.front());
		s->queue.pop_front();
	}
	s->end = std::max(now() + 2000, s->end + int64_t(gap)) + int64_t(ns);
	s->queue.push_back(s->end);
	busy_until = s->end;
}

void run(Stream *s, const Launch &l, double gap) {
	double clock = clock_at(std::max(now(), s->end)), ns;
	if (l.kernel->name == "spin") {
		ns = 1200 + *reinterpret_cast<const int64_t *>(l.params.data()) / (clock * most_mhz / 1e3);
		if (ns < 5e6) held_ns += int64_t(ns);
	} else {
		static double noise = said("MODELLED_NOISE", 0.3) / 100;
		ns = took(l.kernel->name, l.params.data(), l.blocks, clock, caches) * (1 + noise * std::normal_distribution<double>()(random_bits));
		if (noise > 0 && uniform() < 1 / 3000.0) ns += 5000 + 55000 * uniform(); // an interrupt, a refresh
		if (!(ns < 10e9)) fprintf(stderr, "modelled: %s of %.0f s: roofline.h does not know its parameters as they are\n", l.kernel->name.c_str(), ns / 1e9), abort();
		kernel_ns += int64_t(ns);
	}
	launches++;
	queue(s, ns, gap);
}

// What a call costs the host beside what it takes here.
struct Costs {
	std::lock_guard<std::mutex> lock;
	int64_t until;
	Costs(int64_t ns) : lock(mutex), until(now() + ns) {}
	~Costs() { wait(until); }
};

Stream *of(Stream *s) { return s ? s : &default_stream; }

// lost is what all that needs the GPU answers: 0, or 719, a launch that failed.
int lost() {
	static int64_t after = int64_t(said("MODELLED_LOST", 0));
	static int which = int(said("MODELLED_LOST_GPU", -1));
	return after && launches >= after && (which < 0 || which == ordinal) ? 719 : 0;
}

} // namespace

extern "C" {

int cuInit(unsigned) {
	static int said_so = fprintf(stderr, "the GPU is a model, seed %.0f: its latencies are modelled, not measured\n", said("MODELLED_SEED", 1));
	return said_so < 0;
}
int cuDriverGetVersion(int *v) { *v = 13000; return 0; }
int cuDeviceGetCount(int *n) { *n = int(said("MODELLED_GPUS", 1)); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal < int(said("MODELLED_GPUS", 1)) ? 0 : 101; }
int cuDeviceGetName(char *name, int len, int) { snprintf(name, len, "modelled GPU"); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = total; return 0; }
int cuDeviceGetAttribute(int *v, int attribute, int device) {
	static const std::map<int, int> values = {{13, int(most_mhz * 1000)}, {16, multiprocessors}, {33, 0x1b}, {36, 3201000}, {37, 6144}, {38, int(cache_bytes)}, {75, 9}};
	auto at = values.find(attribute);
	*v = (at == values.end() ? 0 : at->second) + (attribute == 33 ? device : 0); // each on a bus of its own
	return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) { Costs c(150000000); *context = &mutex; ordinal = device; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) {
	fprintf(stderr, "modelled: %ld launches, %.2f s in kernels, %.2f s held\n", launches, kernel_ns / 1e9, held_ns / 1e9);
	return live.empty() ? 0 : 1;
}
int cuCtxSetCurrent(void *) { return 0; }

int cuStreamCreate(Stream **stream, unsigned) { *stream = new Stream(); return 0; }
int cuStreamDestroy_v2(Stream *stream) { delete stream; return 0; }
int cuStreamSynchronize(Stream *stream) { Costs c(2000); wait(of(stream)->end); return lost(); }
int cuStreamWaitEvent(Stream *stream, Event *event, unsigned) { Costs c(1000); stream->end = std::max(stream->end, event->at); return 0; }

int cuModuleLoadData(Module **module, const char *image) {
	Costs c(3000000);
	*module = new Module{std::string(image, 16 + *reinterpret_cast<const uint64_t *>(image + 8)), {}}; // the header of a fatbin has its size
	return 0;
}
int cuModuleUnload(Module *module) { delete module; return 0; }
int cuModuleGetFunction(const Kernel **function, Module *module, const char *name) {
	auto known = module->kernels.find(name);
	if (known == module->kernels.end()) known = module->kernels.emplace(name, Kernel{module->image.find(std::string(".text.") + name + '\0') < std::string::npos ? name : ""}).first;
	Costs c(500);
	*function = &known->second;
	return known->second.name.empty() ? 500 : 0;
}
int cuFuncSetAttribute(const Kernel *, int, int) { Costs c(300); return 0; }

int cuMemAlloc_v2(uint64_t *p, size_t bytes) {
	Costs c(100000 + bytes / 4096); // half a microsecond for each page of 2 MiB
	size_t used = 0;
	for (auto &a : live) used += a.second;
	if (used + bytes > total) return 2;
	*p = next_address;
	next_address += (bytes >> 21 << 21) + (2 << 20);
	live[*p] = bytes;
	return lost();
}
int cuMemFree_v2(uint64_t p) { Costs c(100000); wait(default_stream.end); return live.erase(p) ? 0 : 1; }
int cuMemGetInfo_v2(size_t *free, size_t *all) { *free = *all = total; for (auto &a : live) *free -= a.second; return 0; }
int cuMemHostAlloc(void **p, size_t bytes, unsigned) { *p = malloc(bytes); return *p ? 0 : 2; }
int cuMemFreeHost(void *p) { free(p); return 0; }
int cuMemsetD8Async(uint64_t, unsigned char, size_t bytes, Stream *s) { Costs c(2500); queue(of(s), bytes / write_bytes_per_ns, 1000); return lost(); }
int cuMemcpyHtoDAsync_v2(uint64_t, const void *, size_t bytes, Stream *s) { Costs c(2500); queue(of(s), bytes / 50.0, 1000); return lost(); }
int cuMemcpyDtoDAsync_v2(uint64_t, uint64_t, size_t bytes, Stream *s) { Costs c(2500); queue(of(s), 2 * bytes / memory_bytes_per_ns, 1000); return lost(); }
int cuMemcpyHtoD_v2(uint64_t, const void *, size_t bytes) { Costs c(6000); queue(&default_stream, bytes / 10.0, 0); wait(default_stream.end); return lost(); }
int cuMemcpyDtoH_v2(float *dst, uint64_t src, size_t bytes) { // positive numbers, for nothing was computed
	Costs c(6000);
	for (size_t i = 0; i < bytes / 4; i++) dst[i] = 0.25f + float((src / 4 + i) * 2654435761u % 1024) / 2048;
	queue(&default_stream, bytes / 10.0, 0);
	wait(default_stream.end);
	return lost();
}

int cuLaunchKernel(const Kernel *f, unsigned gx, unsigned gy, unsigned gz, unsigned, unsigned, unsigned, unsigned, Stream *s, void **, void **extra) {
	Costs c(capturing ? 500 : 2500);
	Launch l = {f, int64_t(gx) * gy * gz, std::string(static_cast<char *>(extra[1]), *static_cast<size_t *>(extra[3]))};
	if (capturing) capturing->push_back(l);
	else run(of(s), l, 1000);
	return lost();
}
int cuStreamBeginCapture_v2(Stream *, int) { capturing = new Graph; return 0; }
int cuStreamEndCapture(Stream *, Graph **graph) { *graph = capturing; capturing = nullptr; return 0; }
int cuGraphInstantiateWithFlags(Graph **exec, const Graph *graph, unsigned long long) { Costs c(10000 + 2000 * graph->size()); *exec = new Graph(*graph); return 0; }
int cuGraphDestroy(Graph *graph) { delete graph; return 0; }
int cuGraphExecDestroy(Graph *exec) { delete exec; return 0; }
int cuGraphLaunch(const Graph *exec, Stream *s) {
	Costs c(6000 + 100 * exec->size());
	for (const Launch &l : *exec) run(of(s), l, 500);
	return lost();
}

int cuEventCreate(Event **event, unsigned) { Costs c(500); *event = new Event(); return 0; }
int cuEventDestroy_v2(Event *event) { Costs c(500); delete event; return 0; }
int cuEventRecord(Event *event, Stream *s) {
	Costs c(1200);
	static int64_t tick = std::max(1., said("MODELLED_TICK_NS", 500));
	queue(of(s), 200, 0);
	event->at = of(s)->end / tick * tick;
	return 0;
}
int cuEventSynchronize(Event *event) { Costs c(1000); wait(event->at + 2000); return lost(); }
int cuEventElapsedTime_v2(float *ms, Event *from, Event *to) { *ms = float((to->at - from->at) / 1e6); return 0; }
int cuEventElapsedTime(float *ms, Event *from, Event *to) { return cuEventElapsedTime_v2(ms, from, to); }

int cuGetErrorString(int, const char **text) { *text = "refused by the model"; return 0; }
}
