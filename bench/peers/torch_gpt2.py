#!/usr/bin/python3
"""GPT-2 in plain torch with a cache of keys and values: a peer of `make bench`; see torch_peer.py.

The graph has the inputs and outputs of the hub's ONNX exports (input_ids, attention_mask, position_ids,
past_key_values.N.key/value, present.N.key/value) with one difference that spares the peer work: its logits
are those of the last position alone. Variant gemm writes the linear layers as addmm, as transformers'
Conv1D does; matmul as a product and an addition."""
import math
import torch
import torch.nn.functional as F
from torch import nn
import torch_peer


def gelu_as_transformers(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class Product(nn.Module):
    """Conv1D: a linear layer whose weight is (in, out)."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight, self.bias, self.as_gemm = nn.Parameter(torch.empty(n_in, n_out)), nn.Parameter(torch.empty(n_out)), True

    def forward(self, x):
        if not self.as_gemm:
            return torch.matmul(x, self.weight) + self.bias
        return torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight).view(x.shape[:-1] + self.bias.shape)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, wide, eps = c["n_embd"], c.get("n_inner") or 4 * c["n_embd"], c["layer_norm_epsilon"]
        self.heads, self.size = c["n_head"], h // c["n_head"]
        self.ln_1, self.ln_2 = nn.LayerNorm(h, eps=eps), nn.LayerNorm(h, eps=eps)
        self.attn = nn.ModuleDict({"c_attn": Product(h, 3 * h), "c_proj": Product(h, h)})
        self.mlp = nn.ModuleDict({"c_fc": Product(h, wide), "c_proj": Product(wide, h)})
        self.gelu = lambda x: F.gelu(x, approximate="tanh")

    def split(self, x):  # (batch, tokens, hidden) -> (batch, heads, tokens, size)
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).transpose(1, 2)

    def forward(self, x, bias, past):
        q, k, v = (self.split(part) for part in self.attn["c_attn"](self.ln_1(x)).chunk(3, -1))
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        scores = torch.matmul(q, k.transpose(-1, -2)) / self.size ** 0.5
        if bias is not None:
            scores = scores + bias
        context = torch.matmul(torch.softmax(scores, -1), v).transpose(1, 2)
        x = x + self.attn["c_proj"](context.reshape(x.shape))
        return x + self.mlp["c_proj"](self.gelu(self.mlp["c_fc"](self.ln_2(x)))), (k, v)


class Gpt2(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c["n_embd"]
        self.wte, self.wpe = nn.Embedding(c["vocab_size"], h), nn.Embedding(c["n_positions"], h)
        self.h = nn.ModuleList(Layer(c) for _ in range(c["n_layer"]))
        self.ln_f = nn.LayerNorm(h, eps=c["layer_norm_epsilon"])
        self.head = None  # in 8 bits
        self.ids, self.past, self.n_tokens = None, None, 0

    def step(self, input_ids, position_ids, bias, past):
        """The logits behind the last position, and the keys and values of all."""
        x, present = self.wte(input_ids) + self.wpe(position_ids), []
        for i, layer in enumerate(self.h):
            x, pair = layer(x, bias, past[i] if past else None)
            present.append(pair)
        x = self.ln_f(x[:, -1])
        return torch.matmul(x, self.wte.weight.t()) if self.head is None else self.head(x), present

    def forward(self, input_ids):
        n = input_ids.shape[1]
        bias = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)
        return self.step(input_ids, torch.arange(n), bias, None)[0]

    def prompt(self, ids, n_tokens):
        n = ids.shape[1] - 1
        bias = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)
        self.past = self.step(ids[:, :-1], torch.arange(n), bias, None)[1]
        self.ids, self.n_tokens = ids, n_tokens

    def generate(self):
        past, last, tokens = self.past, self.ids[:, -1:], []
        for position in range(self.ids.shape[1] - 1, self.ids.shape[1] - 1 + self.n_tokens):
            logits, past = self.step(last, torch.tensor([[position]]), None, past)
            last = logits.argmax(-1, keepdim=True)
            tokens.append(last)
        return torch.cat(tokens), logits

    def with_linear(self):
        for layer in self.h:
            for parts in (layer.attn, layer.mlp):
                for name, product in parts.items():
                    linear = nn.Linear(*product.weight.shape)
                    linear.weight.data, linear.bias.data = product.weight.t().contiguous(), product.bias
                    parts[name] = linear.requires_grad_(False)
        return self

    @classmethod
    def load(cls, config, weights):
        model = cls(config)
        prefix = "transformer." if "transformer.wte.weight" in weights else ""
        torch_peer.load_parameters(model, weights, lambda name: prefix + name)
        return model

    def export(self, path, variant):
        for module in self.modules():
            if isinstance(module, Product):
                module.as_gemm = variant == "gemm"
            elif isinstance(module, Layer):
                module.gelu = gelu_as_transformers
        if variant == "int8":
            self.head = torch_peer.Int8Linear(self.wte.weight.data.t(), None)
        Graph(self).export(path)


class Graph(nn.Module):
    """The decoder as graphs have it: masks from attention_mask, the cache as inputs and outputs."""

    def __init__(self, model):
        super().__init__()
        self.model, self.n_layer = model, len(model.h)

    def forward(self, input_ids, attention_mask, position_ids, *past):
        n_all, n_new = attention_mask.shape[1], input_ids.shape[1]
        rows = torch.arange(n_all - n_new, n_all)[:, None]  # the position of each query among all
        hidden = (torch.arange(n_all)[None, :] > rows)[None, None] | (attention_mask == 0)[:, None, None, :]
        bias = hidden.to(torch.float32) * torch.finfo(torch.float32).min
        pairs = [(past[2 * i], past[2 * i + 1]) for i in range(self.n_layer)]
        logits, present = self.model.step(input_ids, position_ids, bias, pairs)
        return (logits, *(tensor for pair in present for tensor in pair))

    def export(self, path):
        layer = self.model.h[0]
        ids, mask = torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64)
        past = [torch.zeros(2, layer.heads, 3, layer.size) for _ in range(2 * self.n_layer)]
        of = lambda kind: [f"{kind}.{i}.{part}" for i in range(self.n_layer) for part in ("key", "value")]
        names = ["input_ids", "attention_mask", "position_ids"]
        axes = {"input_ids": {0: "batch", 1: "tokens"}, "attention_mask": {0: "batch", 1: "all_tokens"},
                "position_ids": {0: "batch", 1: "tokens"}, "logits": {0: "batch"}}
        axes |= {name: {0: "batch", 2: "past_tokens"} for name in of("past_key_values")}
        axes |= {name: {0: "batch", 2: "all_tokens"} for name in of("present")}
        torch.onnx.export(self, (ids, mask, torch.arange(3, 8).expand(2, 5), *past), path, opset_version=17,
                          input_names=names + of("past_key_values"), output_names=["logits"] + of("present"),
                          dynamic_axes=axes, do_constant_folding=True)


if __name__ == "__main__":
    torch_peer.main(Gpt2)
