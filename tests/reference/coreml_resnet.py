"""coreml_resnet.py - ResNet as a program: convolutions, batch norms behind them; see coreml_convert.py."""
import numpy as np

from coreml_writer import F32

INPUTS = ["pixel_values"]


def write(p, config, w, inputs):
    x = p.cast(p.input("pixel_values", F32, inputs["pixel_values"].shape), p.float)

    def conv(x, name, stride, relu=True):
        weight = w[name + ".convolution.weight"]
        out, _, kernel, _ = weight.shape
        pad = kernel // 2
        size = [(s + 2 * pad - kernel) // stride + 1 for s in x.shape[2:]]
        x = p.shaped("conv", x, [x.shape[0], out] + size, weight=weight, strides=[stride] * 2,
                     pad_type="custom", pad=[pad] * 4, dilations=[1, 1], groups=1)
        n = name + ".normalization."
        x = p.same("batch_norm", x, mean=w[n + "running_mean"], variance=w[n + "running_var"],
                   gamma=w[n + "weight"], beta=w[n + "bias"], epsilon=np.float32(1e-5))
        return p.same("relu", x) if relu else x

    x = conv(x, "resnet.embedder.embedder", 2)
    x = p.shaped("max_pool", x, x.shape[:2] + [(s - 1) // 2 + 1 for s in x.shape[2:]], kernel_sizes=[3, 3],
                 strides=[2, 2], pad_type="custom", pad=[1] * 4, ceil_mode=False)
    for s, depth in enumerate(config["depths"]):
        for d in range(depth):
            name = f"resnet.encoder.stages.{s}.layers.{d}."
            stride = 2 if d == 0 and (s > 0 or config["downsample_in_first_stage"]) else 1
            rest = conv(x, name + "shortcut", stride, False) if d == 0 else x
            x = conv(conv(x, name + "layer.0", 1), name + "layer.1", stride)
            x = p.same("relu", p.pair("add", conv(x, name + "layer.2", 1, False), rest))
    x = p.shaped("reduce_mean", x, x.shape[:2], axes=[2, 3], keep_dims=False)
    p.output("logits", p.linear(x, w["classifier.1.weight"], w["classifier.1.bias"]))
