"""coreml_gpt2.py - GPT-2 as a program: one product for query, key and value that is split, what lies ahead hidden, the table
of embeddings as its head; see coreml_convert.py.

What lies ahead is hidden by a select, and gelu is one operation; in the form "added" a mask is added to the scores, and gelu
is what it is made of."""
import numpy as np

from coreml_writer import F16, I32

INPUTS = ["input_ids"]


def write(p, config, w, inputs):
    ids = p.input("input_ids", I32, inputs["input_ids"].shape)
    batch, length = ids.shape
    width, heads = config["n_embd"], config["n_head"]
    w = {k.removeprefix("transformer."): v for k, v in w.items()}
    eps = p.const(np.float32(config["layer_norm_epsilon"]))
    seen = np.tril(np.ones((1, 1, length, length), bool))
    lowest = np.float32(-np.inf if p.float == F16 else np.finfo(np.float32).min)
    seen = p.const(np.where(seen, np.float32(0), np.float32(-1e4)) if config["form"] == "added" else seen)

    def norm(x, name):
        return p.same("layer_norm", x, axes=[-1], gamma=w[name + ".weight"], beta=w[name + ".bias"], epsilon=eps)

    def dense(x, name):  # stored as [in, out]
        return p.linear(x, np.ascontiguousarray(w[name + ".weight"].T), w[name + ".bias"])

    def split(x):
        return p.transpose(p.reshape(x, [batch, length, heads, width // heads]), [0, 2, 1, 3])

    def hide(scores):
        if config["form"] == "added":
            return p.pair("add", scores, seen)
        return p.operation("select", [(p.float, scores.shape)], cond=seen, a=scores, b=lowest)[0]

    def gelu(x):
        if config["form"] != "added":
            return p.same("gelu", x, mode="TANH_APPROXIMATION")
        inner = p.pair("mul", p.pair("pow", x, np.float32(3)), np.float32(0.044715))
        inner = p.pair("mul", p.pair("add", x, inner), np.float32((2 / np.pi) ** 0.5))
        return p.pair("mul", p.pair("mul", x, np.float32(0.5)), p.pair("add", p.same("tanh", inner), np.float32(1)))

    table = p.const(w["wte.weight"])
    x = p.operation("gather", [(p.float, [batch, length, width])], axis=0, indices=ids, x=table)[0]
    x = p.pair("add", x, w["wpe.weight"][None, :length])
    for i in range(config["n_layer"]):
        y = dense(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn")
        q, k, v = (split(part) for part in p.operation(
            "split", [(p.float, [batch, length, width])] * 3, x=y, num_splits=3, axis=2))
        scores = p.shaped("matmul", q, [batch, heads, length, length], y=k, transpose_y=True)
        scores = hide(p.pair("mul", scores, np.float32((width // heads) ** -0.5)))
        y = p.shaped("matmul", p.same("softmax", scores, axis=-1), q.shape, y=v)
        y = p.reshape(p.transpose(y, [0, 2, 1, 3]), [batch, length, width])
        x = p.pair("add", x, dense(y, f"h.{i}.attn.c_proj"))
        y = dense(gelu(dense(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")
        x = p.pair("add", x, y)
    p.output("logits", p.shaped("linear", norm(x, "ln_f"), [batch, length, len(w["wte.weight"])], weight=table))
