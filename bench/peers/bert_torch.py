#!/usr/bin/python3
"""BERT in plain torch: a peer of `make bench`, and what writes the ONNX graph of the other peer.

    bert_torch.py FOLDER --threads N --variant eager|mkldnn     answers commands on stdin
    bert_torch.py FOLDER --export FILE.onnx

FOLDER holds config.json and model.safetensors in the hub's names. The commands (one line each, one
line back) are those of bench/bench.c:
    inputs BATCH TOKENS FILE   FILE: int64 input_ids, attention_mask, token_type_ids, one after the other
    run                        nanoseconds of one pass to last_hidden_state
    output FILE                writes the last last_hidden_state as float32
Variants: eager is nn.Module as it stands, on the BLAS that torch finds; mkldnn moves the linear layers
to oneDNN (torch.utils.mkldnn). Which is faster depends on the BLAS that is installed, so the driver
tries both."""
import argparse, json, os, struct, sys, time
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.mkldnn import to_mkldnn

DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def read_safetensors(path):
    """name -> torch tensor; the data is mapped, copied when a parameter takes it."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
    data = np.memmap(path, np.uint8, "c", offset=8 + size)
    header.pop("__metadata__", None)
    return {k: torch.from_numpy(data[slice(*v["data_offsets"])].view(DTYPES[v["dtype"]]).reshape(v["shape"]))
            for k, v in header.items()}


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
    raise SystemExit(f"bert_torch.py: no weight for {name}")


def load(folder):
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    nn.init.xavier_uniform_ = nn.init.kaiming_uniform_ = nn.init.normal_ = nn.init.uniform_ = lambda t, *a, **k: t
    model = Bert(config).eval().requires_grad_(False)
    weights = read_safetensors(os.path.join(folder, "model.safetensors"))
    for name, parameter in model.named_parameters():
        parameter.data = weights[hub_name(name, weights)]
    return model


def example(batch, tokens):
    ones = torch.ones(batch, tokens, dtype=torch.int64)
    return ones, ones, torch.zeros_like(ones)


def export(model, path):
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {n: {0: "batch", 1: "tokens"} for n in names + ["last_hidden_state"]}
    torch.onnx.export(model, example(2, 8), path, opset_version=17, input_names=names,
                      output_names=["last_hidden_state"], dynamic_axes=axes, do_constant_folding=True)


def blas_name():
    """The BLAS library behind torch's eager matmul, by the files that the process has mapped."""
    try:
        with open("/proc/self/maps") as f:
            maps = f.read()
    except OSError:
        return "BLAS unknown"
    return next((name for key, name in (("openblas", "OpenBLAS"), ("mkl_rt", "MKL"), ("/blas/", "reference BLAS"))
                 if key in maps), "BLAS unknown")


def serve(model):
    inputs, result = None, None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "inputs":
            shape = (3, int(words[1]), int(words[2]))
            inputs = tuple(torch.from_numpy(np.fromfile(words[3], np.int64).reshape(shape)))
            answer = "ok"
        elif words[0] == "run":
            start = time.perf_counter_ns()
            result = model(*inputs)
            answer = time.perf_counter_ns() - start
        elif words[0] == "output":
            result.numpy().tofile(words[1])
            answer = "ok"
        else:
            answer = f"error unknown command '{words[0]}'"
        print(answer, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variant", default="eager", choices=["eager", "mkldnn"])
    parser.add_argument("--export", metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # Neither the exporter nor oneDNN's weights know inference_mode.
    with torch.inference_mode() if args.variant == "eager" and not args.export else torch.no_grad():
        start = time.perf_counter_ns()
        model = load(args.folder)
        if args.export:
            return export(model, args.export)
        model = to_mkldnn(model) if args.variant == "mkldnn" else model
        load_ns = time.perf_counter_ns() - start
        version = f"torch {torch.__version__} ({args.variant}, {blas_name()})"
        print(json.dumps({"load_ns": load_ns, "version": version}), flush=True)
        serve(model)


if __name__ == "__main__":
    main()
