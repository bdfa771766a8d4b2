"""coreml_vit.py - a vision transformer as a program: patches by a convolution, a class token in front, norms before attention
and network; see coreml_convert.py."""
import numpy as np

from coreml_writer import F16, F32

INPUTS = ["pixel_values"]


def write(p, config, w, inputs):
    x = p.cast(p.input("pixel_values", F32, inputs["pixel_values"].shape), p.float)
    batch, width, heads = x.shape[0], config["hidden_size"], config["num_attention_heads"]
    patch = config["patch_size"]
    rows = x.shape[2] // patch, x.shape[3] // patch
    length = rows[0] * rows[1] + 1
    eps = p.const(np.float32(max(config["layer_norm_eps"], 1e-7 if p.float == F16 else 0)))

    def norm(x, name):
        return p.same("layer_norm", x, axes=[-1], gamma=w[name + ".weight"], beta=w[name + ".bias"], epsilon=eps)

    def split(x):
        return p.transpose(p.reshape(x, [batch, length, heads, width // heads]), [0, 2, 1, 3])

    name = "vit.embeddings."
    x = p.shaped("conv", x, [batch, width, *rows], weight=w[name + "patch_embeddings.projection.weight"],
                 bias=w[name + "patch_embeddings.projection.bias"], strides=[patch] * 2, pad_type="valid",
                 pad=[0] * 4, dilations=[1, 1], groups=1)
    x = p.transpose(p.reshape(x, [batch, width, length - 1]), [0, 2, 1])
    token = p.const(np.broadcast_to(w[name + "cls_token"], (batch, 1, width)))
    x = p.operation("concat", [(p.float, [batch, length, width])], values=[token, x], axis=1, interleave=False)[0]
    x = p.pair("add", x, w[name + "position_embeddings"])
    for i in range(config["num_hidden_layers"]):
        name = f"vit.encoder.layer.{i}."

        def dense(x, part):
            return p.linear(x, w[f"{name}{part}.weight"], w[f"{name}{part}.bias"])
        y = norm(x, name + "layernorm_before")
        q, k, v = (split(dense(y, f"attention.attention.{part}")) for part in ("query", "key", "value"))
        scores = p.shaped("matmul", q, [batch, heads, length, length], y=k, transpose_y=True)
        scores = p.same("softmax", p.pair("mul", scores, np.float32((width // heads) ** -0.5)), axis=-1)
        y = p.transpose(p.shaped("matmul", scores, q.shape, y=v), [0, 2, 1, 3])
        x = p.pair("add", dense(p.reshape(y, [batch, length, width]), "attention.output.dense"), x)
        y = p.same("gelu", dense(norm(x, name + "layernorm_after"), "intermediate.dense"), mode="EXACT")
        x = p.pair("add", dense(y, "output.dense"), x)
    x = norm(x, "vit.layernorm")
    x = p.shaped("slice_by_index", x, [batch, width], begin=[0, 0, 0], end=[batch, 1, width],
                 end_mask=[True, False, True], squeeze_mask=[False, True, False])
    p.output("logits", p.linear(x, w["classifier.weight"], w["classifier.bias"]))
