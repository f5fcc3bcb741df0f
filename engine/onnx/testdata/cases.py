# Writes cases/: small models in the forms that exporters emit, each with an input
# and what ONNX Runtime makes of it.
import os
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T, helper as h, numpy_helper as n

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
rng = np.random.default_rng(1)
C = lambda name, v: n.from_array(np.asarray(v), name)
I = lambda name, *v: C(name, np.array(v, np.int64))
F = lambda name, *shape: C(name, rng.standard_normal(shape).astype(np.float32))
S = lambda name, v: C(name, np.float32(v))
N = h.make_node


def case(name, nodes, consts, shape=("N", 4, 6, 5), opset=17, batch=2, external=False, ir=8):
    x = h.make_tensor_value_info("x", T.FLOAT, shape)
    y = h.make_tensor_value_info("y", T.FLOAT, None)
    m = h.make_model(h.make_graph(nodes, name, [x], [y], consts), opset_imports=[h.make_opsetid("", opset)], ir_version=ir)
    path = os.path.join(here, name + ".onnx")
    if external:
        if os.path.exists(path[:-5] + ".bin"):
            os.remove(path[:-5] + ".bin")  # it would be appended to
        onnx.save(m, path, save_as_external_data=True, location=name + ".bin", size_threshold=0)
    else:
        onnx.save(m, path)
    data = (2 * rng.standard_normal([batch if not isinstance(d, int) else d for d in shape])).astype(np.float32)
    out = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["y"], {"x": data})[0]
    for kind, v in (("in", data), ("out", out)):
        with open(os.path.join(here, f"{name}.{kind}.pb"), "wb") as f:
            f.write(n.from_array(v, kind).SerializeToString())


conv = [N("Conv", ["x", "c.weight", "c.bias"], ["a"], pads=[1, 1, 1, 1])]
convw = [F("c.weight", 4, 4, 3, 3), F("c.bias", 4)]
gap = [N("GlobalAveragePool", ["a"], ["g"]), N("Flatten", ["g"], ["f"])]

case("hard_swish_div", conv + [N("Add", ["a", "three"], ["b"]), N("Clip", ["b", "zero", "six"], ["c"]), N("Mul", ["a", "c"], ["d"]), N("Div", ["d", "six"], ["y"])],
     convw + [S("three", 3), S("zero", 0), S("six", 6)])
case("hard_swish_mul", conv + [N("Add", ["three", "a"], ["b"]), N("Clip", ["b", "zero", "six"], ["c"]), N("Mul", ["c", "sixth"], ["d"]), N("Mul", ["d", "a"], ["y"])],
     convw + [S("three", 3), S("zero", 0), S("six", 6), S("sixth", 1 / 6)])
case("hard_swish_sigmoid", conv + [N("HardSigmoid", ["a"], ["b"], alpha=1 / 6), N("Mul", ["a", "b"], ["c"]), N("HardSwish", ["c"], ["y"])], convw)
case("swish", conv + [N("Sigmoid", ["a"], ["b"]), N("Mul", ["b", "a"], ["y"])], convw)
case("relu6_attribute", conv + [N("Clip", ["a"], ["b"], min=0.0, max=6.0), N("Clip", ["b"], ["y"], max=2.5)], convw, opset=10)
case("excite", conv + [N("ReduceMean", ["a"], ["g"], axes=[2, 3], keepdims=0), N("Gemm", ["g", "w1", "b1"], ["h"], transB=1), N("Relu", ["h"], ["r"]),
                       N("MatMul", ["r", "w2"], ["m"]), N("Add", ["m", "b2"], ["s"]), N("Sigmoid", ["s"], ["t"]), N("Unsqueeze", ["t", "ax"], ["u"]), N("Mul", ["u", "a"], ["y"])],
     convw + [F("w1", 3, 4), F("b1", 3), F("w2", 3, 4), F("b2", 4), I("ax", 2, 3)])
case("excite_old", conv + [N("ReduceMean", ["a"], ["g"], axes=[-1, -2]), N("Conv", ["g", "w1"], ["h"]), N("Relu", ["h"], ["r"]), N("Conv", ["r", "w2"], ["m"]),
                           N("Add", ["m", "three"], ["s"]), N("Clip", ["s", "zero", "six"], ["t"]), N("Div", ["t", "six"], ["u"]), N("Mul", ["a", "u"], ["y"])],
     convw + [F("w1", 3, 4, 1, 1), F("w2", 4, 3, 1, 1), S("three", 3), S("zero", 0), S("six", 6)], opset=11)
case("view_chain", conv + [N("Shape", ["a"], ["s"]), N("Gather", ["s", "zero"], ["n"], axis=0), N("Unsqueeze", ["n"], ["u"], axes=[0]), N("Concat", ["u", "minus"], ["t"], axis=0),
                           N("Reshape", ["a", "t"], ["f"]), N("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], transB=1)],
     convw + [C("zero", np.int64(0)), I("minus", -1), F("fc.weight", 3, 120), F("fc.bias", 3)], opset=11)
case("flatten_norm", conv + [N("Flatten", ["a"], ["f"]), N("BatchNormalization", ["f", "s", "b", "m", "v"], ["n"], epsilon=0.01), N("Relu", ["n"], ["r"]), N("Mul", ["r", "k"], ["p"]),
                             N("Gemm", ["p", "w", "c"], ["y"], alpha=0.5, beta=2.0)],
     convw + [F("s", 120), F("b", 120), F("m", 120), C("v", np.abs(rng.standard_normal(120)).astype(np.float32) + 0.1), F("k", 1, 120), F("w", 120, 3), F("c", 1)])
case("norms", conv + [N("BatchNormalization", ["a", "bn.weight", "bn.bias", "m", "v"], ["n"], momentum=0.8), N("Mul", ["n", "s"], ["o"]), N("Add", ["o", "t"], ["p"]), N("Sub", ["one", "p"], ["y"])],
     convw + [F("bn.weight", 4), F("bn.bias", 4), F("m", 4), C("v", np.float32([1, 2, 0.5, 3])), F("s", 4, 1, 1), F("t", 1, 4, 1, 1), S("one", 1)], opset=9)
case("conv_forms", [N("Conv", ["x", "w1"], ["a"], auto_pad="SAME_UPPER", strides=[2, 2]), N("Conv", ["a", "w2", "b2"], ["b"], auto_pad="SAME_LOWER", strides=[2, 1]),
                    N("Conv", ["b", "w3"], ["c"], pads=[0, 1, 2, 3], dilations=[1, 2], kernel_shape=[2, 3]), N("Conv", ["c", "w4"], ["y"], auto_pad="VALID")],
     [F("w1", 6, 4, 3, 2), F("w2", 4, 6, 2, 2), F("b2", 4), F("w3", 8, 4, 2, 3), F("w4", 3, 8, 1, 1)], shape=("N", 4, 9, 8))
case("groups", [N("Conv", ["x", "w1"], ["a"], group=4, pads=[1, 1, 1, 1]), N("Conv", ["a", "w2"], ["y"], group=2)], [F("w1", 8, 1, 3, 3), F("w2", 6, 4, 1, 1)])
case("pads", conv + [N("Relu", ["a"], ["r"]), N("Pad", ["r", "p"], ["q"]), N("MaxPool", ["q"], ["m"], kernel_shape=[3, 2], strides=[2, 2]), N("Pad", ["m", "p"], ["t"]),
                     N("Conv", ["t", "w"], ["y"], pads=[1, 0, 0, 0])], convw + [I("p", 0, 0, 1, 0, 0, 0, 0, 1), F("w", 2, 4, 3, 3)])
case("pads_chain", conv + [N("ConstantOfShape", ["four"], ["z"], value=h.make_tensor("", T.INT64, [1], [0])), N("Concat", ["given", "z"], ["c"], axis=0), N("Reshape", ["c", "pairs"], ["r"]),
                           N("Slice", ["r", "s", "e", "ax", "st"], ["l"]), N("Transpose", ["l"], ["t"], perm=[1, 0]), N("Reshape", ["t", "minus"], ["o"]), N("Cast", ["o"], ["p"], to=T.INT64),
                           N("Pad", ["a", "p"], ["q"], mode="constant"), N("AveragePool", ["q"], ["y"], kernel_shape=[2, 3], strides=[2, 2])],
     convw + [I("four", 4), I("given", 1, 2, 0, 1), I("pairs", -1, 2), I("s", -1), I("e", -(1 << 62)), I("ax", 0), I("st", -1), I("minus", -1)])
case("pools", conv + [N("MaxPool", ["a"], ["b"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), N("AveragePool", ["b"], ["c"], kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1),
                      N("AveragePool", ["c"], ["d"], kernel_shape=[2, 2], pads=[1, 1, 0, 0]), N("AveragePool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), N("GlobalMaxPool", ["e"], ["y"])],
     convw, shape=("N", 4, 8, 8))
case("dense", conv + [N("Concat", ["a", "x"], ["b"], axis=1), N("Relu", ["b"], ["c"]), N("Concat", ["c", "a", "x"], ["d"], axis=-3), N("Conv", ["d", "w"], ["y"])], convw + [F("w", 3, 16, 1, 1)])
case("residual", conv + [N("Sum", ["a", "x", "a"], ["b"]), N("Sub", ["b", "x"], ["c"]), N("Identity", ["c"], ["d"]), N("Dropout", ["d", "ratio"], ["y"])], convw + [S("ratio", 0.5)])
case("head_mean", conv + [N("ReduceMean", ["a", "ax"], ["g"], keepdims=0), N("MatMul", ["g", "w"], ["m"]), N("Add", ["b", "m"], ["l"]), N("Softmax", ["l"], ["y"])],
     convw + [I("ax", 2, 3), F("w", 4, 3), F("b", 3)], opset=18)
case("head_squeeze", conv + [N("GlobalAveragePool", ["a"], ["g"]), N("Squeeze", ["g"], ["s"], axes=[2, 3]), N("Transpose", ["w"], ["wt"], perm=[1, 0]), N("MatMul", ["s", "wt"], ["l"]), N("Softmax", ["l"], ["y"], axis=1)],
     convw + [F("w", 3, 4)], opset=11)
case("head_pooled_softmax", conv + [N("GlobalAveragePool", ["a"], ["g"]), N("Softmax", ["g"], ["y"])], convw, opset=9, shape=(1, 4, 6, 5))
case("fixed_batch_reshape", conv + [N("GlobalAveragePool", ["a"], ["g"]), N("Reshape", ["g", "s"], ["f"]), N("Gemm", ["f", "w"], ["y"])], convw + [I("s", 1, -1), F("w", 4, 3)], opset=13, shape=(1, 4, 6, 5))
case("channels_last",
     [N("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), N("Conv", ["t", "c.weight", "c.bias"], ["a"]), N("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
      N("MatMul", ["b", "w"], ["m"]), N("Add", ["m", "bias"], ["o"]), N("Relu", ["o"], ["r"]), N("Reshape", ["r", "s"], ["f"]), N("Gemm", ["f", "fc"], ["y"])],
     convw + [F("w", 4, 5), F("bias", 5), I("s", 0, -1), F("fc", 60, 3)], shape=("N", 6, 5, 4))
case("normalised_input", [N("Sub", ["x", "mean"], ["m"]), N("Div", ["m", "std"], ["s"])] + [N("Conv", ["s", "c.weight"], ["y"], pads=[1, 1, 1, 1])],
     convw[:1] + [F("mean", 1, 4, 1, 1), C("std", np.float32([1, 2, 3, 4]).reshape(4, 1, 1))])
case("halves", [N("Cast", ["x"], ["h"], to=T.FLOAT16), N("Conv", ["h", "w", "b"], ["a"]), N("Cast", ["a"], ["f"], to=T.FLOAT), N("Cast", ["k"], ["kf"], to=T.FLOAT), N("Mul", ["f", "kf"], ["y"])],
     [C("w", rng.standard_normal((3, 4, 1, 1)).astype(np.float16)), C("b", rng.standard_normal(3).astype(np.float16)), C("k", np.float16(0.5))])
case("signal", [N("Conv", ["x", "w"], ["a"], pads=[1, 2], strides=[2]), N("MaxPool", ["a"], ["m"], kernel_shape=[2]), N("GlobalAveragePool", ["m"], ["y"])], [F("w", 3, 4, 3)], shape=("N", 4, 17))
case("outside", conv + gap + [N("Gemm", ["f", "w"], ["y"])], convw + [F("w", 4, 3)], external=True)
case("gate_of_itself", [N("Mul", ["x", "x"], ["a"]), N("Neg", ["a"], ["b"]), N("HardSigmoid", ["b"], ["c"]), N("Mul", ["c", "a"], ["y"])], [])
case("pads_clipped", conv + [N("Clip", ["given", "zero", "two"], ["p"]), N("Pad", ["a", "p"], ["q"]), N("Conv", ["q", "w"], ["y"])],
     convw + [I("given", -1, 0, 3, 1, 0, -5, 1, 2), C("zero", np.int64(0)), C("two", np.int64(2)), F("w", 2, 4, 3, 3)])
case("slice_of_all", [N("Concat", ["x", "x"], ["a"], axis=1), N("Slice", ["a", "zero", "many", "one", "one"], ["b"]), N("Slice", ["b", "zeros", "ends"], ["c"]), N("Conv", ["c", "w"], ["y"])],
     [I("zero", 0), I("many", 8), I("one", 1), I("zeros", 0, 0, 0, -5), I("ends", (1 << 63) - 1, 9, 6, 5), F("w", 3, 8, 1, 1)])
