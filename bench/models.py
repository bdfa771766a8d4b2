"""models.py - the table of what `make bench` measures: one Model for each architecture.

To add one: an entry in MODELS below, its random weights in make_model.py, its torch module in
peers/torch_NAME.py. Everything else (workers, graph, comparison, tables) goes by this table."""
from dataclasses import dataclass, field, replace
from typing import Callable
import numpy as np


@dataclass
class Workload:
    label: str
    unit: str                 # what is counted: tokens, images, steps
    count: int                # of them in a run
    inputs: Callable          # config -> {name: array}
    gflop: Callable           # config -> multiply-adds of products, twice, in 1e9
    read_gb: Callable         # config -> weights read at least, in 1e9 bytes
    working_set_gb: Callable  # config -> what is read again and again: decides which memory it comes from
    output: str = ""          # what a run computes; "": `new_tokens` are generated
    new_tokens: int = 0
    steps: int = 0            # the last of the inputs' ids are read one by one: the logits behind each
    dtype: str = "f32"        # of modelhost's products; the peers compute in float32 but for these graphs
    graphs: tuple = ()        # ONNX Runtime's, the fastest of which counts; (): those of the model
    shown: Callable = lambda got, inputs: got  # what of an output is compared
    share: float = 1          # of the seconds
    curve: str = ""           # of which curve of the picture it is a point, too
    size: int = 0             # where on it


@dataclass
class Model:
    name: str    # in BENCH_ONLY
    title: str
    peer: str    # peers/torch_PEER.py, the plugin, and the random weights in make_model.py
    shared: str  # the folder's name among the shared test models
    workloads: list
    reference: tuple  # names in reference.safetensors: inputs, then the output; (): none
    torch_variants: tuple = ("mkldnn", "eager")
    graph_variants: tuple = ("",)  # "int8": a workload asks for it
    compared: Callable = lambda got, want, inputs: (got, want)  # what of an output and the reference
    top1: bool = False  # whether int8 is to choose the class that float32 does: agreement.py
    config_changes: dict = field(default_factory=dict)


def rng(*seed):
    return np.random.default_rng(list(seed))


def shown(got, want, inputs):
    """The positions that the mask shows."""
    mask = inputs["attention_mask"] == 1
    return got.reshape(want.shape)[mask], want[mask]


# Of a number in modelhost's products, scales included; and how many multiply-adds a register makes at once,
# against float32.
BYTES = {"f32": 4, "bf16": 2, "int8": 1, "int4": 0.5625}
WIDER = {"f32": 1, "bf16": 2, "int8": 4, "int4": 2}


def of(dtype):
    return "" if dtype == "f32" else f", {dtype}"


# ---- BERT

def bert_inputs(batch, tokens):
    def make(config):
        ids = rng(batch * 1000 + tokens).integers(0, config["vocab_size"], (batch, tokens))
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return make


def bert_weights(config):
    """Numbers in the products of the layers."""
    h = config["hidden_size"]
    return config["num_hidden_layers"] * (4 * h * h + 2 * h * config["intermediate_size"])


def bert_gflop(config, lengths):
    attention = config["num_hidden_layers"] * 4 * config["hidden_size"] * sum(n * n for n in lengths)
    return (2 * sum(lengths) * bert_weights(config) + attention) / 1e9


def bert(batch, tokens, dtype="f32", **more):
    read = lambda c: BYTES[dtype] * 1e-9 * bert_weights(c)
    return Workload(f"{batch} x {tokens} tokens" + of(dtype), "tokens", batch * tokens, bert_inputs(batch, tokens),
                    lambda c: bert_gflop(c, batch * [tokens]), read, read, "last_hidden_state", dtype=dtype, **more)


def bert_mixed(lengths, longest):
    """Texts of many lengths in one call, padded to the longest; counted are the tokens that the mask shows."""
    def inputs(config):
        ids = rng(6).integers(0, config["vocab_size"], (len(lengths), longest))
        mask = np.arange(longest)[None, :] < np.array(lengths)[:, None]
        return {"input_ids": ids * mask, "attention_mask": mask.astype(np.int64), "token_type_ids": np.zeros_like(ids)}
    read = lambda c: 4e-9 * bert_weights(c)
    hidden = lambda got, inputs: got.reshape(*inputs["attention_mask"].shape, -1)[inputs["attention_mask"] == 1].ravel()
    return Workload(f"{len(lengths)} texts of {min(lengths)} to {longest} tokens", "tokens", sum(lengths), inputs,
                    lambda c: bert_gflop(c, lengths), read, read, "last_hidden_state", shown=hidden)


# ---- GPT-2

def gpt2_weights(config):
    h = config["n_embd"]
    return config["n_layer"] * (4 * h * h + 2 * h * (config.get("n_inner") or 4 * h))


def gpt2_head(config):
    return config["vocab_size"] * config["n_embd"]


def gpt2_prompt(tokens):
    return lambda config: {"input_ids": rng(2, tokens).integers(0, config["vocab_size"], (1, tokens))}


def gpt2_prefill(tokens):
    def gflop(c):  # a position sees those before it: half of the square, for q @ k and for weights @ v
        attention = c["n_layer"] * 2 * tokens * tokens * c["n_embd"]
        return (2 * tokens * gpt2_weights(c) + attention + 2 * gpt2_head(c)) / 1e9
    read = lambda c: 4e-9 * (gpt2_weights(c) + gpt2_head(c))
    return Workload(f"prefill of {tokens}", "tokens", tokens, gpt2_prompt(tokens), gflop, read, read,
                    "next_token_logits")


def gpt2_decode(tokens, before, dtype="f32", **more):
    def cache(c):  # keys and values, on average over the steps
        return c["n_layer"] * 2 * c["n_embd"] * (before + tokens / 2)
    step = lambda c: 1e-9 * (BYTES[dtype] * (gpt2_weights(c) + gpt2_head(c)) + 4 * cache(c))
    return Workload(f"decode of {tokens} behind {before}" + of(dtype), "tokens", tokens, gpt2_prompt(before),
                    lambda c: 2e-9 * tokens * (gpt2_weights(c) + gpt2_head(c) + cache(c)),
                    lambda c: tokens * step(c), step, new_tokens=tokens, dtype=dtype, **more)


# ---- ResNet

def resnet_maps(config, size):
    """Convolutions of bottleneck blocks as (kernel, in, out, width of the output)."""
    def halved(n):
        return (n + 1) // 2
    size = halved(size)
    convolutions, width = [(7, config["num_channels"], config["embedding_size"], size)], config["embedding_size"]
    size = halved(size)
    for stage, (depth, out) in enumerate(zip(config["depths"], config["hidden_sizes"])):
        for block in range(depth):
            before = size
            if block == 0 and stage > 0:
                size = halved(size)
            if block == 0:
                convolutions.append((1, width, out, size))
            convolutions += [(1, width, out // 4, before), (3, out // 4, out // 4, size), (1, out // 4, out, size)]
            width = out
    return convolutions


def resnet(batch, dtype="f32", **more):
    maps = lambda c: resnet_maps(c, 224)
    flop = lambda c: sum(2 * k * k * i * o * n * n for k, i, o, n in maps(c)) + 2 * c["hidden_sizes"][-1] * 1000
    read = lambda c: BYTES[dtype] * 1e-9 * sum(k * k * i * o for k, i, o, _ in maps(c))
    pixels = lambda c: {"pixel_values": rng(3, batch).standard_normal((batch, c["num_channels"], 224, 224),
                                                                      np.float32)}
    return Workload(f"{batch} x 224 x 224" + of(dtype), "images", batch, pixels, lambda c: batch * flop(c) / 1e9, read,
                    read, "logits", dtype=dtype, **more)


# ---- LSTM

def lstm(steps, ids, batch=1, dtype="f32", **more):
    def inputs(c):
        if ids:
            return {"input_ids": rng(4, steps, batch).integers(0, c["vocab_size"], (batch, steps))}
        return {"input": rng(5, steps, batch).standard_normal((batch, steps, c["input_size"]), np.float32)}
    # What depends on the step before, and so is read in each; the products of inputs are read once.
    layer = lambda c: 4 * c["hidden_size"] ** 2
    recurrent = lambda c: c["num_layers"] * layer(c)
    before = lambda c: 4 * c["hidden_size"] * (c["input_size"] + (c["num_layers"] - 1) * c["hidden_size"])
    label = f"{'' if batch == 1 else f'{batch} x '}{steps} steps from {'ids' if ids else 'rows'}"
    size = BYTES[dtype] * 1e-9
    return Workload(label + of(dtype), "steps", batch * steps, inputs,
                    lambda c: 2e-9 * batch * steps * (recurrent(c) + before(c)),
                    lambda c: size * (steps * recurrent(c) + before(c)), lambda c: size * layer(c), "output",
                    dtype=dtype, **more)


def points(make, sizes, curve):
    """Short workloads, for a curve of the picture alone."""
    return [make(size, share=0.15, curve=curve, size=size) for size in sizes]


MODELS = [
    Model("bert", "BERT-base to last_hidden_state", "bert", "bert-base-synth",
          [bert(1, 128), bert(8, 128), bert(1, 16), bert(1, 512), bert_mixed([1 + 127 * i // 31 for i in range(32)], 128),
           bert(1, 128, "bf16"),
           *(bert(*size, "int8", graphs=("int8",)) for size in ((1, 128), (8, 128), (1, 16), (1, 512))),
           *points(lambda n, **more: bert(1, n, **more), (16, 32, 64, 128, 256, 512), "length"),
           *points(lambda n, **more: bert(n, 128, **more), (1, 2, 4, 8), "batch")],
          ("input_ids", "attention_mask", "token_type_ids", "last_hidden_state"), compared=shown,
          graph_variants=("", "int8")),
    Model("gpt2", "GPT-2 124M to the next token", "gpt2", "gpt2-124m-synth",
          [gpt2_prefill(256), gpt2_prefill(512), gpt2_decode(64, 256),
           *(gpt2_decode(64, 256, dtype, graphs=("matmul", "gemm") if dtype == "bf16" else ("int8",))
             for dtype in ("bf16", "int8", "int4"))],
          ("input_ids", "logits"), graph_variants=("matmul", "gemm", "int8"),
          compared=lambda got, want, _: (got, want[:, -1])),
    Model("resnet", "ResNet-50 to logits", "resnet", "resnet-50-synth",
          [resnet(1), resnet(8),
           *(resnet(n, "int8") for n in (1, 8)), *points(resnet, (1, 2, 4, 8), "images")],
          ("pixel_values", "logits"), top1=True, torch_variants=("mkldnn", "eager", "channels-last")),
    Model("lstm", "LSTM 2 x 512 with an embedding to output", "lstm", "lstm-2x512-synth",
          [lstm(128, True), lstm(128, True, dtype="bf16"), lstm(128, True, batch=8)],
          ("input_ids", "output"), torch_variants=("eager",)),
    Model("lstm-rows", "LSTM 2 x 512 of rows of numbers to output", "lstm", "lstm-2x512-synth",
          [lstm(128, False)], (), torch_variants=("eager",), config_changes={"input": "features"}),
]


def chosen(names, part, others=()):
    """The models of this list, separated by commas or spaces, all if it is empty; with the workloads whose label has
    this part. `others`: names of what is no model, for the error."""
    wanted = names.replace(",", " ").split()
    unknown = [name for name in wanted if name not in [m.name for m in MODELS]]
    if unknown:
        raise SystemExit(f"bench: no model '{unknown[0]}'; there are: {' '.join([m.name for m in MODELS] + list(others))}")
    models = [replace(m, workloads=[w for w in m.workloads if part in w.label]) for m in MODELS if not wanted or m.name in wanted]
    return [m for m in models if m.workloads]
