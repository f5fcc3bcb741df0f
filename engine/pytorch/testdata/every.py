"""every for images of N×3×13×11.
a fact with ''' and \\

    from model import load
    model = load("model.safetensors")
"""

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return x * self.weight.view(shape) + self.bias.view(shape)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.put("stem.conv", nn.Conv2d(3, 8, (3, 5), stride=(2, 1), dilation=(2, 1)))
        self.put("stem.bn", nn.BatchNorm2d(8, eps=0.001, momentum=0.01))
        self.put("dw", nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False))
        self.put("reduce", nn.Linear(8, 4))
        self.put("expand", nn.Linear(4, 8))
        self.put("scale", Scale(24))
        self.put("mix", nn.Conv2d(24, 4, 1, bias=False))
        self.put("flat.bn", nn.BatchNorm1d(72))
        self.put("flat.scale", Scale(72))
        self.put("hidden", nn.Linear(72, 4))
        self.put("fc", nn.Linear(4, 5))

    def put(self, name, layer):
        """Adds a layer under a name with dots, as state dicts have them."""
        *parents, last = name.split(".")
        at = self
        for part in parents:
            if part not in at._modules:
                at.add_module(part, nn.Module())
            at = at._modules[part]
        at.add_module(last, layer)

    def forward(self, x):
        layer = self.get_submodule
        x = layer("stem.conv")(F.pad(x, (2, 1, 1, 0)))
        x = layer("stem.bn")(x)
        stem_class = F.relu(x)
        x = layer("dw")(stem_class)
        x = F.relu6(x)
        x = stem_class + x
        x = F.max_pool2d(F.pad(x, (1, 0, 1, 0), value=-torch.inf), 2, 1)
        x = F.max_pool2d(x, 3, 1, 1)
        x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        x = F.avg_pool2d(F.pad(x, (1, 0, 0, 1)), 2, 1) / F.avg_pool2d(F.pad(torch.ones_like(x), (1, 0, 0, 1)), 2, 1)
        avg3 = F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, (2, 1))
        x = avg3.mean((2, 3), keepdim=True)
        x = layer("reduce")(x.flatten(1))
        x = F.silu(x)
        x = layer("expand")(x)
        x = F.hardsigmoid(x)
        excite = x[:, :, None, None] * avg3
        swish = F.hardswish(excite)
        x = torch.sigmoid(excite)
        x = torch.cat((swish, excite, x), 1)
        x = layer("scale")(x)
        x = torch.clamp(x, -1, 2)
        mix = layer("mix")(x)
        x = mix.flatten(1)
        x = layer("flat.bn")(x)
        x = layer("flat.scale")(x)
        hidden = layer("hidden")(x)
        x = mix.mean((2, 3), keepdim=True)
        x = x + hidden[:, :, None, None]
        x = layer("fc")(x.flatten(1))
        x = F.softmax(x, 1)
        return x


def load(path):
    model = Net()
    model.load_state_dict(load_file(path))
    return model.eval()
