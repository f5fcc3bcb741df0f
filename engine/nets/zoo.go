package nets

// zoo is every network, in the order List shows them.
var zoo = []entry{
	{Info{"resnet18", "ResNet-18, basic blocks (arXiv 1512.03385)", imageNet, 1000}, resnet(basic, 2, 2, 2, 2)},
	{Info{"resnet34", "ResNet-34, basic blocks (arXiv 1512.03385)", imageNet, 1000}, resnet(basic, 3, 4, 6, 3)},
	{Info{"resnet50", "ResNet-50 v1.5, bottleneck blocks (arXiv 1512.03385)", imageNet, 1000}, resnet(bottleneck, 3, 4, 6, 3)},
	{Info{"resnet101", "ResNet-101 v1.5, bottleneck blocks (arXiv 1512.03385)", imageNet, 1000}, resnet(bottleneck, 3, 4, 23, 3)},
	{Info{"resnet152", "ResNet-152 v1.5, bottleneck blocks (arXiv 1512.03385)", imageNet, 1000}, resnet(bottleneck, 3, 8, 36, 3)},
	{Info{"resnet8-cifar", "ResNet-8 for small images, projection shortcuts", cifar, 10}, cifarResNet(8)},
	{Info{"resnet14-cifar", "ResNet-14 for small images, projection shortcuts", cifar, 10}, cifarResNet(14)},
	{Info{"resnet20-cifar", "ResNet-20 for small images, projection shortcuts", cifar, 10}, cifarResNet(20)},
	{Info{"resnet32-cifar", "ResNet-32 for small images, projection shortcuts", cifar, 10}, cifarResNet(32)},
	{Info{"resnet56-cifar", "ResNet-56 for small images, projection shortcuts", cifar, 10}, cifarResNet(56)},
	{Info{"vgg11_bn", "VGG-11 with batch norm (arXiv 1409.1556)", imageNet, 1000}, vgg(1, 1, 2, 2, 2)},
	{Info{"vgg13_bn", "VGG-13 with batch norm (arXiv 1409.1556)", imageNet, 1000}, vgg(2, 2, 2, 2, 2)},
	{Info{"vgg16_bn", "VGG-16 with batch norm (arXiv 1409.1556)", imageNet, 1000}, vgg(2, 2, 3, 3, 3)},
	{Info{"vgg19_bn", "VGG-19 with batch norm (arXiv 1409.1556)", imageNet, 1000}, vgg(2, 2, 4, 4, 4)},
	{Info{"mobilenet_v1", "MobileNet-V1, depthwise separable convolutions (arXiv 1704.04861)", imageNet, 1000}, mobileNetV1},
	{Info{"mobilenet_v2", "MobileNet-V2, inverted residuals (arXiv 1801.04381)", imageNet, 1000}, mobileNetV2},
	{Info{"mobilenet_v3_small", "MobileNet-V3 small, squeeze-excitation and hard swish (arXiv 1905.02244)", imageNet, 1000}, mobileNetV3Small},
	{Info{"mobilenet_v3_large", "MobileNet-V3 large, squeeze-excitation and hard swish (arXiv 1905.02244)", imageNet, 1000}, mobileNetV3Large},
	{Info{"efficientnet_b0", "EfficientNet-B0, squeeze-excitation and SiLU (arXiv 1905.11946)", imageNet, 1000}, efficientNetB0},
	{Info{"regnet_y_400mf", "RegNet-Y-400MF, grouped convolutions and squeeze-excitation (arXiv 2003.13678)", imageNet, 1000}, regNetY400MF},
	{Info{"densenet121", "DenseNet-121, concatenations (arXiv 1608.06993)", imageNet, 1000}, denseNet121},
}
