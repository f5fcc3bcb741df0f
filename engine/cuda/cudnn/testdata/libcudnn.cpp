// A library with cuDNN's entry points that computes nothing: it writes down every
// call with what its descriptors hold, one line each, into the file CUDNN_LOG.
//
//   CUDNN_VERSION        what it says it is (90100)
//   CUDNN_REFUSE         names of calls it does not support, or NAME=status
//   CUDNN_MATH           the math type its algorithms come with (0)
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

struct Object { // a descriptor of either kind
	std::string name, holds;
	int type = -1;
	std::map<int, std::string> attributes;
};

std::map<std::string, int> made;

Object *make(const std::string &kind) {
	Object *o = new Object;
	o->name = kind + std::to_string(++made[kind]);
	return o;
}

const char *variable(const char *name, const char *otherwise) {
	const char *value = getenv(name);
	return value && *value ? value : otherwise;
}

// refused is the status of a call that is to fail, 0 for others.
int refused(const std::string &call) {
	std::string list = std::string(" ") + variable("CUDNN_REFUSE", "") + " ";
	size_t at = list.find(" " + call);
	if (at == std::string::npos) return 0;
	const char *rest = list.c_str() + at + 1 + call.size();
	if (*rest == '=') return atoi(rest + 1);
	return *rest == ' ' ? 3000 : 0;
}

int note(const char *call, const char *format, ...) {
	if (FILE *f = fopen(variable("CUDNN_LOG", "/dev/null"), "a")) {
		va_list rest;
		va_start(rest, format);
		fprintf(f, "%s ", call);
		vfprintf(f, format, rest);
		fprintf(f, "\n");
		va_end(rest);
		fclose(f);
	}
	return refused(call);
}

const char *of(void *d) { return d ? static_cast<Object *>(d)->holds.c_str() : "none"; }

int hold(const char *call, void *d, std::string holds) {
	static_cast<Object *>(d)->holds = holds;
	return refused(call);
}

std::string list(std::initializer_list<int> values) {
	std::string s;
	for (int v : values) s += (s.empty() ? "" : " ") + std::to_string(v);
	return s;
}

int alive = 0; // descriptors

int create(void **d, const char *kind) {
	int e = refused(std::string("Create") + kind);
	if (e) return e;
	*d = make(kind);
	alive++;
	return 0;
}

int destroy(void *d) {
	delete static_cast<Object *>(d);
	alive--;
	return 0;
}

float number(const void *p) { return *static_cast<const float *>(p); }

struct Perf { int algo, status; float time; size_t memory; int determinism, mathType, reserved[3]; };

// Algorithms 7 (too much memory), 0 and 1 in order of time; 4 does not run.
int find(int most, int *found, Perf *perf) {
	int math = atoi(variable("CUDNN_MATH", "0"));
	Perf all[] = {{7, 0, 0.5f, size_t(1) << 40, 1, math, {}}, {0, 0, 1, 1000, 1, math, {}}, {1, 0, 2, 0, 1, math, {}}, {4, 3000, -1, 0, 0, math, {}}};
	*found = most < 4 ? most : 4;
	memcpy(perf, all, *found * sizeof(Perf));
	return 0;
}

} // namespace

extern "C" {

size_t cudnnGetVersion() { return atoi(variable("CUDNN_VERSION", "90100")); }
const char *cudnnGetErrorString(int status) { return status >= 3000 && status < 4000 ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_OTHER"; }
void cudnnGetLastErrorString(char *text, size_t size) { snprintf(text, size, "as it\nwas told"); }

int cudnnCreate(void **handle) { *handle = make("handle"); return note("Create", "handle"); }
int cudnnDestroy(void *handle) { delete static_cast<Object *>(handle); return note("Destroy", "handle, %d descriptors left", alive); }
int cudnnSetStream(void *, void *stream) { return note("SetStream", "%p", stream); }

int cudnnCreateTensorDescriptor(void **d) { return create(d, "Tensor"); }
int cudnnCreateFilterDescriptor(void **d) { return create(d, "Filter"); }
int cudnnCreateConvolutionDescriptor(void **d) { return create(d, "Convolution"); }
int cudnnCreateActivationDescriptor(void **d) { return create(d, "Activation"); }
int cudnnDestroyTensorDescriptor(void *d) { return destroy(d); }
int cudnnDestroyFilterDescriptor(void *d) { return destroy(d); }
int cudnnDestroyConvolutionDescriptor(void *d) { return destroy(d); }
int cudnnDestroyActivationDescriptor(void *d) { return destroy(d); }

int cudnnSetTensor4dDescriptor(void *d, int format, int type, int n, int c, int h, int w) {
	return hold("SetTensor4dDescriptor", d, "format " + list({format}) + " type " + list({type}) + ": " + list({n, c, h, w}));
}
int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w) {
	return hold("SetFilter4dDescriptor", d, "format " + list({format}) + " type " + list({type}) + ": " + list({k, c, h, w}));
}
int cudnnSetConvolution2dDescriptor(void *d, int ph, int pw, int u, int v, int dh, int dw, int mode, int type) {
	return hold("SetConvolution2dDescriptor", d, "pad " + list({ph, pw}) + " stride " + list({u, v}) + " dilation " + list({dh, dw}) + " mode " + list({mode}) + " type " + list({type}));
}
int cudnnSetConvolutionGroupCount(void *d, int n) { return hold("SetConvolutionGroupCount", d, of(d) + (" groups " + std::to_string(n))); }
int cudnnSetConvolutionMathType(void *d, int m) { return hold("SetConvolutionMathType", d, of(d) + (" math " + std::to_string(m))); }
int cudnnSetActivationDescriptor(void *d, int mode, int nan, double coefficient) {
	return hold("SetActivationDescriptor", d, "mode " + list({mode}) + " nan " + list({nan}) + " coefficient " + std::to_string(int(coefficient)));
}

int cudnnFindConvolutionForwardAlgorithmEx(void *, void *xd, const void *x, void *wd, const void *w, void *cd, void *yd, void *y, int most, int *found, Perf *perf, void *space, size_t bytes) {
	int e = note("FindConvolutionForwardAlgorithmEx", "x[%s]@%p w[%s]@%p conv[%s] y[%s]@%p space %zu@%p", of(xd), x, of(wd), w, of(cd), of(yd), y, bytes, space);
	return e ? e : find(most, found, perf);
}
int cudnnFindConvolutionBackwardDataAlgorithmEx(void *, void *wd, const void *w, void *yd, const void *y, void *cd, void *xd, void *x, int most, int *found, Perf *perf, void *space, size_t bytes) {
	int e = note("FindConvolutionBackwardDataAlgorithmEx", "w[%s]@%p dy[%s]@%p conv[%s] dx[%s]@%p space %zu@%p", of(wd), w, of(yd), y, of(cd), of(xd), x, bytes, space);
	return e ? e : find(most, found, perf);
}
int cudnnFindConvolutionBackwardFilterAlgorithmEx(void *, void *xd, const void *x, void *yd, const void *y, void *cd, void *wd, void *w, int most, int *found, Perf *perf, void *space, size_t bytes) {
	int e = note("FindConvolutionBackwardFilterAlgorithmEx", "x[%s]@%p dy[%s]@%p conv[%s] dw[%s]@%p space %zu@%p", of(xd), x, of(yd), y, of(cd), of(wd), w, bytes, space);
	return e ? e : find(most, found, perf);
}

int cudnnConvolutionForward(void *, const void *a, void *xd, const void *x, void *wd, const void *w, void *cd, int algo, void *space, size_t bytes, const void *b, void *yd, void *y) {
	return note("ConvolutionForward", "algo %d alpha %g beta %g x[%s]@%p w[%s]@%p conv[%s] y[%s]@%p space %zu@%p", algo, number(a), number(b), of(xd), x, of(wd), w, of(cd), of(yd), y, bytes, space);
}
int cudnnConvolutionBiasActivationForward(void *, const void *a1, void *xd, const void *x, void *wd, const void *w, void *cd, int algo, void *space, size_t bytes, const void *a2, void *zd, const void *z, void *bd, const void *b, void *ad, void *yd, void *y) {
	return note("ConvolutionBiasActivationForward", "algo %d alpha %g %g x[%s]@%p w[%s]@%p conv[%s] z[%s]@%p bias[%s]@%p act[%s] y[%s]@%p space %zu@%p", algo, number(a1), number(a2),
		of(xd), x, of(wd), w, of(cd), of(zd), z, of(bd), b, of(ad), of(yd), y, bytes, space);
}
int cudnnConvolutionBackwardData(void *, const void *a, void *wd, const void *w, void *yd, const void *y, void *cd, int algo, void *space, size_t bytes, const void *b, void *xd, void *x) {
	return note("ConvolutionBackwardData", "algo %d alpha %g beta %g w[%s]@%p dy[%s]@%p conv[%s] dx[%s]@%p space %zu@%p", algo, number(a), number(b), of(wd), w, of(yd), y, of(cd), of(xd), x, bytes, space);
}
int cudnnConvolutionBackwardFilter(void *, const void *a, void *xd, const void *x, void *yd, const void *y, void *cd, int algo, void *space, size_t bytes, const void *b, void *wd, void *w) {
	return note("ConvolutionBackwardFilter", "algo %d alpha %g beta %g x[%s]@%p dy[%s]@%p conv[%s] dw[%s]@%p space %zu@%p", algo, number(a), number(b), of(xd), x, of(yd), y, of(cd), of(wd), w, bytes, space);
}

// The graph API. Engines 10 (uses tensor cores), 11 (does not become a plan), 12
// and 13 (much workspace) from the heuristic, 14 from the fallback.

int cudnnBackendCreateDescriptor(int type, void **d) {
	*d = make("#");
	static_cast<Object *>(*d)->type = type;
	alive++;
	return refused("BackendCreateDescriptor");
}
int cudnnBackendDestroyDescriptor(void *d) { return destroy(d); }

int cudnnBackendSetAttribute(void *d, int name, int type, int64_t n, const void *values) {
	std::string s;
	for (int64_t i = 0; i < n; i++) {
		if (i) s += " ";
		char text[40];
		switch (type) {
		case 0: case 15: s += static_cast<Object *const *>(values)[i]->name; break;
		case 2: s += static_cast<const char *>(values)[i] ? "true" : "false"; break;
		case 3: s += std::to_string(static_cast<const int64_t *>(values)[i]); break;
		case 4: snprintf(text, sizeof text, "%g", static_cast<const float *>(values)[i]); s += text; break;
		case 5: snprintf(text, sizeof text, "%g", static_cast<const double *>(values)[i]); s += text; break;
		case 6: snprintf(text, sizeof text, "%p", static_cast<void *const *>(values)[i]); s += text; break;
		default: s += std::to_string(static_cast<const int *>(values)[i]);
		}
	}
	static_cast<Object *>(d)->attributes[name] = s;
	return refused("BackendSetAttribute");
}

int cudnnBackendFinalize(void *d) {
	Object *o = static_cast<Object *>(d);
	std::string s;
	for (auto &a : o->attributes) s += " " + std::to_string(a.first) + "=[" + a.second + "]";
	int e = note("BackendFinalize", "%s type %d%s", o->name.c_str(), o->type, s.c_str());
	if (o->type == 5 && o->attributes[401] == "engine 11") return 3001;
	if (o->type == 5) o->holds = o->attributes[401] == "engine 13" ? "big" : "small";
	return e;
}

int cudnnBackendGetAttribute(void *d, int name, int, int64_t most, int64_t *n, void *values) {
	Object *o = static_cast<Object *>(d);
	int e = refused("BackendGetAttribute");
	if (e) return e;
	switch (name) {
	case 202: { // engines of a heuristic
		int first = o->attributes[200] == "3" ? 10 : 14, count = first == 10 ? 4 : 1;
		*n = count;
		for (int i = 0; i < count && i < most; i++) static_cast<Object **>(values)[i]->name = "engine " + std::to_string(first + i);
		return 0;
	}
	case 300: // the engine of a configuration
		*n = 1;
		static_cast<Object **>(values)[0]->name = o->name;
		return 0;
	case 1301:
		*n = 1;
		*static_cast<int64_t *>(values) = atoi(o->name.c_str() + 7);
		return 0;
	case 1303:
		*n = o->name == "engine 10" ? 2 : 0;
		if (*n) static_cast<int *>(values)[0] = 4, static_cast<int *>(values)[1] = 0;
		return 0;
	case 402:
		*n = 1;
		*static_cast<int64_t *>(values) = o->holds == "big" ? int64_t(1) << 40 : 2000;
		return 0;
	}
	return 2000;
}

int cudnnBackendExecute(void *, void *plan, void *pack) {
	Object *p = static_cast<Object *>(pack);
	return note("BackendExecute", "%s ids[%s] at[%s] space %s", static_cast<Object *>(plan)->attributes[401].c_str(),
		p->attributes[1000].c_str(), p->attributes[1001].c_str(), p->attributes[1003].c_str());
}

} // extern "C"
