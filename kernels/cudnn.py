"""Times cuDNN, through PyTorch, on the networks and convolutions of a file that `mdp kernels` wrote.

    python3 cudnn.py kernels.jsonl > cudnn.jsonl

Same layout (channels_last), same precision, the cache taken before each sample, cuDNN's choice
of algorithm by measurement. What is bf16 or fp16 lies in memory so here; there, a line says. A
whole network in 16 bits is PyTorch's autocast, without its loss scale. Two lines more: the copy bandwidth and the peak of a
matrix product. bfloat16 comes first, and of each precision the networks: it may be cut off. Exits with 3 where there is
no PyTorch with CUDA. `--list` prints what is parsed; `--cpu` goes through all of it on a processor.
"""
import json
import re
import statistics
import sys
import time

NAME = re.compile(
    r"(conv_forward|conv_backward_data|conv_backward_filter)[^/]*/n(\d+)_(\d+)x(\d+)x(\d+)_k(\d+)x(\d+)x(\d+)"
    r"_s(\d+)x(\d+)_p(\d+)x(\d+)_d(\d+)x(\d+)_g(\d+)_o(\d+)x(\d+)$")
FIELDS = "n h w c k r s stride0 stride1 pad0 pad1 dilation0 dilation1 groups p q".split()
DEVICE = "cpu" if "--cpu" in sys.argv else "cuda"
ORDER = ["bf16", "tf32", "fp32", "fp16"]
HALVES = {"bf16": "bfloat16", "fp16": "float16"}


def rows(path):
    """Yields the file's lines, but one that was cut off."""
    with open(path) as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def convolutions(path):
    """Yields (call, precision, direction, geometry) of each convolution once."""
    seen = set()
    for row in rows(path):
        match = NAME.match(row.get("call", ""))
        if match and (row["call"], row["precision"]) not in seen:
            seen.add((row["call"], row["precision"]))
            yield row["call"], row["precision"], match[1], dict(zip(FIELDS, map(int, match.groups()[1:])))


def times_ns(torch, run, flush=None, samples=10):
    if DEVICE == "cpu":
        start = time.perf_counter_ns()
        run()
        return [time.perf_counter_ns() - start]
    for _ in range(3):
        run()
    taken = []
    for _ in range(samples):
        if flush is not None:
            flush.zero_()
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        taken.append(round(begin.elapsed_time(end) * 1e6))
    return taken


def dtype_of(torch, precision):
    return getattr(torch, HALVES.get(precision, "float32"))


def allow_tf32(torch, precision):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def convolution(torch, precision, direction, g):
    """Returns what runs the convolution."""
    dtype = dtype_of(torch, precision)

    def tensor(*shape):
        return torch.randn(*shape, device=DEVICE, dtype=dtype).to(memory_format=torch.channels_last)

    x = tensor(g["n"], g["c"], g["h"], g["w"])
    w = tensor(g["k"], g["c"] // g["groups"], g["r"], g["s"])
    shape = [g["stride0"], g["stride1"]], [g["pad0"], g["pad1"]], [g["dilation0"], g["dilation1"]]
    if direction == "conv_forward":
        return lambda: torch.nn.functional.conv2d(x, w, None, *shape, g["groups"])
    dy = tensor(g["n"], g["k"], g["p"], g["q"])
    data = direction == "conv_backward_data"
    return lambda: torch.ops.aten.convolution_backward(
        dy, x, w, None, *shape, False, [0, 0], g["groups"], [data, not data, False])


def resnet50(torch):
    """Is torchvision's, which need not be installed."""
    nn = torch.nn

    def conv_bn(c, k, side, stride=1):
        return [nn.Conv2d(c, k, side, stride, side // 2, bias=False), nn.BatchNorm2d(k)]

    class Bottleneck(nn.Module):
        def __init__(self, c, width, stride):
            super().__init__()
            self.body = nn.Sequential(*conv_bn(c, width, 1), nn.ReLU(True), *conv_bn(width, width, 3, stride), nn.ReLU(True), *conv_bn(width, 4 * width, 1))
            self.shortcut = nn.Sequential(*conv_bn(c, 4 * width, 1, stride)) if c != 4 * width else nn.Identity()

        def forward(self, x):
            return torch.relu_(self.body(x) + self.shortcut(x))

    layers, c = [*conv_bn(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for width, blocks in (64, 3), (128, 4), (256, 6), (512, 3):
        for i in range(blocks):
            layers.append(Bottleneck(c, width, 2 if i == 0 and width > 64 else 1))
            c = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 1000))


def network(torch, mode, precision, batch):
    """Returns what runs a step of ResNet-50, or a forward pass."""
    model = resnet50(torch).to(DEVICE, memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 224, 224, device=DEVICE).to(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=DEVICE) % 1000
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, 0.9, nesterov=True)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)

    def autocast():
        return torch.autocast(DEVICE, dtype_of(torch, precision), enabled=precision in HALVES)

    def infer():
        with torch.inference_mode(), autocast():
            model(images)

    def train():
        optimizer.zero_grad()
        with autocast():
            value = loss(model(images), labels)
        value.backward()
        optimizer.step()

    model.train(mode == "train")
    return train if mode == "train" else infer


def networks(path):
    """Yields (precision, what) of each network once, whatever its storage."""
    seen = []
    for row in rows(path):
        if row.get("network") == "resnet50":
            what = {key: row[key] for key in ("network", "mode", "precision", "batch")}
            if what not in seen:
                seen.append(what)
                yield row["precision"], what


def main():
    path = sys.argv[-1]
    if "--list" in sys.argv:
        for call in convolutions(path):
            print(*call)
        return
    try:
        import torch
    except ImportError as error:
        sys.exit(print(error, file=sys.stderr) or 3)
    if DEVICE == "cuda" and not torch.cuda.is_available():
        sys.exit(print("PyTorch finds no GPU", file=sys.stderr) or 3)
    torch.backends.cudnn.benchmark = True
    gib, side = (1 << 30, 8192) if DEVICE == "cuda" else (1 << 20, 64)
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else DEVICE
    flush = torch.empty(gib // 4, dtype=torch.uint8, device=DEVICE)

    def report(taken, **what):
        print(json.dumps({**what, "medianNS": round(statistics.median(taken)), "samplesNS": taken}), flush=True)

    def failed(error, **what):
        print(json.dumps({**what, "error": str(error).splitlines()[0]}), flush=True)

    print(json.dumps({"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "device": name}), flush=True)
    a, b = torch.empty(gib, dtype=torch.uint8, device=DEVICE), torch.empty(gib, dtype=torch.uint8, device=DEVICE)
    report(times_ns(torch, lambda: a.copy_(b), flush), call="copy", bytes=2 * gib)
    del a, b
    for precision in ORDER:
        allow_tf32(torch, precision)
        m = torch.randn(side, side, device=DEVICE, dtype=dtype_of(torch, precision))
        report(times_ns(torch, lambda: m @ m, flush), call="matmul", precision=precision, flop=2 * side**3)
        del m
    for precision in ORDER:
        allow_tf32(torch, precision)
        for _, what in filter(lambda n: n[0] == precision, networks(path)):
            try:
                taken = times_ns(torch, network(torch, what["mode"], precision, what["batch"]))
                report(taken, **what, images_per_s=what["batch"] / statistics.median(taken) * 1e9)
            except RuntimeError as error:
                failed(error, **what)
        for call, _, direction, g in filter(lambda c: c[1] == precision, convolutions(path)):
            try:
                report(times_ns(torch, convolution(torch, precision, direction, g), flush), call=call, precision=precision)
            except RuntimeError as error:
                failed(error, call=call, precision=precision)


main()
