#!/usr/bin/python3
"""BERT in plain torch: a peer of `make bench`; see torch_peer.py."""
import torch
import torch.nn.functional as F
from torch import nn
import torch_peer


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c["hidden_size"]
        self.heads, self.size = c["num_attention_heads"], h // c["num_attention_heads"]
        self.query, self.key, self.value, self.out = (nn.Linear(h, h) for _ in range(4))
        self.up, self.down = nn.Linear(h, c["intermediate_size"]), nn.Linear(c["intermediate_size"], h)
        self.norm1, self.norm2 = (nn.LayerNorm(h, eps=c["layer_norm_eps"]) for _ in range(2))

    def split(self, x):  # (batch, tokens, hidden) -> (batch, heads, tokens, size)
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).transpose(1, 2)

    def forward(self, x, bias):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / self.size ** 0.5 + bias
        context = torch.matmul(torch.softmax(scores, -1), v).transpose(1, 2)
        x = self.norm1(self.out(context.reshape(x.shape[0], x.shape[1], self.heads * self.size)) + x)
        return self.norm2(self.down(F.gelu(self.up(x))) + x)


class Bert(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c["hidden_size"]
        self.words, self.positions = nn.Embedding(c["vocab_size"], h), nn.Embedding(c["max_position_embeddings"], h)
        self.types, self.norm = nn.Embedding(c["type_vocab_size"], h), nn.LayerNorm(h, eps=c["layer_norm_eps"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))

    def forward(self, input_ids, attention_mask, token_type_ids):
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.norm(self.words(input_ids) + self.types(token_type_ids) + self.positions(positions))
        bias = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, bias)
        return x

    @classmethod
    def load(cls, config, weights):
        model = cls(config)
        torch_peer.load_parameters(model, weights, lambda name: hub_name(name, weights))
        return model

    def export(self, path, variant):
        ones = torch.ones(2, 8, dtype=torch.int64)
        names = ["input_ids", "attention_mask", "token_type_ids"]
        torch.onnx.export(self, (ones, ones, torch.zeros_like(ones)), path, opset_version=17, input_names=names,
                          output_names=["last_hidden_state"], do_constant_folding=True,
                          dynamic_axes={n: {0: "batch", 1: "tokens"} for n in names + ["last_hidden_state"]})


# Our module's name -> the hub's name below `encoder.layer.N.`.
LAYER_NAMES = {"query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
               "out": "attention.output.dense", "norm1": "attention.output.LayerNorm", "up": "intermediate.dense",
               "down": "output.dense", "norm2": "output.LayerNorm"}
NAMES = {"words": "embeddings.word_embeddings", "positions": "embeddings.position_embeddings",
         "types": "embeddings.token_type_embeddings", "norm": "embeddings.LayerNorm"}


def hub_name(name, weights):
    module, kind = name.rsplit(".", 1)
    if module.startswith("layers."):
        _, n, part = module.split(".")
        module = f"encoder.layer.{n}.{LAYER_NAMES[part]}"
    else:
        module = NAMES[module]
    old = {"weight": "gamma", "bias": "beta"}[kind]
    for candidate in (f"{p}{module}.{k}" for p in ("bert.", "") for k in (kind, old)):
        if candidate in weights:
            return candidate
    raise SystemExit(f"torch_bert.py: no weight for {name}")


if __name__ == "__main__":
    torch_peer.main(Bert)
