// A libcuda.so.1 without a GPU: the driver's functions that mdp uses, with the kernels'
// emulation behind them, so that the path to a GPU is walked where there is none. Its
// functions have the types of the driver's header, or do not compile.
//
// It does everything as late as a driver may: what lies in a stream is done when the
// host or another stream waits for it, and what a copy reads is read then. So whoever
// forgets to wait finds wrong data. And it refuses what the driver refuses, or what is
// undefined there: see rules.cpp. What the environment may say:
//
//	EMULATED_EAGER=2                    streams, a bit each, which do everything as soon as a driver may
//	EMULATED_FAILURE=cuGraphLaunch=719  a function that fails, and how
//	EMULATED_FAULT=3                    which kernel that runs reads an illegal address
//	EMULATED_CALLS=FILE                 where to write how often each function was called, when a device is given back
//	EMULATED_DEVICES=1  EMULATED_MIB=1024  EMULATED_MIB_TAKEN=0  EMULATED_CAPABILITY_MAJOR=9  EMULATED_DRIVER_VERSION=13000
#pragma once

#include <cuda.h>

#include "emu.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

// Context of a device. There is one for each, retained so many times.
struct Context {
	int retained, streams;
	CUresult dead; // how a kernel failed: from then on, that is the answer to everything
};

// Work is what a stream does, once or as often as a graph is launched.
struct Work {
	std::function<CUresult()> run;
	const char *pinned; // what it reads of the host's
	size_t bytes;
	CUfunction function;
	int shared; // dynamic memory of its launch
};

struct Stream;

// Op is work in a stream's queue.
struct Op {
	Work work;
	Stream *stream;
	std::shared_ptr<Op> after; // of another stream
	bool done;
	int64_t ns; // when it was, and before that when it was asked for
};

struct Capture {
	std::thread::id thread;
	CUstreamCaptureMode mode;
	std::vector<Work> work;
	bool invalid; // by something that is not allowed
};

struct Stream {
	Context *context;
	bool blocking; // waits for the legacy stream, and that for it
	bool eager;
	int64_t ns; // when what it did last was done
	std::deque<std::shared_ptr<Op>> queue;
	std::unique_ptr<Capture> capture;

	std::shared_ptr<Op> add(Work, std::shared_ptr<Op> after = nullptr);
	void advance(const Op *until = nullptr); // does it, or all there is, and what comes before
};

struct Event {
	Context *context;
	bool timing;
	std::shared_ptr<Op> recorded;
};

struct Module {
	Context *context;
	size_t image;
};
struct Function {
	Context *context;
	CUmodule module;
	const emu_kernel *kernel;
	bool loaded;
	int shared_most; // dynamic shared memory
};
struct Graph {
	Context *context;
	std::vector<Work> work;
};
struct Exec : Graph {};

// Handles are never given twice, so that one which was destroyed stays so.
template <class H, class T> struct Handles {
	std::map<H, T> live;

	H make(T t) {
		static uintptr_t next = 0x1000;
		H h = reinterpret_cast<H>(next += 16);
		live[h] = std::move(t);
		return h;
	}
	T *find(H h) { // of the current context
		auto at = live.find(h);
		return at == live.end() || at->second.context != current_context() ? nullptr : &at->second;
	}
	CUresult destroy(H h) { // what is nothing but its entry
		if (!find(h)) return CUDA_ERROR_INVALID_HANDLE;
		live.erase(h);
		return CUDA_SUCCESS;
	}
	static Context *current_context();
};

extern std::mutex mutex; // held by every function
extern thread_local Context *current;
extern Handles<CUstream, Stream> streams;
extern Handles<CUevent, Event> events;
extern Handles<CUmodule, Module> modules;
extern Handles<CUfunction, Function> functions;
extern Handles<CUgraph, Graph> graphs;
extern Handles<CUgraphExec, Exec> execs;

template <class H, class T> Context *Handles<H, T>::current_context() { return current; }

int said(const char *name, int otherwise); // by the environment
CUresult asked(const char *function);      // for an error, and counts the call
CUresult in_context();                     // or why not
CUresult unsafe();                         // what is not allowed while this thread captures
CUresult use_legacy();                     // waits for the blocking streams, none of which may capture
CUresult put(CUstream, Work);              // into a stream, or into the graph that it captures
void settle();                             // does what eager streams can do
std::string memory_left();                 // that was not freed, "" for none
bool allocated(CUdeviceptr, size_t bytes);
CUresult run(const emu_kernel *, const std::string &params, const int grid[3], int threads, size_t shared);

#define ENTER                                   \
	std::lock_guard<std::mutex> lock(mutex);    \
	if (CUresult r = asked(__func__)) return r
#define ENTER_CONTEXT \
	ENTER;            \
	if (CUresult r = in_context()) return r
#define ENTER_UNSAFE \
	ENTER_CONTEXT;   \
	if (CUresult r = unsafe()) return r
