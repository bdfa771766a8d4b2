#!/usr/bin/python3
"""ResNet with bottleneck blocks in plain torch: a peer of `make bench`; see torch_peer.py."""
import torch
from torch import nn
import torch_peer


class Convolution(nn.Module):
    """With the batch norm folded into it: torch's oneDNN layers and eager convolutions are faster so."""

    def __init__(self, n_in, n_out, kernel, stride):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2)

    def forward(self, x):
        return self.conv(x)

    def fold(self, weights, name):
        w = {key: torch.from_numpy(weights[f"{name}.{key}"]) for key in (
            "convolution.weight", "normalization.weight", "normalization.bias", "normalization.running_mean",
            "normalization.running_var")}
        scale = w["normalization.weight"] / torch.sqrt(w["normalization.running_var"] + 1e-5)
        self.conv.weight.data = w["convolution.weight"] * scale[:, None, None, None]
        self.conv.bias.data = w["normalization.bias"] - w["normalization.running_mean"] * scale


class Block(nn.Module):
    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.shortcut = Convolution(n_in, n_out, 1, stride) if n_in != n_out or stride != 1 else None
        self.layer = nn.ModuleList([Convolution(n_in, n_out // 4, 1, 1), Convolution(n_out // 4, n_out // 4, 3, stride),
                                    Convolution(n_out // 4, n_out, 1, 1)])

    def forward(self, x):
        residual = x if self.shortcut is None else self.shortcut(x)
        x = torch.relu(self.layer[1](torch.relu(self.layer[0](x))))
        return torch.relu(self.layer[2](x) + residual)


class Resnet(nn.Module):
    def __init__(self, c, n_labels):
        super().__init__()
        if c["layer_type"] != "bottleneck" or c["hidden_act"] != "relu":
            raise SystemExit("torch_resnet.py: wants bottleneck blocks and relu")
        self.stem, width, blocks = Convolution(c["num_channels"], c["embedding_size"], 7, 2), c["embedding_size"], []
        for stage, (depth, out) in enumerate(zip(c["depths"], c["hidden_sizes"])):
            for block in range(depth):
                stride = 2 if block == 0 and (stage > 0 or c.get("downsample_in_first_stage")) else 1
                blocks.append((f"resnet.encoder.stages.{stage}.layers.{block}", Block(width, out, stride)))
                width = out
        self.names, self.blocks = [name for name, _ in blocks], nn.ModuleList(block for _, block in blocks)
        self.pool, self.flatten = nn.MaxPool2d(3, 2, 1), nn.Flatten()
        self.average, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(width, n_labels)

    def forward(self, pixel_values):
        x = pixel_values.to_mkldnn() if self.is_mkldnn() else pixel_values
        x = self.pool(torch.relu(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        x = self.average(x)
        x = x.to_dense() if self.is_mkldnn() else x
        return self.classifier(self.flatten(x))

    def is_mkldnn(self):
        return not isinstance(self.stem.conv, nn.Conv2d)

    @classmethod
    def load(cls, config, weights):
        model = cls(config, len(weights["classifier.1.bias"]))
        model.stem.fold(weights, "resnet.embedder.embedder")
        for name, block in zip(model.names, model.blocks):
            for i, convolution in enumerate(block.layer):
                convolution.fold(weights, f"{name}.layer.{i}")
            if block.shortcut is not None:
                block.shortcut.fold(weights, f"{name}.shortcut")
        torch_peer.load_parameters(model.classifier, weights, lambda name: f"classifier.1.{name}")
        return model

    def export(self, path, variant):
        torch.onnx.export(self, (torch.zeros(2, 3, 224, 224),), path, opset_version=17,
                          input_names=["pixel_values"], output_names=["logits"], do_constant_folding=True,
                          dynamic_axes={"pixel_values": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}})


if __name__ == "__main__":
    torch_peer.main(Resnet)
