// BERT as an ONNX model: embeddings, encoder, pooler and next sentence where their weights are there,
// masked language model.
import assert from "node:assert/strict";
import { FLOAT, Graph, INT64 } from "./onnx_graph.mjs";

function gelu(g, x, kind) {
    assert.ok(kind === "gelu" || kind === "gelu_new", `hidden_act ${kind}`);
    const exact = kind === "gelu", mul = (a, b) => g.op("Mul", [a, b]), add = (a, b) => g.op("Add", [a, b]);
    const inner = exact ? x : add(x, mul(g.scalar(0.044715), mul(x, mul(x, x))));
    const scaled = mul(inner, g.scalar(Math.sqrt(exact ? 1 / 2 : 2 / Math.PI)));
    return mul(mul(x, g.scalar(0.5)), add(g.op(exact ? "Erf" : "Tanh", [scaled]), g.scalar(1)));
}

// The bytes of the model of {config, tensors: {name: {shape, data}}}. Inputs are (batch, sequence), outputs
// have the names of ours. Activations are (batch * sequence, features), so that each linear layer is one Gemm.
export function bertGraph({ config, tensors }) {
    const { hidden_size: hidden, num_attention_heads: heads } = config;
    const prefix = "bert.embeddings.word_embeddings.weight" in tensors ? "bert." : "";
    const g = new Graph();
    const weight = (...names) => {
        const name = names.find((n) => n in tensors);
        assert.ok(name, `no weight ${names}`);
        return g.constant(name, tensors[name].shape, tensors[name].data);
    };
    const linear = (x, name) => g.op("Gemm", [x, weight(`${name}.weight`), weight(`${name}.bias`)], { transB: 1 });
    const norm = (x, name) => g.op("LayerNormalization",
        [x, weight(`${name}.weight`, `${name}.gamma`), weight(`${name}.bias`, `${name}.beta`)],
        { epsilon: { float: config.layer_norm_eps } });
    const perTwo = ["batch", "sequence"];
    const [ids, mask, types] = ["input_ids", "attention_mask", "token_type_ids"].map((n) => g.input(n, INT64, perTwo));

    const shape = g.op("Shape", [ids]);
    const length = g.op("Slice", [shape, g.integers(1), g.integers(2)]);
    const shaped = (x, ...dims) => g.op("Reshape", [x, g.op("Concat", [shape, g.integers(...dims)], { axis: 0 })]);
    const flat = (x) => g.op("Reshape", [x, g.constant("flat", [2], BigInt64Array.of(-1n, BigInt(hidden)))]);
    const embedding = (name) => weight(`${prefix}embeddings.${name}_embeddings.weight`);
    const words = g.op("Gather", [embedding("word"), ids]);
    const segments = g.op("Gather", [embedding("token_type"), types]);
    const positions = g.op("Slice", [embedding("position"), g.integers(0), length]);
    let x = norm(flat(g.op("Add", [g.op("Add", [words, segments]), positions])), `${prefix}embeddings.LayerNorm`);

    // 0 where the mask is 1, else so little that nothing is left of the score: (batch, 1, 1, sequence)
    const shown = g.op("Cast", [g.op("Unsqueeze", [mask, g.integers(1, 2)])], { to: FLOAT });
    const hide = g.op("Mul", [g.op("Sub", [shown, g.scalar(1)]), g.scalar(1e30)]);
    const perHead = (y, perm) => g.op("Transpose", [shaped(y, heads, hidden / heads)], { perm });
    for (let i = 0; i < config.num_hidden_layers; i++) {
        const layer = `${prefix}encoder.layer.${i}`, self = `${layer}.attention.self`;
        const query = perHead(linear(x, `${self}.query`), [0, 2, 1, 3]);
        const key = perHead(linear(x, `${self}.key`), [0, 2, 3, 1]);
        const value = perHead(linear(x, `${self}.value`), [0, 2, 1, 3]);
        const scores = g.op("Div", [g.op("MatMul", [query, key]), g.scalar(Math.sqrt(hidden / heads))]);
        const shares = g.op("Softmax", [g.op("Add", [scores, hide])]);
        const context = flat(g.op("Transpose", [g.op("MatMul", [shares, value])], { perm: [0, 2, 1, 3] }));
        const attended = g.op("Add", [x, linear(context, `${layer}.attention.output.dense`)]);
        x = norm(attended, `${layer}.attention.output.LayerNorm`);
        const inner = gelu(g, linear(x, `${layer}.intermediate.dense`), config.hidden_act);
        x = norm(g.op("Add", [x, linear(inner, `${layer}.output.dense`)]), `${layer}.output.LayerNorm`);
    }
    const states = shaped(x, hidden);
    g.output("last_hidden_state", states, FLOAT, [...perTwo, hidden]);

    if (`${prefix}pooler.dense.weight` in tensors) {
        const first = g.op("Gather", [states, g.constant("first", [], BigInt64Array.of(0n))], { axis: 1 });
        const pooled = g.op("Tanh", [linear(first, `${prefix}pooler.dense`)]);
        g.output("pooler_output", pooled, FLOAT, ["batch", hidden]);
        if ("cls.seq_relationship.weight" in tensors)
            g.output("seq_relationship_logits", linear(pooled, "cls.seq_relationship"), FLOAT, ["batch", 2]);
    }
    const transform = "cls.predictions.transform";
    const transformed = norm(gelu(g, linear(x, `${transform}.dense`), config.hidden_act), `${transform}.LayerNorm`);
    const decoder = weight("cls.predictions.decoder.weight", `${prefix}embeddings.word_embeddings.weight`);
    const bias = weight("cls.predictions.decoder.bias", "cls.predictions.bias");
    const logits = g.op("Gemm", [transformed, decoder, bias], { transB: 1 });
    g.output("logits", shaped(logits, config.vocab_size), FLOAT, [...perTwo, config.vocab_size]);
    return g.serialize();
}
