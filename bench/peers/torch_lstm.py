#!/usr/bin/python3
"""torch.nn.LSTM, behind an embedding or on rows of numbers: a peer of `make bench`; see torch_peer.py."""
import torch
from torch import nn
import torch_peer


class Lstm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.lstm = nn.LSTM(c["input_size"], c["hidden_size"], c["num_layers"], batch_first=True)
        self.embed = None if c.get("input") == "features" else nn.Embedding(c["vocab_size"], c["input_size"])

    def forward(self, *args, input_ids=None, input=None):
        values = args[0] if args else input_ids if input_ids is not None else input
        return self.lstm(values if self.embed is None else self.embed(values))[0]

    @classmethod
    def load(cls, config, weights):
        model = cls(config)
        torch_peer.load_parameters(model, weights, lambda name: name)
        return model

    def export(self, path, variant):
        name, example = "input_ids", torch.ones(2, 8, dtype=torch.int64)
        if self.embed is None:
            name, example = "input", torch.zeros(2, 8, self.lstm.input_size)
        torch.onnx.export(self, (example,), path, opset_version=17, input_names=[name], output_names=["output"],
                          do_constant_folding=True,
                          dynamic_axes={n: {0: "batch", 1: "steps"} for n in (name, "output")})


if __name__ == "__main__":
    torch_peer.main(Lstm)
