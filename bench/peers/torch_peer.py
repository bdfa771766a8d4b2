"""torch_peer.py - what the torch peers of `make bench` share: the command line, the worker's conversation,
and writing the ONNX graph of the other peer.

    torch_NAME.py FOLDER --threads N --variant eager|mkldnn|channels-last     answers commands on stdin
    torch_NAME.py FOLDER --export FILE.onnx --variant V        V "int8": with linear layers in 8 bits

FOLDER holds config.json and model.safetensors. The commands are those of bench/bench.c, one line each, one
line back. Variants: eager is the module as it stands, on the BLAS that torch finds; mkldnn moves linear
layers and convolutions to oneDNN (torch.utils.mkldnn); channels-last is eager with that memory format. Which
is fastest depends on what is installed, so the driver tries those that bench/models.py lists.

A peer is a class with
    load(config, weights)        class method: the module
    forward(...)                 with the graph's inputs by name; gives the wanted output
    export(path, variant)        writes the graph
    with_linear()                if it has other modules that can be nn.Linear: the module with these
    prompt(ids, n), generate()   for decoders: reads all but the last id, then makes n tokens; gives
                                 these and the last logits"""
import argparse, json, os, sys, time
import numpy as np
import torch
from torch import nn
from torch.utils.mkldnn import to_mkldnn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tensors import read_safetensors  # noqa: E402


def load_parameters(module, weights, hub_name):
    """Gives each parameter and buffer the tensor of that name, without a copy."""
    for name, tensor in list(module.named_parameters()) + list(module.named_buffers()):
        key = hub_name(name)
        if key not in weights:
            raise SystemExit(f"{sys.argv[0]}: no weight '{key}' for {name}")
        tensor.data = torch.from_numpy(weights[key])


def blas_name():
    """The BLAS library behind torch's eager matmul, by the files that the process has mapped."""
    try:
        with open("/proc/self/maps") as f:
            maps = f.read()
    except OSError:
        return "BLAS unknown"
    return next((name for key, name in (("openblas", "OpenBLAS"), ("mkl_rt", "MKL"), ("/blas/", "reference BLAS"))
                 if key in maps), "BLAS unknown")


def read_inputs(path):
    return {name: torch.from_numpy(np.array(value)) for name, value in read_safetensors(path).items()}


def serve(model):
    run, result = None, None
    for line in sys.stdin:
        words, answer = line.split(), "ok"
        if words[0] == "inputs":
            inputs = read_inputs(words[2])
            run = lambda: model(**inputs)
        elif words[0] == "prompt":
            model.prompt(read_inputs(words[2])["input_ids"], int(words[1]))
            run = model.generate
        elif words[0] == "run":
            start = time.perf_counter_ns()
            result = run()
            answer = time.perf_counter_ns() - start
        elif words[0] == "output":
            parts = result if isinstance(result, tuple) else (result,)
            np.concatenate([part.numpy().astype(np.float32).ravel() for part in parts]).tofile(words[1])
        else:
            answer = f"error unknown command '{words[0]}'"
        print(answer, flush=True)


# ---- 8 bits, for the graph

class Int8Product(torch.autograd.Function):
    """The operators that ONNX Runtime's own dynamic quantisation writes, and joins to one when it opens the graph."""

    @staticmethod
    def forward(ctx, x, weight, scale):
        return torch.matmul(x, weight.to(torch.float32) * scale)

    @staticmethod
    def symbolic(g, x, weight, scale):
        data, step, zero = g.op("DynamicQuantizeLinear", x, outputs=3)
        sums = g.op("MatMulInteger", data, weight, zero)
        return g.op("Mul", g.op("Cast", sums, to_i=1), g.op("Mul", step, scale))


class Int8Linear(nn.Module):
    def __init__(self, weight, bias):  # (in, out), (out) or None
        super().__init__()
        scale = weight.abs().max() / 127
        self.register_buffer("weight", torch.round(weight / scale).to(torch.int8).contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    def forward(self, x):
        y = Int8Product.apply(x, self.weight, self.scale)
        return y if self.bias is None else y + self.bias


def in_int8(module):
    """Replaces its linear layers."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child.weight.data.t(), child.bias.data))
        else:
            in_int8(child)
    return module


def prepare(model, variant):
    if variant == "channels-last":
        return model.to(memory_format=torch.channels_last)
    if variant != "mkldnn":
        return model
    return to_mkldnn(model.with_linear() if hasattr(model, "with_linear") else model)


def main(peer):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variant", default="eager")
    parser.add_argument("--export", metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    nn.init.xavier_uniform_ = nn.init.kaiming_uniform_ = nn.init.normal_ = nn.init.uniform_ = lambda t, *a, **k: t
    # Neither the exporter nor oneDNN's weights know inference_mode.
    with torch.no_grad() if args.variant == "mkldnn" or args.export else torch.inference_mode():
        start = time.perf_counter_ns()
        with open(os.path.join(args.folder, "config.json")) as f:
            config = json.load(f)
        model = peer.load(config, read_safetensors(os.path.join(args.folder, "model.safetensors")))
        model = model.eval().requires_grad_(False)
        if args.export and args.variant == "int8":
            model = in_int8(model.with_linear() if hasattr(model, "with_linear") else model)
        if args.export:
            return model.export(args.export, args.variant)
        model = prepare(model, args.variant)
        load_ns = time.perf_counter_ns() - start
        version = f"torch {torch.__version__} ({args.variant}, {blas_name()})"
        print(json.dumps({"load_ns": load_ns, "version": version}), flush=True)
        serve(model)
