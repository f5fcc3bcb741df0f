// Streams and events.
#include "emulated.h"

#include <algorithm>
#include <chrono>

Handles<CUstream, Stream> streams;
Handles<CUevent, Event> events;

static int64_t now() { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

// An operation begins on the device when it was asked for, and all it waits for is
// done: however late it is here. It takes as long as here, but a microsecond at least.
static void finish(const std::shared_ptr<Op> &op) {
	Stream *s = op->stream;
	s->queue.pop_front();
	int64_t begun = now(), from = std::max(std::max(op->ns, s->ns), op->after ? op->after->ns : 0);
	if (!s->context->dead && op->work.run) s->context->dead = op->work.run();
	s->ns = op->ns = from + std::max(int64_t(1000), now() - begun);
	op->done = true;
	op->after = nullptr;
}

std::shared_ptr<Op> Stream::add(Work w, std::shared_ptr<Op> after) {
	queue.push_back(std::make_shared<Op>(Op{std::move(w), this, after, false, now()}));
	return queue.back();
}

void Stream::advance(const Op *until) {
	while (!queue.empty() && !(until && until->done)) {
		std::shared_ptr<Op> op = queue.front();
		if (op->after && !op->after->done) op->after->stream->advance(op->after.get());
		finish(op);
	}
}

void settle() {
	for (bool moved = true; moved;) {
		moved = false;
		for (auto &s : streams.live) {
			std::deque<std::shared_ptr<Op>> &queue = s.second.queue;
			if (!s.second.eager || queue.empty() || (queue.front()->after && !queue.front()->after->done)) continue;
			finish(std::shared_ptr<Op>(queue.front()));
			moved = true;
		}
	}
}

CUresult unsafe() {
	CUresult r = CUDA_SUCCESS;
	for (auto &s : streams.live) {
		Capture *c = s.second.capture.get();
		if (!c || c->mode == CU_STREAM_CAPTURE_MODE_RELAXED || (c->mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && c->thread != std::this_thread::get_id())) continue;
		c->invalid = true;
		r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	return r;
}

CUresult use_legacy() {
	for (auto &s : streams.live)
		if (s.second.context == current && s.second.blocking && s.second.capture) {
			s.second.capture->invalid = true;
			return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
		}
	for (auto &s : streams.live)
		if (s.second.context == current && s.second.blocking) s.second.advance();
	return current->dead;
}

CUresult put(CUstream to, Work w) {
	if (!to || to == CU_STREAM_LEGACY) {
		if (CUresult r = use_legacy()) return r;
		current->dead = w.run();
		return CUDA_SUCCESS;
	}
	Stream *s = streams.find(to);
	if (!s) return CUDA_ERROR_INVALID_HANDLE;
	if (!s->capture) {
		s->add(std::move(w));
		settle();
		return CUDA_SUCCESS;
	}
	if (s->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	s->capture->work.push_back(std::move(w));
	return CUDA_SUCCESS;
}

extern "C" {

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
	ENTER_CONTEXT;
	if (flags & ~unsigned(CU_STREAM_NON_BLOCKING)) return CUDA_ERROR_INVALID_VALUE;
	Stream s = {};
	s.context = current;
	s.blocking = !(flags & CU_STREAM_NON_BLOCKING);
	s.eager = said("EMULATED_EAGER", 0) >> current->streams++ % 31 & 1;
	*stream = streams.make(std::move(s));
	return CUDA_SUCCESS;
}

// What lies in it is done nevertheless.
CUresult cuStreamDestroy(CUstream stream) {
	ENTER_CONTEXT;
	Stream *s = streams.find(stream);
	if (!s) return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	s->advance();
	streams.live.erase(stream);
	return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream stream) {
	ENTER_CONTEXT;
	if (!stream) return use_legacy();
	Stream *s = streams.find(stream);
	if (!s) return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture) {
		s->capture->invalid = true;
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	if (CUresult r = unsafe()) return r;
	s->advance();
	return current->dead;
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
	ENTER_CONTEXT;
	Stream *s = streams.find(stream);
	Event *e = events.find(event);
	if (!s || !e) return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture) return CUDA_ERROR_NOT_SUPPORTED; // by the emulation
	if (e->recorded) s->add({}, e->recorded);
	settle();
	return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
	ENTER_CONTEXT;
	if (flags & ~unsigned(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING)) return CUDA_ERROR_INVALID_VALUE;
	*event = events.make({current, !(flags & CU_EVENT_DISABLE_TIMING), nullptr});
	return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent event) {
	ENTER_CONTEXT;
	return events.destroy(event);
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
	ENTER_CONTEXT;
	Stream *s = streams.find(stream);
	Event *e = events.find(event);
	if (!s || !e) return CUDA_ERROR_INVALID_HANDLE;
	if (s->capture) return CUDA_ERROR_NOT_SUPPORTED; // by the emulation
	e->recorded = s->add({});
	settle();
	return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent event) {
	ENTER_UNSAFE;
	Event *e = events.find(event);
	if (!e) return CUDA_ERROR_INVALID_HANDLE;
	if (e->recorded && !e->recorded->done) e->recorded->stream->advance(e->recorded.get());
	return current->dead;
}

static CUresult elapsed(float *ms, CUevent from, CUevent to) {
	Event *a = events.find(from), *b = events.find(to);
	if (!a || !b || !a->timing || !b->timing || !a->recorded || !b->recorded) return CUDA_ERROR_INVALID_HANDLE;
	if (!a->recorded->done || !b->recorded->done) return CUDA_ERROR_NOT_READY;
	*ms = float(double(b->recorded->ns - a->recorded->ns) / 1e6);
	return CUDA_SUCCESS;
}

// The first under the name of drivers before 12.8, which the header may give the second.
#undef cuEventElapsedTime
CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to) { ENTER_UNSAFE; return elapsed(ms, from, to); }
CUresult cuEventElapsedTime_v2(float *ms, CUevent from, CUevent to) { ENTER_UNSAFE; return elapsed(ms, from, to); }
}
