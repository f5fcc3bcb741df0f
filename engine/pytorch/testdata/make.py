"""Writes the files that the tests read: python make.py (torch, torchvision, timm)."""

import collections, gzip, json

import timm, torch, torchvision
from torch import nn

base = torch.arange(24, dtype=torch.float32)
state = collections.OrderedDict(
    plain=base[:6].reshape(2, 3).clone(),
    half=torch.tensor([1, -2, 0.5, 65504], dtype=torch.float16),
    brain=torch.tensor([[1, -2], [0.5, 3e38]], dtype=torch.bfloat16),
    double=torch.tensor([0.1, -1e300, 3], dtype=torch.float64),
    counter=torch.tensor(7),
    scalar=torch.tensor(2.5),
    shared=base[4:10],
    transposed=base[:6].reshape(2, 3).T,
    every_other=base[1::2],
    expanded=base[3].expand(2, 2),
    last=torch.arange(24, dtype=torch.float32).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
    parameter=nn.Parameter(base[:2].clone()),
    none=None,
    text="no tensor",
)
torch.save(state, "state.pt")
torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.ReLU(), nn.Linear(3, 4, bias=False)))
with torch.no_grad():
    for i, t in enumerate(module.state_dict().values()):
        t.copy_((torch.arange(t.numel()) + 100 * i).reshape(t.shape))
torch.save(module, "module.pt")
torch.save({"epoch": 1, "state_dict": {"module.model." + k: v for k, v in module.state_dict().items()}, "optimizer": {"lr": 0.1}}, "wrapped.pt")

names = {}
for library, models in {
    torchvision.models.get_model: ["vgg11_bn", "resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "densenet121", "regnet_y_400mf"],
    timm.create_model: ["vgg11_bn", "resnet18", "resnet50", "mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv3_large_100", "efficientnet_b0", "densenet121", "regnety_004", "mobilenetv1_100", "resnet50d"],
}.items():
    for m in models:
        names[library.__module__.split(".")[0] + " " + m] = [[k, list(t.shape)] for k, t in library(m).state_dict().items()]
with open("names.json.gz", "wb") as f:
    f.write(gzip.compress(json.dumps(names).encode(), mtime=0))
