#!/usr/bin/python3
"""Writes the small residual networks that tests/plugins/test_resnet.c compares with: NAME.json (config.json)
and NAME.safetensors (random weights, pictures and what torch answers, computed in double precision).

    tests/plugins/resnet/make_resnet_fixtures.py [FOLDER]      needs torch and numpy

The modules follow the papers and carry the names of transformers' ResNetModel or of torchvision."""
import json
import os
import struct
import sys

import numpy as np
import torch
from torch import nn

SIZES = [(2, 33, 47), (1, 1, 1), (3, 40, 9)]
ACTIVATIONS = {"relu": nn.functional.relu, "gelu": nn.functional.gelu, "silu": nn.functional.silu}


class ConvNorm(nn.Module):
    """transformers' convolution with batch norm."""

    def __init__(self, n_in, n_out, kernel, stride=1):
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        self.normalization = nn.BatchNorm2d(n_out)

    def forward(self, x):
        return self.normalization(self.convolution(x))


class Layer(nn.Module):
    def __init__(self, n_in, n_out, stride, config, act):
        super().__init__()
        self.act, inner = act, n_out // 4
        if config["layer_type"] == "basic":
            self.layer = nn.ModuleList([ConvNorm(n_in, n_out, 3, stride), ConvNorm(n_out, n_out, 3)])
        else:
            early = config.get("downsample_in_bottleneck", False)
            self.layer = nn.ModuleList([ConvNorm(n_in, inner, 1, stride if early else 1),
                                        ConvNorm(inner, inner, 3, 1 if early else stride),
                                        ConvNorm(inner, n_out, 1)])
        if n_in != n_out or stride != 1:
            self.shortcut = ConvNorm(n_in, n_out, 1, stride)

    def forward(self, x):
        y = x
        for i, layer in enumerate(self.layer):
            y = layer(y)
            if i + 1 < len(self.layer):
                y = torch.relu(y)
        return self.act(y + (self.shortcut(x) if hasattr(self, "shortcut") else x))


class Stage(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)


class Hub(nn.Module):
    """As transformers names it."""

    def __init__(self, config):
        super().__init__()
        self.act = act = ACTIVATIONS[config["hidden_act"]]
        self.embedder = nn.ModuleDict({"embedder": ConvNorm(config["num_channels"],
                                                            config["embedding_size"], 7, 2)})
        n_in, stages = config["embedding_size"], []
        for i, (depth, n_out) in enumerate(zip(config["depths"], config["hidden_sizes"])):
            stride = 2 if i > 0 or config.get("downsample_in_first_stage") else 1
            stages.append(Stage([Layer(n_in if j == 0 else n_out, n_out, stride if j == 0 else 1,
                                       config, act) for j in range(depth)]))
            n_in = n_out
        self.encoder = nn.ModuleDict({"stages": nn.ModuleList(stages)})

    def forward(self, x):
        x = self.act(self.embedder["embedder"](x))
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        for stage in self.encoder["stages"]:
            for layer in stage.layers:
                x = layer(x)
        return x


class HubClassifier(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.resnet = Hub(config)
        self.classifier = nn.Sequential(nn.Flatten(),
                                        nn.Linear(config["hidden_sizes"][-1], config["num_labels"]))

    def forward(self, x):
        return self.resnet(x)

    def logits(self, pooled):
        return self.classifier(pooled)


class Block(nn.Module):
    """torchvision's block; width and groups as resnext has them."""

    def __init__(self, n_in, n_out, stride, width, groups):
        super().__init__()
        sizes = [(n_in, n_out, 3, stride, 1), (n_out, n_out, 3, 1, 1)]
        if width:
            sizes = [(n_in, width, 1, 1, 1), (width, width, 3, stride, groups), (width, n_out, 1, 1, 1)]
        for i, (a, b, k, s, g) in enumerate(sizes, 1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, k, s, k // 2, groups=g, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b))
        self.n = len(sizes)
        self.downsample = None
        if n_in != n_out or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False),
                                            nn.BatchNorm2d(n_out))

    def forward(self, x):
        y = x
        for i in range(1, self.n + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.n:
                y = torch.relu(y)
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Vision(nn.Module):
    """As torchvision names it. stages: (depth, channels, width or 0, groups)."""

    def __init__(self, stem, stages, n_labels):
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        n_in = stem
        for i, (depth, n_out, width, groups) in enumerate(stages):
            blocks = [Block(n_in if j == 0 else n_out, n_out, 2 if i and j == 0 else 1, width, groups)
                      for j in range(depth)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            n_in = n_out
        self.n = len(stages)
        self.fc = nn.Linear(n_in, n_labels)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(self.n):
            x = getattr(self, f"layer{i + 1}")(x)
        return x

    def logits(self, pooled):
        return self.fc(pooled)


def hub(layer_type, act, **more):
    return {"model_type": "resnet", "layer_type": layer_type, "hidden_act": act, "num_channels": 3,
            "embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 2], "num_labels": 5,
            "architectures": ["ResNetForImageClassification"], **more}


def fixtures():
    config = hub("basic", "gelu", num_channels=1, hidden_sizes=[8, 16], depths=[2, 1])
    yield "hub-basic", config, HubClassifier(config)
    config = hub("bottleneck", "relu", downsample_in_first_stage=True, architectures=["ResNetModel"])
    yield "hub-features", config, Hub(config)
    config = hub("bottleneck", "silu", downsample_in_bottleneck=True, hidden_sizes=[16, 16, 32],
                 depths=[1, 1, 2], num_channels=4)
    yield "hub-bottleneck", config, HubClassifier(config)
    config = {"model_type": "resnet", "architectures": ["resnet18"]}
    yield "vision-basic", config, Vision(8, [(2, 8, 0, 1), (1, 16, 0, 1), (1, 16, 0, 1), (1, 24, 0, 1)], 7)
    config = {"architectures": ["resnext50_32x4d"]}
    yield "vision-groups", config, Vision(8, [(2, 16, 12, 4), (1, 32, 24, 4)], 3)


def randomise(module):
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        if name.endswith("running_var"):
            value = 0.5 + noise.abs()
        elif tensor.dim() == 4:
            value = noise * (2 / tensor[0].numel()) ** 0.5
        elif name.endswith("weight") and tensor.dim() == 1:
            value = 1 + 0.2 * noise
        else:
            value = 0.3 * noise
        tensor.copy_(value.float())  # what the file holds is what is computed with


def write(path, tensors):
    kinds = {"float32": "F32", "int64": "I64"}
    header, at = {}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": kinds[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name, config, module in fixtures():
        module = module.double().eval()
        randomise(module)
        tensors = {key: value.numpy() if value.dtype == torch.int64 else value.float().numpy()
                   for key, value in module.state_dict().items()}
        generator = torch.Generator().manual_seed(2)
        channels = config.get("num_channels", 3)
        for i, (batch, height, width) in enumerate(SIZES):
            x = torch.randn((batch, channels, height, width), generator=generator).double()
            with torch.no_grad():
                hidden = module(x)
                pooled = hidden.mean((2, 3))
                answers = {"pixel_values": x, "last_hidden_state": hidden, "pooler_output": pooled}
                if hasattr(module, "logits"):
                    answers["logits"] = module.logits(pooled)
            tensors.update({f"{key}.{i}": value.float().numpy() for key, value in answers.items()})
        write(os.path.join(folder, name + ".safetensors"), tensors)
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(config, file)
            file.write("\n")


if __name__ == "__main__":
    main()
