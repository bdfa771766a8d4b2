"""make_model.py - writes a BERT-base with random weights, for machines without the shared test models.

    make_model.py FOLDER      FOLDER/config.json and FOLDER/model.safetensors (438 MB), a few seconds

Names and shapes are the hub's (BertModel, no prefix). The values decide nothing about the speed; they
are drawn so that hidden states stay of size 1 and no engine meets denormal numbers."""
import json, os, struct, sys
import numpy as np

CONFIG = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 768, "intermediate_size": 3072,
    "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512,
    "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0,
    "position_embedding_type": "absolute", "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1,
    "initializer_range": 0.02,
}


def linear(name, n_out, n_in):
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def shapes(c):
    h, wide = c["hidden_size"], c["intermediate_size"]
    out = {}
    for kind, rows in (("word", "vocab_size"), ("position", "max_position_embeddings"), ("token_type", "type_vocab_size")):
        out[f"embeddings.{kind}_embeddings.weight"] = (c[rows], h)
    out |= {"embeddings.LayerNorm.weight": (h,), "embeddings.LayerNorm.bias": (h,)}
    for n in range(c["num_hidden_layers"]):
        layer = f"encoder.layer.{n}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            out |= linear(f"{layer}.attention.{part}", h, h)
        out |= linear(f"{layer}.intermediate.dense", wide, h) | linear(f"{layer}.output.dense", h, wide)
        for part in ("attention.output", "output"):
            out |= {f"{layer}.{part}.LayerNorm.weight": (h,), f"{layer}.{part}.LayerNorm.bias": (h,)}
    return out | linear("pooler.dense", h, h)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes(CONFIG).items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(20)
    path = os.path.join(folder, "model.safetensors")
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes(CONFIG).items():
            values = random.standard_normal(shape, np.float32) * np.float32(0.04)
            f.write((values + np.float32(name.endswith("LayerNorm.weight"))).tobytes())
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(CONFIG, f, indent=2)
    os.rename(path + ".part", path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
