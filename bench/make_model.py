"""make_model.py - writes models with random weights, for machines without the shared test models.

    make_model.py bert|bert-tiny|gpt2|resnet|lstm FOLDER      FOLDER/config.json and FOLDER/model.safetensors, some seconds

Names and shapes are the hub's. The values decide nothing about the speed; they are drawn so that
activations stay of size 1 and no engine meets denormal numbers."""
import json, os, sys
import numpy as np
from tensors import write_safetensors

BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 768, "intermediate_size": 3072,
    "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512,
    "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0,
    "position_embedding_type": "absolute", "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1,
    "initializer_range": 0.02,
}
BERT_TINY = BERT | {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2}
GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
    "n_positions": 1024, "vocab_size": 50257, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True,
}
RESNET = {
    "architectures": ["ResNetForImageClassification"], "model_type": "resnet", "layer_type": "bottleneck",
    "hidden_act": "relu", "num_channels": 3, "embedding_size": 64, "depths": [3, 4, 6, 3],
    "hidden_sizes": [256, 512, 1024, 2048], "downsample_in_first_stage": False,
    "id2label": {str(i): f"LABEL_{i}" for i in range(1000)},
}
LSTM = {"model_type": "lstm", "input_size": 512, "hidden_size": 512, "num_layers": 2, "vocab_size": 256}


def linear(name, n_out, n_in):
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def norm(name, n):
    return {f"{name}.weight": (n,), f"{name}.bias": (n,)}


def bert(c):
    h, wide, out = c["hidden_size"], c["intermediate_size"], {}
    for kind, rows in (("word", "vocab_size"), ("position", "max_position_embeddings"), ("token_type", "type_vocab_size")):
        out[f"embeddings.{kind}_embeddings.weight"] = (c[rows], h)
    out |= norm("embeddings.LayerNorm", h)
    for n in range(c["num_hidden_layers"]):
        layer = f"encoder.layer.{n}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            out |= linear(f"{layer}.attention.{part}", h, h)
        out |= linear(f"{layer}.intermediate.dense", wide, h) | linear(f"{layer}.output.dense", h, wide)
        out |= norm(f"{layer}.attention.output.LayerNorm", h) | norm(f"{layer}.output.LayerNorm", h)
    return out | linear("pooler.dense", h, h)


def gpt2(c):
    h, out = c["n_embd"], {"wte.weight": (c["vocab_size"], c["n_embd"]), "wpe.weight": (c["n_positions"], c["n_embd"])}
    for n in range(c["n_layer"]):
        out |= norm(f"h.{n}.ln_1", h) | norm(f"h.{n}.ln_2", h)
        for name, n_in, n_out in (("attn.c_attn", h, 3 * h), ("attn.c_proj", h, h), ("mlp.c_fc", h, 4 * h),
                                  ("mlp.c_proj", 4 * h, h)):
            out |= {f"h.{n}.{name}.weight": (n_in, n_out), f"h.{n}.{name}.bias": (n_out,)}
    return out | norm("ln_f", h)


def convolution(name, n_out, n_in, kernel):
    out = {f"{name}.convolution.weight": (n_out, n_in, kernel, kernel)} | norm(f"{name}.normalization", n_out)
    return out | {f"{name}.normalization.running_{kind}": (n_out,) for kind in ("mean", "var")}


def resnet(c):
    width = c["embedding_size"]
    out = convolution("resnet.embedder.embedder", width, c["num_channels"], 7)
    for stage, (depth, size) in enumerate(zip(c["depths"], c["hidden_sizes"])):
        for block in range(depth):
            name = f"resnet.encoder.stages.{stage}.layers.{block}"
            if block == 0:
                out |= convolution(f"{name}.shortcut", size, width, 1)
            out |= convolution(f"{name}.layer.0", size // 4, width, 1)
            out |= convolution(f"{name}.layer.1", size // 4, size // 4, 3)
            out |= convolution(f"{name}.layer.2", size, size // 4, 1)
            width = size
    return out | linear("classifier.1", len(c["id2label"]), width)


def lstm(c):
    h, out = c["hidden_size"], {"embed.weight": (c["vocab_size"], c["input_size"])}
    for layer in range(c["num_layers"]):
        out |= {f"lstm.weight_ih_l{layer}": (4 * h, c["input_size"] if layer == 0 else h),
                f"lstm.weight_hh_l{layer}": (4 * h, h), f"lstm.bias_ih_l{layer}": (4 * h,),
                f"lstm.bias_hh_l{layer}": (4 * h,)}
    return out | linear("head", c["vocab_size"], h)


def values(name, shape, random):
    """Of a convolution's outputs the variance is that of its inputs; a block's last norm is small."""
    drawn = random.standard_normal(shape, np.float32)
    if name.endswith("running_var"):
        return np.ones(shape, np.float32)
    if len(shape) == 4:
        return drawn * np.float32((2 / np.prod(shape[1:])) ** 0.5)
    is_norm = len(shape) == 1 and name.endswith("weight")
    middle = 0.2 if ".layer.2.normalization" in name else 1.0
    return drawn * np.float32(0.04) + np.float32(middle if is_norm else 0)


MODELS = {"bert": (BERT, bert), "bert-tiny": (BERT_TINY, bert), "gpt2": (GPT2, gpt2), "resnet": (RESNET, resnet), "lstm": (LSTM, lstm)}


def main(kind, folder):
    config, shapes = MODELS[kind]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    random = np.random.default_rng(20)
    make = lambda name, shape: lambda: values(name, shape, random)
    write_safetensors(os.path.join(folder, "model.safetensors"),
                      [(name, shape, "F32", make(name, shape)) for name, shape in shapes(config).items()])


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in MODELS:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
