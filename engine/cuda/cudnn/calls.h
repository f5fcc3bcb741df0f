// The calls through a loaded library that Go makes. Device addresses and streams
// come as numbers: they are no pointers of Go.
#ifndef MDP_CUDNN_CALLS
#define MDP_CUDNN_CALLS

#include <dlfcn.h>
#include <stdio.h>

#include "abi.h"

typedef uintptr_t address;

// cudnn_open fills in the functions of a library that is open. It returns the
// name of one that is missing, or null.
static const char *cudnn_open(cudnn_api *api, void *library) {
#define CUDNN_FIND(result, name, arguments) \
	if (!(api->name = (result(*) arguments)dlsym(library, "cudnn" #name))) return "cudnn" #name;
	CUDNN_FUNCTIONS(CUDNN_FIND)
	return 0;
}

static size_t cudnn_version(cudnn_api *a) { return a->GetVersion(); }

// cudnn_explain writes what a status means and what the library said last.
static void cudnn_explain(cudnn_api *a, int status, char *text, size_t size) {
	char last[400] = "";
	a->GetLastErrorString(last, sizeof last);
	snprintf(text, size, "%s%s%s", a->GetErrorString(status), last[0] ? ": " : "", last);
}

static int cudnn_create(cudnn_api *a, void **handle) { return a->Create(handle); }
static int cudnn_destroy(cudnn_api *a, void *handle) { return a->Destroy(handle); }
static int cudnn_set_stream(cudnn_api *a, void *handle, address stream) { return a->SetStream(handle, (void *)stream); }

// cudnn_conv is a convolution as the classic functions take it: descriptors of
// the image read, the filter, the image written, the bias and the addend.
typedef struct {
	void *x, *w, *y, *bias, *conv, *activation;
} cudnn_conv;

typedef struct {
	int format, type;
	int n, c, h, w;    // image read
	int k, cg, r, s;   // filter
	int p, q;          // image written
	int pad[2], stride[2], dilation[2], groups;
	int math, activation; // activation < 0: none
} cudnn_geometry;

static void cudnn_conv_free(cudnn_api *a, cudnn_conv *d) {
	if (d->x) a->DestroyTensorDescriptor(d->x);
	if (d->y) a->DestroyTensorDescriptor(d->y);
	if (d->bias) a->DestroyTensorDescriptor(d->bias);
	if (d->w) a->DestroyFilterDescriptor(d->w);
	if (d->conv) a->DestroyConvolutionDescriptor(d->conv);
	if (d->activation) a->DestroyActivationDescriptor(d->activation);
}

static int cudnn_conv_describe(cudnn_api *a, const cudnn_geometry *g, cudnn_conv *d) {
	int e;
	if ((e = a->CreateTensorDescriptor(&d->x))) return e;
	if ((e = a->SetTensor4dDescriptor(d->x, g->format, g->type, g->n, g->c, g->h, g->w))) return e;
	if ((e = a->CreateTensorDescriptor(&d->y))) return e;
	if ((e = a->SetTensor4dDescriptor(d->y, g->format, g->type, g->n, g->k, g->p, g->q))) return e;
	if ((e = a->CreateTensorDescriptor(&d->bias))) return e;
	if ((e = a->SetTensor4dDescriptor(d->bias, g->format, g->type, 1, g->k, 1, 1))) return e;
	if ((e = a->CreateFilterDescriptor(&d->w))) return e;
	if ((e = a->SetFilter4dDescriptor(d->w, g->type, g->format, g->k, g->cg, g->r, g->s))) return e;
	if ((e = a->CreateConvolutionDescriptor(&d->conv))) return e;
	if ((e = a->SetConvolution2dDescriptor(d->conv, g->pad[0], g->pad[1], g->stride[0], g->stride[1], g->dilation[0], g->dilation[1],
			CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT))) return e;
	if ((e = a->SetConvolutionGroupCount(d->conv, g->groups))) return e;
	if ((e = a->SetConvolutionMathType(d->conv, g->math))) return e;
	if (g->activation < 0) return 0;
	if ((e = a->CreateActivationDescriptor(&d->activation))) return e;
	return a->SetActivationDescriptor(d->activation, g->activation, CUDNN_NOT_PROPAGATE_NAN, 0);
}

static int cudnn_set_math(cudnn_api *a, cudnn_conv *d, int math) { return a->SetConvolutionMathType(d->conv, math); }

// The directions, as in Go.
enum { FORWARD, BACKWARD_DATA, BACKWARD_FILTER };

typedef struct {
	address x, w, y, z, b, workspace;
	size_t workspace_bytes;
} cudnn_operands;

static int cudnn_find(cudnn_api *a, void *handle, int direction, cudnn_conv *d, cudnn_operands *o, int most, int *found, cudnn_perf *perf) {
	void *x = (void *)o->x, *w = (void *)o->w, *y = (void *)o->y, *space = (void *)o->workspace;
	switch (direction) {
	case FORWARD:
		return a->FindConvolutionForwardAlgorithmEx(handle, d->x, x, d->w, w, d->conv, d->y, y, most, found, perf, space, o->workspace_bytes);
	case BACKWARD_DATA:
		return a->FindConvolutionBackwardDataAlgorithmEx(handle, d->w, w, d->y, y, d->conv, d->x, x, most, found, perf, space, o->workspace_bytes);
	default:
		return a->FindConvolutionBackwardFilterAlgorithmEx(handle, d->x, x, d->y, y, d->conv, d->w, w, most, found, perf, space, o->workspace_bytes);
	}
}

// cudnn_run runs the convolution, fused with bias, addend and activation where d has one.
static int cudnn_run(cudnn_api *a, void *handle, int direction, int algo, cudnn_conv *d, cudnn_operands *o) {
	const float one = 1, zero = 0;
	void *x = (void *)o->x, *w = (void *)o->w, *y = (void *)o->y, *space = (void *)o->workspace;
	size_t bytes = o->workspace_bytes;
	if (direction == BACKWARD_DATA)
		return a->ConvolutionBackwardData(handle, &one, d->w, w, d->y, y, d->conv, algo, space, bytes, &zero, d->x, x);
	if (direction == BACKWARD_FILTER)
		return a->ConvolutionBackwardFilter(handle, &one, d->x, x, d->y, y, d->conv, algo, space, bytes, &zero, d->w, w);
	if (!d->activation)
		return a->ConvolutionForward(handle, &one, d->x, x, d->w, w, d->conv, algo, space, bytes, &zero, d->y, y);
	void *z = o->z ? (void *)o->z : y; // with a factor of 0, what it is does not matter
	return a->ConvolutionBiasActivationForward(handle, &one, d->x, x, d->w, w, d->conv, algo, space, bytes,
		o->z ? &one : &zero, d->y, z, d->bias, (void *)o->b, d->activation, d->y, y);
}

static int cudnn_backend_create(cudnn_api *a, int type, void **d) { return a->BackendCreateDescriptor(type, d); }
static int cudnn_backend_destroy(cudnn_api *a, void *d) { return a->BackendDestroyDescriptor(d); }
static int cudnn_backend_finalize(cudnn_api *a, void *d) { return a->BackendFinalize(d); }
static int cudnn_backend_set(cudnn_api *a, void *d, int name, int type, int64_t n, const void *values) {
	return a->BackendSetAttribute(d, name, type, n, values);
}
static int cudnn_backend_get(cudnn_api *a, void *d, int name, int type, int64_t most, int64_t *n, void *values) {
	return a->BackendGetAttribute(d, name, type, most, n, values);
}
static int cudnn_backend_execute(cudnn_api *a, void *handle, void *plan, void *pack) { return a->BackendExecute(handle, plan, pack); }

#endif
