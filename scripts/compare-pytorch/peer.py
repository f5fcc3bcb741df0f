"""The PyTorch side of compare-pytorch: reads requests as lines of JSON, answers each with one.

{"prepare": WORK, "compile": B, "freeze": B, "channelsLast": B}   makes the work ready and runs it once
{"sample": N}                                                     runs it N times: {"ns": wall time of all}
{"peak": true}                                                    {"kiB": the process's largest resident set}
"""

import json
import sys
import time

import torch
import torch._inductor.config
import torchvision
from torch import nn


class Basic(nn.Module):
    """The block of the CIFAR ResNets; its shortcut is projected where shapes change."""

    def __init__(self, c, k, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k)
        self.conv2, self.bn2 = nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))

    def forward(self, x):
        z = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + z)


def resnet20():
    layers, c = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)], 16
    for k in (16, 32, 64):
        for _ in range(3):
            layers.append(Basic(c, k, 1 if c == k else 2))
            c = k
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def dtype(w):
    return torch.bfloat16 if w.get("precision") == "bf16" else torch.float32


def convolution(w, layout):
    """One direction of one convolution, through the same entry that autograd takes."""
    def noise(*shape):
        return (torch.rand(shape) - 0.5).to(dtype(w)).contiguous(memory_format=layout)
    x, dy = noise(w["n"], w["c"], w["h"], w["w"]), noise(w["n"], w["k"], w["p"], w["q"])
    f = noise(w["k"], w["c"] // w["groups"], w["r"], w["s"])
    geometry = (w["stride"], w["pad"], [1, 1], False, [0, 0], w["groups"])
    if w["direction"] == "forward":
        return lambda: torch.ops.aten.convolution(x, f, None, *geometry)
    mask = [w["direction"] == "input", w["direction"] == "filter", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, f, None, *geometry, mask)


def network(w, layout, o):
    net = resnet20() if w["net"] == "resnet20-cifar" else torchvision.models.get_model(w["net"], weights=None)
    parameters = sum(p.numel() for p in net.parameters())
    if parameters != w["parameters"]:
        raise SystemExit(f"{w['net']} has {parameters} parameters here, {w['parameters']} there")
    net = net.to(memory_format=layout)
    x = torch.randn(w["n"], 3, w["side"], w["side"]).contiguous(memory_format=layout)
    with torch.no_grad():
        classes = net.eval()(x[:1]).shape[1]
    torch._inductor.config.freezing = o["freeze"]
    if not w.get("training"):
        net, x = net.to(dtype(w)), x.to(dtype(w))
        run = torch.compile(net) if o["compile"] else net
        return lambda: run(x)
    net.train()
    labels = torch.randint(classes, (w["n"],))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, fused=True)

    def forward(x, labels):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype(w) != torch.float32):
            return loss(net(x), labels)
    run = torch.compile(forward) if o["compile"] else forward

    def step():
        optimiser.zero_grad(set_to_none=True)
        run(x, labels).backward()
        optimiser.step()
    return step


def prepare(request):
    w, layout = request["prepare"], torch.channels_last if request["channelsLast"] else torch.contiguous_format
    torch.compiler.reset()
    torch.set_grad_enabled(w.get("training", False))
    run = convolution(w, layout) if "direction" in w else network(w, layout, request)
    run()
    return run


def main():
    torch.manual_seed(1)
    torch.set_num_threads(int(sys.argv[1]))
    run = None
    for line in sys.stdin:
        request, answer = json.loads(line), {}
        if "prepare" in request:
            run = None  # its memory goes before the next takes its own
            run = prepare(request)
        elif "sample" in request:
            start = time.perf_counter_ns()
            for _ in range(request["sample"]):
                run()
            answer["ns"] = time.perf_counter_ns() - start
        else:
            with open("/proc/self/status") as status:
                answer["kiB"] = next(int(s.split()[1]) for s in status if s.startswith("VmHWM"))
        print(json.dumps(answer), flush=True)


main()
