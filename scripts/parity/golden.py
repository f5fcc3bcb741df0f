"""Small networks and what PyTorch computes of them, for the tests that run without Python (scripts/parity/run golden)."""

import onnx, torch, torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from models import images, shaken


class SmallResNet(nn.Module):
    """resnet8-cifar at a quarter of its width, of torchvision's blocks."""

    def __init__(self, planes=4, classes=10, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.layer1 = nn.Sequential(BasicBlock(planes, planes))
        for i in (1, 2):
            down = nn.Sequential(nn.Conv2d(planes, 2 * planes, 1, stride=2, bias=False), nn.BatchNorm2d(2 * planes))
            setattr(self, f"layer{i + 1}", nn.Sequential(BasicBlock(planes, 2 * planes, 2, down)))
            planes *= 2
        self.fc = nn.Linear(planes, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class Mixed(nn.Module):
    """What exporters spell in most ways: a padded convolution of odd sizes, depthwise, gates, concatenation,
    poolings, a flattened image, normalisation of it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, (3, 5), stride=(2, 1), padding=(1, 2)), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8, eps=1e-3)
        self.squeeze, self.excite = nn.Conv2d(8, 3, 1), nn.Conv2d(3, 8, 1)
        self.grouped = nn.Conv2d(8, 12, 3, padding=1, groups=4)
        self.flat = nn.BatchNorm1d(20 * 2 * 4)
        self.fc = nn.Linear(20 * 2 * 4, 6)

    def forward(self, x):
        x = self.stem(F.pad(x, (1, 0, 1, 0)))
        y = F.silu(self.norm(self.depthwise(x)))
        y = y * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        x = F.max_pool2d(x + y, 3, 2, 1)
        x = torch.cat((F.hardswish(x), F.hardsigmoid(self.grouped(x))), 1)
        x = F.avg_pool2d(x, 2, 2, (0, 1), count_include_pad=False)
        return self.fc(self.flat(x.flatten(1)))


def forget_paths(path):
    """Drops what an exporter notes of the machine it ran on: where in which file a node came from."""
    model = onnx.load(path)
    for part in [*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, path)


def half(model):
    """Rounds the weights to what 16 bits hold, in which the files keep them."""
    with torch.no_grad():
        for t in model.state_dict().values():
            if t.is_floating_point():
                t.copy_(t.half().float())
    return model


def golden(root, write_case, save_file):
    cases = root / "engine" / "pytorch" / "testdata" / "golden"
    torch.manual_seed(0)
    labels = torch.arange(6)
    write_case(cases / "resnet8", shaken(SmallResNet()), "resnet8-cifar", images(6, 16), labels, "state.pth", 0.25)
    mobile = half(shaken(torchvision.models.mobilenet_v3_small(width_mult=0.25, num_classes=7))).eval()
    write_case(cases / "mobilenet_v3", mobile, "mobilenet_v3_small", images(1, 48), None, "state.safetensors", 0.25, half=True)

    models = root / "engine" / "onnx" / "testdata" / "golden"
    models.mkdir(parents=True, exist_ok=True)
    for name, model, x in [("mixed", shaken(Mixed()), images(2, 13)[:, :, :, :11].contiguous()), ("resnet8", shaken(SmallResNet()), images(2, 16))]:
        model.eval()
        save_file({"images": x, "outputs": model(x).detach()}, models / f"{name}.safetensors")
        for exporter, dynamo in [("torchscript", False), ("dynamo", True)]:
            torch.onnx.export(model, (x,), models / f"{name}-{exporter}.onnx", dynamo=dynamo, opset_version=18 if dynamo else 13, external_data=False, verbose=False)
            forget_paths(models / f"{name}-{exporter}.onnx")
