"""coreml_bert.py - BERT as a program: masked attention, its scores alone in the form "scores"; see coreml_convert.py."""
import numpy as np

from coreml_writer import F16, I32

INPUTS = ["input_ids", "token_type_ids", "attention_mask"]


def write(p, config, w, inputs):
    ids, types = (p.input(n, I32, inputs[n].shape) for n in ("input_ids", "token_type_ids"))
    mask = p.input("attention_mask", I32, ids.shape)
    batch, length = ids.shape
    width, heads = config["hidden_size"], config["num_attention_heads"]
    eps = p.const(np.float32(max(config["layer_norm_eps"], 1e-7 if p.float == F16 else 0)))
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in w else ""

    def norm(x, name):
        return p.same("layer_norm", x, axes=[-1], gamma=w.get(name + ".weight", w.get(name + ".gamma")),
                      beta=w.get(name + ".bias", w.get(name + ".beta")), epsilon=eps)

    def table(name, rows):
        return p.operation("gather", [(p.float, rows.shape + [width])], axis=0, indices=rows,
                           x=w[f"{prefix}embeddings.{name}_embeddings.weight"])[0]

    def split(x):
        return p.transpose(p.reshape(x, [batch, length, heads, width // heads]), [0, 2, 1, 3])

    hidden = p.pair("sub", p.const(np.float32(1)), p.cast(mask, p.float))
    hidden = p.reshape(p.pair("mul", hidden, np.float32(-1e4)), [batch, 1, 1, length])
    x = p.pair("add", table("word", ids), table("token_type", types))
    x = p.pair("add", x, w[prefix + "embeddings.position_embeddings.weight"][:length])
    x = norm(x, prefix + "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        name = f"{prefix}encoder.layer.{i}."

        def dense(x, part):
            return p.linear(x, w[f"{name}{part}.weight"], w[f"{name}{part}.bias"])
        q, k, v = (split(dense(x, f"attention.self.{part}")) for part in ("query", "key", "value"))
        q = p.pair("mul", q, np.float32((width // heads) ** -0.5))
        scores = p.shaped("matmul", q, [batch, heads, length, length], y=k, transpose_y=True)
        scores = p.pair("add", scores, hidden)
        if config["form"] == "scores":
            p.output("scores", scores)
            return
        scores = p.same("softmax", scores, axis=-1)
        context = p.transpose(p.shaped("matmul", scores, q.shape, y=v), [0, 2, 1, 3])
        context = dense(p.reshape(context, [batch, length, width]), "attention.output.dense")
        x = norm(p.pair("add", context, x), name + "attention.output.LayerNorm")
        inner = p.same("gelu", dense(x, "intermediate.dense"), mode="EXACT")
        x = norm(p.pair("add", dense(inner, "output.dense"), x), name + "output.LayerNorm")
    p.output("last_hidden_state", x)
