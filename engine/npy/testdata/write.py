# Writes *.npy beside it with NumPy: each type, both byte orders, both orders of elements.
import os
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
v = np.array([[0, 1, -2], [3, 100, -5]])
for t in "<f2 <f4 >f4 <f8 >f8 <i1 <i2 >i2 <i4 <i8 >i8".split():
    np.save(os.path.join(here, {"<": "little", ">": "big"}[t[0]] + "-" + t[1:] + ".npy"), v.astype(t))
np.save(os.path.join(here, "fortran.npy"), np.asfortranarray(v.astype("f4")))
np.save(os.path.join(here, "bytes.npy"), np.array([0, 7, 255], "u1"))
np.save(os.path.join(here, "bools.npy"), np.array([True, False]))
np.save(os.path.join(here, "scalar.npy"), np.float32(2.5))
np.save(os.path.join(here, "empty.npy"), np.zeros((0, 4), "f4"))
with open(os.path.join(here, "version2.npy"), "wb") as f:
    np.lib.format.write_array(f, v.astype("f4"), version=(2, 0))
np.save(os.path.join(here, "complex.npy"), np.array([1j]))
