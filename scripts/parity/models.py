"""The networks that are compared, with random weights and batch-norm statistics that are not PyTorch's first ones."""

import timm, torch, torchvision

# (library, model, our network of the same names or "", image size)
MODELS = [
    ("torchvision", "resnet18", "resnet18", 224),
    ("torchvision", "resnet50", "resnet50", 224),
    ("torchvision", "resnet101", "resnet101", 224),
    ("torchvision", "vgg16_bn", "vgg16_bn", 224),
    ("torchvision", "mobilenet_v2", "mobilenet_v2", 224),
    ("torchvision", "mobilenet_v3_small", "mobilenet_v3_small", 224),
    ("torchvision", "mobilenet_v3_large", "mobilenet_v3_large", 224),
    ("torchvision", "efficientnet_b0", "efficientnet_b0", 224),
    ("torchvision", "densenet121", "densenet121", 224),
    ("torchvision", "regnet_y_400mf", "regnet_y_400mf", 224),
    ("torchvision", "convnext_tiny", "", 224),
    ("timm", "resnet50", "resnet50", 224),
    ("timm", "resnet50d", "", 224),
    ("timm", "mobilenetv1_100", "", 224),
    ("timm", "mobilenetv2_100", "mobilenet_v2", 224),
    ("timm", "mobilenetv3_large_100", "mobilenet_v3_large", 224),
    ("timm", "efficientnet_b0", "efficientnet_b0", 224),
    ("timm", "regnety_004", "regnet_y_400mf", 224),
]

# Models that nothing here was written for: (library, model, image size, whether it is refused).
OTHERS = [
    ("torchvision", "squeezenet1_1", 224, False),
    ("torchvision", "googlenet", 224, False),
    ("torchvision", "inception_v3", 299, False),
    ("torchvision", "mnasnet1_0", 224, False),
    ("torchvision", "resnext50_32x4d", 224, False),
    ("torchvision", "regnet_x_400mf", 224, False),
    ("torchvision", "efficientnet_v2_s", 224, False),
    ("timm", "mobilenetv4_conv_small", 224, False),
    ("timm", "efficientnet_lite0", 224, False),
    ("timm", "ghostnet_100", 224, False),
    ("timm", "repvgg_a0", 224, False),
    ("timm", "mobileone_s0", 224, False),
    ("timm", "dla34", 224, False),
    ("timm", "ese_vovnet19b_dw", 224, False),
    ("timm", "xception41", 224, False),
    ("torchvision", "shufflenet_v2_x1_0", 224, True),
    ("timm", "mixnet_s", 224, True),
    ("timm", "hrnet_w18_small", 224, True),
    ("timm", "darknet53", 224, True),
]

# Why a model has no network of ours, and what is compared instead.
WHY = {
    "convnext_tiny": "no network of ours: layer normalisation and GELU",
    "resnet50d": "no network of ours; by its ONNX file",
    "mobilenetv1_100": "ours has ReLU where it has ReLU6; by its ONNX file",
}


def shaken(model, seed=1):
    """Gives every batch norm numbers as training would."""
    r = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
                m.running_mean.copy_(0.1 * torch.randn(m.running_mean.shape, generator=r))
                m.running_var.copy_(0.5 + torch.rand(m.running_var.shape, generator=r))
                m.weight.copy_(0.5 + torch.rand(m.weight.shape, generator=r))
                m.bias.copy_(0.1 * torch.randn(m.bias.shape, generator=r))
    return model


def make(library, name, seed=0):
    torch.manual_seed(seed)
    model = torchvision.models.get_model(name, weights=None) if library == "torchvision" else timm.create_model(name, pretrained=False)
    return shaken(model).eval()


def images(n, size, channels=3, seed=2):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(seed))


def away_from_kinks(model):
    """Moves what ReLUs read away from zero: sums of branches by 3.5 deviations, every channel to one side, other
    batch norms' outputs up by two. Among millions of rectified numbers some otherwise lie so close to zero that float32
    rounds them to the other side, and the gradient jumps: at 224×224 PyTorch's own in float32 and in float64 differ by
    percents."""
    with torch.no_grad():
        for name, m in model.named_modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                block = model.get_submodule(name.rpartition(".")[0])
                last = "bn3" if hasattr(block, "bn3") else "bn2"
                summed = name.endswith(("downsample.1", last)) or name == "bn1"
                side = 3.5 * (2 * (torch.arange(len(m.bias)) * 7 % 11 % 2) - 1)
                m.bias.copy_(m.weight * (side if summed else 2))
    return model
