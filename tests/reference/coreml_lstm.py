"""coreml_lstm.py - Layers of an LSTM over embedded ids as a program; see coreml_convert.py."""
import numpy as np

from coreml_writer import I32

INPUTS = ["input_ids"]


def write(p, config, w, inputs):
    ids = p.input("input_ids", I32, inputs["input_ids"].shape)
    batch, length = ids.shape
    n = config["hidden_size"]
    x = p.operation("gather", [(p.float, ids.shape + [config["input_size"]])], axis=0, indices=ids,
                    x=w["embed.weight"])[0]
    x = p.transpose(x, [1, 0, 2])
    prefix = next(k for k in w if k.endswith("weight_ih_l0"))[:-len("weight_ih_l0")]

    def gates(array):  # torch's i, f, g, o as i, f, o, z
        return np.concatenate([array[:2 * n], array[3 * n:], array[2 * n:3 * n]])

    for layer in range(config["num_layers"]):
        part = {k: gates(w[f"{prefix}{k}_l{layer}"]) for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        zero = np.zeros((batch, n), np.float32)
        state = (p.float, [batch, n])
        x = p.operation("lstm", [(p.float, [length, batch, n]), state, state], x=x, initial_h=zero,
                        initial_c=zero, weight_ih=part["weight_ih"], weight_hh=part["weight_hh"],
                        bias=part["bias_ih"] + part["bias_hh"], direction="forward", output_sequence=True)[0]
    x = p.transpose(x, [1, 0, 2])
    p.output("logits", p.linear(x, w["head.weight"], w["head.bias"]) if "head.weight" in w else x)
