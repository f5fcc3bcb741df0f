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
}
