"""Times cuDNN, through PyTorch, on the convolutions of a file that `mdp kernels` wrote.

    python3 cudnn.py kernels.jsonl > cudnn.jsonl

Same layout (channels_last), same precision, the cache taken before each sample, cuDNN's choice
of algorithm by measurement. What is bf16 lies in memory as bf16 here and as float32 there. Two
lines more: the copy bandwidth and the peak of a matrix product. `--list` prints what is parsed.
"""
import json
import re
import statistics
import sys

NAME = re.compile(
    r"(conv_forward|conv_backward_data|conv_backward_filter)[^/]*/n(\d+)_(\d+)x(\d+)x(\d+)_k(\d+)x(\d+)x(\d+)"
    r"_s(\d+)x(\d+)_p(\d+)x(\d+)_d(\d+)x(\d+)_g(\d+)_o(\d+)x(\d+)$")
FIELDS = "n h w c k r s stride0 stride1 pad0 pad1 dilation0 dilation1 groups p q".split()


def convolutions(path):
    """Yields (call, precision, direction, geometry) of each convolution once."""
    seen = set()
    with open(path) as lines:
        for line in lines:
            row = json.loads(line)
            match = NAME.match(row.get("call", ""))
            if match and (row["call"], row["precision"]) not in seen:
                seen.add((row["call"], row["precision"]))
                yield row["call"], row["precision"], match[1], dict(zip(FIELDS, map(int, match.groups()[1:])))


def times_ns(torch, run, flush, samples=10):
    for _ in range(3):
        run()
    taken = []
    for _ in range(samples):
        flush.zero_()
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        taken.append(round(begin.elapsed_time(end) * 1e6))
    return taken


def runner(torch, precision, direction, g):
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def tensor(*shape):
        return torch.randn(*shape, device="cuda", dtype=dtype).to(memory_format=torch.channels_last)

    x = tensor(g["n"], g["c"], g["h"], g["w"])
    w = tensor(g["k"], g["c"] // g["groups"], g["r"], g["s"])
    shape = [g["stride0"], g["stride1"]], [g["pad0"], g["pad1"]], [g["dilation0"], g["dilation1"]]
    if direction == "conv_forward":
        return lambda: torch.nn.functional.conv2d(x, w, None, *shape, g["groups"])
    dy = tensor(g["n"], g["k"], g["p"], g["q"])
    data = direction == "conv_backward_data"
    return lambda: torch.ops.aten.convolution_backward(
        dy, x, w, None, *shape, False, [0, 0], g["groups"], [data, not data, False])


def main():
    path = sys.argv[-1]
    if "--list" in sys.argv:
        for call in convolutions(path):
            print(*call)
        return
    import torch
    torch.backends.cudnn.benchmark = True
    flush = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")

    def report(name, taken, **more):
        print(json.dumps({"call": name, **more, "medianNS": round(statistics.median(taken)), "samplesNS": taken}), flush=True)

    print(json.dumps({"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "device": torch.cuda.get_device_name()}), flush=True)
    a, b = torch.empty(1 << 30, dtype=torch.uint8, device="cuda"), torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    report("copy", times_ns(torch, lambda: a.copy_(b), flush), bytes=2 << 30)
    del a, b
    for precision in "fp32", "tf32", "bf16":
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        m = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
        report("matmul", times_ns(torch, lambda: m @ m, flush), precision=precision, flop=2 * 8192**3)
        del m
    for call, precision, direction, g in convolutions(path):
        try:
            report(call, times_ns(torch, runner(torch, precision, direction, g), flush), precision=precision)
        except RuntimeError as error:
            print(json.dumps({"call": call, "precision": precision, "error": str(error).splitlines()[0]}), flush=True)


main()
