# Writes messages.onnx with ONNX's own package: every message and every way to hold data.
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as n

halves = np.array([0, -0.0, 1, -2.5, 65504, 6e-8, np.inf], np.float16)
tensors = [
    h.make_tensor("float_data", T.FLOAT, [2, 3], [1, 2, 3, 4, 5, -6.5]),
    h.make_tensor("double_data", T.DOUBLE, [2], [0.1, -2]),
    h.make_tensor("int64_data", T.INT64, [3], [0, -1, 1 << 40]),
    h.make_tensor("int32_data", T.INT32, [2], [7, -7]),
    h.make_tensor("int8_data", T.INT8, [2], [7, -7]),
    h.make_tensor("bool_data", T.BOOL, [3], [1, 0, 1]),
    h.make_tensor("uint64_data", T.UINT64, [1], [9]),
    h.make_tensor("half_data", T.FLOAT16, [7], halves),
    h.make_tensor("bfloat_data", T.BFLOAT16, [2], [1.5, -3]),
    n.from_array(halves, "half_raw"),
    n.from_array(np.arange(6, dtype=np.float32).reshape(1, 2, 3), "float_raw"),
    n.from_array(np.array(5, np.int64), "scalar"),
    n.from_array(np.zeros((0, 4), np.float32), "empty"),
    h.make_tensor("text", T.STRING, [1], [b"x"]),
]
outside = T(name="outside", data_type=T.FLOAT, dims=[2], data_location=T.EXTERNAL)
for k, v in (("location", "weights.bin"), ("offset", "4096"), ("length", "8")):
    outside.external_data.add(key=k, value=v)
node = h.make_node("Conv", ["x", "", "w"], ["y"], "conv", domain="some.where", f=0.5, i=-3, s="VALID", t=tensors[0], fs=[1.0, 2.0], many=[1, -2],
                   ss=["a", "b"])
graph = h.make_graph([node], "graph", [h.make_tensor_value_info("x", T.FLOAT, ["N", 3, None, 0])],
                     [h.make_tensor_value_info("y", T.FLOAT16, None)], tensors + [outside], "words", [h.make_tensor_value_info("z", T.INT64, [])])
model = h.make_model(graph, producer_name="who", producer_version="1", doc_string="more words", ir_version=9,
                     opset_imports=[h.make_opsetid("", 17), h.make_opsetid("some.where", 2)])
h.set_model_props(model, {"key": "value"})
onnx.save(model, __file__.replace("write.py", "messages.onnx"))
