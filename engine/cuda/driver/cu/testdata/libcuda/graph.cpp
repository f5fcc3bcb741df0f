// Graphs of what a stream captured.
#include "emulated.h"

Handles<CUgraph, Graph> graphs;
Handles<CUgraphExec, Exec> execs;

// Stricter than the driver, perhaps: a kernel may have as much shared memory now as when it was captured.
static CUresult launchable(const std::vector<Work> &work) {
	for (const Work &w : work) {
		Function *f = w.function ? functions.find(w.function) : nullptr;
		if (w.function && !f) return CUDA_ERROR_INVALID_HANDLE;
		if (f && w.shared > f->shared_most) return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

extern "C" {

CUresult cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode mode) {
	ENTER_CONTEXT;
	if (!stream || stream == CU_STREAM_LEGACY) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	Stream *s = streams.find(stream);
	if (!s) return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture) return CUDA_ERROR_ILLEGAL_STATE;
	s->capture.reset(new Capture{std::this_thread::get_id(), mode, {}, false});
	return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
	ENTER_CONTEXT;
	*graph = nullptr;
	Stream *s = streams.find(stream);
	if (!s) return CUDA_ERROR_INVALID_HANDLE;
	if (!s->capture) return CUDA_ERROR_ILLEGAL_STATE;
	if (s->capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && s->capture->thread != std::this_thread::get_id()) return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
	std::unique_ptr<Capture> c = std::move(s->capture);
	if (c->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	*graph = graphs.make({current, std::move(c->work)});
	return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
	ENTER_CONTEXT;
	Graph *g = graphs.find(graph);
	if (!g) return CUDA_ERROR_INVALID_HANDLE;
	if (flags) return CUDA_ERROR_NOT_SUPPORTED; // by the emulation
	if (CUresult r = launchable(g->work)) return r;
	Exec e;
	static_cast<Graph &>(e) = *g;
	*exec = execs.make(std::move(e));
	return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
	ENTER_CONTEXT;
	return graphs.destroy(graph);
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
	ENTER_CONTEXT;
	return execs.destroy(exec);
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
	ENTER_CONTEXT;
	Exec *e = execs.find(exec);
	Stream *s = streams.find(stream);
	if (!e || !s) return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture) return CUDA_ERROR_NOT_SUPPORTED; // by the emulation
	if (CUresult r = launchable(e->work)) return r;
	for (const Work &w : e->work) s->add(w);
	settle();
	return CUDA_SUCCESS;
}
}
