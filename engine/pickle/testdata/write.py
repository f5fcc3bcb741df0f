# Wrote the protocol*.pkl beside it: every kind of value, by Python's own pickle.
import collections
import os
import pickle
import sys


class Point:
    def __init__(self, x):
        self.x = x


Point.__module__ = "shapes"
sys.modules["shapes"] = sys.modules["__main__"]
shared = [1]
values = {
    "none": None, "true": True, "false": False,
    "int": [0, 1, -1, 255, 256, 65535, 65536, -2**31, 2**31, 2**63 - 1, -2**63, 2**63, -2**64, 0x1950A86A20F9469CFC6C],
    "float": [0.0, -1.5, 1e300, float("inf")],
    "str": ["", "a\n\\\"'", "\u00e9\u20ac\U0001f600", "x" * 300],
    "bytes": [b"", b"\x00\xff", b"y" * 300],
    "tuple": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "dict": {1: {"a": (2,)}, (1, 2): None},
    "set": {7}, "frozenset": frozenset([8]),
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "shared": [shared, shared],
    "object": Point(3.5), "class": Point,
    "long": [0] * 1001,
    "table": {str(i): i / 4 for i in range(20)},
}
for protocol in range(6):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"protocol{protocol}.pkl"), "wb") as f:
        pickle.dump(values, f, protocol=protocol)
        pickle.dump("behind it", f, protocol=protocol)
