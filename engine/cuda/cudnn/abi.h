// What cuDNN 9 is called by: declared here, so that building needs none of its
// headers, and found by name when the program runs. The numbers are those of
// cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h, with which a test compares them.
#ifndef MDP_CUDNN_ABI
#define MDP_CUDNN_ABI

#include <stddef.h>
#include <stdint.h>

enum {
	CUDNN_STATUS_SUCCESS = 0,
	CUDNN_STATUS_NOT_SUPPORTED = 3000, // and the numbers up to 3999

	CUDNN_DATA_FLOAT = 0, CUDNN_DATA_HALF = 2, CUDNN_DATA_BFLOAT16 = 9,
	CUDNN_TENSOR_NCHW = 0, CUDNN_TENSOR_NHWC = 1,
	CUDNN_DEFAULT_MATH = 0, CUDNN_TENSOR_OP_MATH = 1, CUDNN_FMA_MATH = 3,
	CUDNN_CROSS_CORRELATION = 1,
	CUDNN_NOT_PROPAGATE_NAN = 0,
	CUDNN_ACTIVATION_RELU = 1, CUDNN_ACTIVATION_IDENTITY = 5,
	CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM = 1,

	CUDNN_BACKEND_POINTWISE_DESCRIPTOR = 0, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR = 1, CUDNN_BACKEND_ENGINE_DESCRIPTOR = 2,
	CUDNN_BACKEND_ENGINECFG_DESCRIPTOR = 3, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR = 4, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR = 5,
	CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR = 10, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR = 11,
	CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR = 12, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR = 13,
	CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR = 15, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR = 16, CUDNN_BACKEND_TENSOR_DESCRIPTOR = 17,

	CUDNN_TYPE_HANDLE = 0, CUDNN_TYPE_DATA_TYPE = 1, CUDNN_TYPE_BOOLEAN = 2, CUDNN_TYPE_INT64 = 3, CUDNN_TYPE_FLOAT = 4, CUDNN_TYPE_DOUBLE = 5,
	CUDNN_TYPE_VOID_PTR = 6, CUDNN_TYPE_CONVOLUTION_MODE = 7, CUDNN_TYPE_HEUR_MODE = 8, CUDNN_TYPE_NUMERICAL_NOTE = 11,
	CUDNN_TYPE_POINTWISE_MODE = 14, CUDNN_TYPE_BACKEND_DESCRIPTOR = 15,

	CUDNN_ATTR_POINTWISE_MODE = 0, CUDNN_ATTR_POINTWISE_MATH_PREC = 1, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP = 4,
	CUDNN_ATTR_CONVOLUTION_COMP_TYPE = 100, CUDNN_ATTR_CONVOLUTION_CONV_MODE = 101, CUDNN_ATTR_CONVOLUTION_DILATIONS = 102,
	CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES = 103, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS = 104, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS = 105,
	CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS = 106,
	CUDNN_ATTR_ENGINEHEUR_MODE = 200, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH = 201, CUDNN_ATTR_ENGINEHEUR_RESULTS = 202,
	CUDNN_ATTR_ENGINECFG_ENGINE = 300,
	CUDNN_ATTR_EXECUTION_PLAN_HANDLE = 400, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG = 401, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE = 402,
	CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA = 700, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA = 701,
	CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC = 702, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W = 703,
	CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X = 704, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y = 705,
	CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA = 706, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA = 707,
	CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC = 708, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W = 709,
	CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX = 710, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY = 711,
	CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA = 712, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA = 713,
	CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC = 714, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW = 715,
	CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X = 716, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY = 717,
	CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR = 750, CUDNN_ATTR_OPERATION_POINTWISE_XDESC = 751,
	CUDNN_ATTR_OPERATION_POINTWISE_BDESC = 752, CUDNN_ATTR_OPERATION_POINTWISE_YDESC = 753,
	CUDNN_ATTR_OPERATIONGRAPH_HANDLE = 800, CUDNN_ATTR_OPERATIONGRAPH_OPS = 801,
	CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT = 900, CUDNN_ATTR_TENSOR_DATA_TYPE = 901, CUDNN_ATTR_TENSOR_DIMENSIONS = 902,
	CUDNN_ATTR_TENSOR_STRIDES = 903, CUDNN_ATTR_TENSOR_UNIQUE_ID = 906, CUDNN_ATTR_TENSOR_IS_VIRTUAL = 907,
	CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS = 1000, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS = 1001, CUDNN_ATTR_VARIANT_PACK_WORKSPACE = 1003,
	CUDNN_ATTR_ENGINE_GLOBAL_INDEX = 1301, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE = 1303,

	CUDNN_HEUR_MODE_FALLBACK = 2, CUDNN_HEUR_MODE_A = 3,
	CUDNN_NUMERICAL_NOTE_TENSOR_CORE = 0, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS = 1,
	CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION = 2, CUDNN_NUMERICAL_NOTE_TYPE_COUNT = 10,
	CUDNN_POINTWISE_ADD = 0, CUDNN_POINTWISE_RELU_FWD = 100, CUDNN_POINTWISE_SIGMOID_FWD = 102, CUDNN_POINTWISE_SWISH_FWD = 106,
};

// The same for all three directions, whose algorithms are enumerations of their own.
typedef struct {
	int algo;
	int status;
	float time; // ms
	size_t memory;
	int determinism;
	int mathType;
	int reserved[3];
} cudnn_perf;

// Descriptors and handles are pointers to what only the library knows.
#define CUDNN_FUNCTIONS(F) \
	F(size_t, GetVersion, (void)) \
	F(const char *, GetErrorString, (int)) \
	F(void, GetLastErrorString, (char *, size_t)) \
	F(int, Create, (void **)) \
	F(int, Destroy, (void *)) \
	F(int, SetStream, (void *, void *)) \
	F(int, CreateTensorDescriptor, (void **)) \
	F(int, SetTensor4dDescriptor, (void *, int, int, int, int, int, int)) \
	F(int, DestroyTensorDescriptor, (void *)) \
	F(int, CreateFilterDescriptor, (void **)) \
	F(int, SetFilter4dDescriptor, (void *, int, int, int, int, int, int)) \
	F(int, DestroyFilterDescriptor, (void *)) \
	F(int, CreateConvolutionDescriptor, (void **)) \
	F(int, SetConvolution2dDescriptor, (void *, int, int, int, int, int, int, int, int)) \
	F(int, SetConvolutionGroupCount, (void *, int)) \
	F(int, SetConvolutionMathType, (void *, int)) \
	F(int, DestroyConvolutionDescriptor, (void *)) \
	F(int, CreateActivationDescriptor, (void **)) \
	F(int, SetActivationDescriptor, (void *, int, int, double)) \
	F(int, DestroyActivationDescriptor, (void *)) \
	F(int, FindConvolutionForwardAlgorithmEx, (void *, void *, const void *, void *, const void *, void *, void *, void *, int, int *, cudnn_perf *, void *, size_t)) \
	F(int, FindConvolutionBackwardDataAlgorithmEx, (void *, void *, const void *, void *, const void *, void *, void *, void *, int, int *, cudnn_perf *, void *, size_t)) \
	F(int, FindConvolutionBackwardFilterAlgorithmEx, (void *, void *, const void *, void *, const void *, void *, void *, void *, int, int *, cudnn_perf *, void *, size_t)) \
	F(int, ConvolutionForward, (void *, const void *, void *, const void *, void *, const void *, void *, int, void *, size_t, const void *, void *, void *)) \
	F(int, ConvolutionBiasActivationForward, (void *, const void *, void *, const void *, void *, const void *, void *, int, void *, size_t, const void *, void *, const void *, void *, const void *, void *, void *, void *)) \
	F(int, ConvolutionBackwardData, (void *, const void *, void *, const void *, void *, const void *, void *, int, void *, size_t, const void *, void *, void *)) \
	F(int, ConvolutionBackwardFilter, (void *, const void *, void *, const void *, void *, const void *, void *, int, void *, size_t, const void *, void *, void *)) \
	F(int, BackendCreateDescriptor, (int, void **)) \
	F(int, BackendDestroyDescriptor, (void *)) \
	F(int, BackendSetAttribute, (void *, int, int, int64_t, const void *)) \
	F(int, BackendGetAttribute, (void *, int, int, int64_t, int64_t *, void *)) \
	F(int, BackendFinalize, (void *)) \
	F(int, BackendExecute, (void *, void *, void *))

#define CUDNN_FIELD(result, name, arguments) result (*name) arguments;

// A loaded library.
typedef struct {
	CUDNN_FUNCTIONS(CUDNN_FIELD)
} cudnn_api;

#endif
