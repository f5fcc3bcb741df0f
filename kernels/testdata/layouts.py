# Prints layouts.txt: the canonical layouts of wgmma's operands for 16-bit elements and of its
# sums, as CuTe writes them down (include/cute/atom/mma_traits_sm90_gmma.hpp), by CuTe's own
# algebra: pip install nvidia-cutlass==4.2.0.0; python layouts.py
from pycute import Layout, Swizzle


def hashed(numbers):  # FNV-1a of numbers of 32 bits
    h = 0xCBF29CE484222325
    for v in numbers:
        for i in range(4):
            h = (h ^ (v >> 8 * i & 255)) * 0x100000001B3 % 2**64
    return "%016x" % h


start, leading, stride = 0x2400, 0x2000, 0x800  # bytes, as products.cpp has them
for mode, bits in enumerate((0, 3, 2, 1)):
    wide = 1 << bits  # 16 bytes of eight elements side by side
    along = ((8, 16), (8, 2)), ((16 * wide, stride), (2, 16 if bits else leading))
    across = ((8, wide, 16 // wide), (8, 2)), ((2, 16, leading if bits else stride), (16 * wide, stride if bits else leading))
    for number, layout in enumerate((along, across)):
        at = Layout(*layout)
        print(mode, number, hashed(Swizzle(bits, 4, 3)(start + at(row, k)) for row in range(128) for k in range(16)))
sums = Layout(((4, 8, 4), (2, 2, 16)), ((128, 1, 16), (64, 8, 512)))
print("sums", hashed(sums(thread, i) for thread in range(128) for i in range(64)))
