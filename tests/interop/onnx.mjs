// Compares `modelhost run` with npm's onnxruntime-node: writes a BERT repository's graph as ONNX, runs
// both on the same random inputs. Run by tests/interop/run.sh after npm install; env BUILD (default
// build), SHARED (default ../shared, from the repository's root), SEED (default 1).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ort from "onnxruntime-node";
import { bertGraph } from "./onnx_bert.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const build = resolve(root, process.env.BUILD ?? "build");
const shared = resolve(root, process.env.SHARED ?? "../shared");
const work = mkdtempSync(join(tmpdir(), "onnx-interop."));

// Largest difference allowed; both sides round in float32, each in its own order. Hidden states (about 1
// in size) and the pooler's tanh have the bound of our parity tests. A logit is a sum of hidden_size
// products as large as the weights make it, so its bound goes with the largest logit. Seen: 9e-6 for
// hidden states, 3e-6 of the largest logit; the smallest fault below is beyond all bounds.
const BOUND = 2e-5;
const boundOf = (name, largest) => (name.endsWith("logits") ? BOUND * Math.max(1, largest) : BOUND);

let state = Number(process.env.SEED ?? 1) || 1;
function random() { // xorshift; in [0, 1)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const floats = (n, scale) => Float32Array.from({ length: n }, () => scale * (2 * random() - 1));

// ---------------------------------------------------------------- safetensors and repositories

// {name: {shape, data}}
function readTensors(file) {
    const content = readFileSync(file);
    const start = 8 + Number(content.readBigUInt64LE(0));
    const { __metadata__, ...header } = JSON.parse(content.toString("utf8", 8, start));
    return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [begin, end] }]) => {
        assert.equal(dtype, "F32", `${file}: ${name}`);
        const copy = new Uint8Array(content.subarray(start + begin, start + end));
        return [name, { shape, data: new Float32Array(copy.buffer) }];
    }));
}

function writeTensors(file, tensors) {
    const header = {}, parts = [];
    let end = 0;
    for (const [name, { shape, data }] of Object.entries(tensors)) {
        const dtype = data instanceof Float32Array ? "F32" : "I64";
        header[name] = { dtype, shape, data_offsets: [end, (end += data.byteLength)] };
        parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
    const text = Buffer.from(JSON.stringify(header)), size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(file, Buffer.concat([size, text, ...parts]));
}

const readRepository = (folder) => ({
    config: JSON.parse(readFileSync(join(folder, "config.json"), "utf8")),
    tensors: readTensors(join(folder, "model.safetensors")),
});

const configured = ({ config, tensors }, changes) => ({ config: { ...config, ...changes }, tensors });
const renamed = ({ config, tensors }, rename) => ({
    config,
    tensors: Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [rename(name), tensor])),
});

// The other names that checkpoints have, a decoder of its own, pooler and next sentence, tanh GELU.
function otherwise(repository) {
    const { config, tensors } = renamed(repository, (name) => name.replace(/^bert\./, "")
        .replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta"));
    const { hidden_size: hidden, vocab_size: vocab } = config;
    const own = { "pooler.dense": hidden, "cls.seq_relationship": 2, "cls.predictions.decoder": vocab };
    for (const [name, n] of Object.entries(own)) {
        tensors[`${name}.weight`] = { shape: [n, hidden], data: floats(n * hidden, 0.1) };
        tensors[`${name}.bias`] = { shape: [n], data: floats(n, 0.1) };
    }
    return configured({ config, tensors },
        { architectures: ["BertForPreTraining"], tie_word_embeddings: false, hidden_act: "gelu_new" });
}

// ---------------------------------------------------------------- both sides

// An author's folder.
function packageOf(name, { config, tensors }) {
    const folder = join(work, name), backend = join(folder, "backends/cpu");
    mkdirSync(backend, { recursive: true });
    writeFileSync(join(backend, "config.json"), JSON.stringify(config));
    writeTensors(join(backend, "model.safetensors"), tensors);
    copyFileSync(join(build, "lib/modelhost/plugins/libbert.so"), join(backend, "libmodel.so"));
    return folder;
}

function ours(folder, inputs, names) {
    const [inFile, outFile] = ["in", "out"].map((name) => join(work, `${name}.safetensors`));
    writeTensors(inFile, inputs);
    const run = spawnSync(join(build, "bin/modelhost"), ["run", folder, "-q", "--inputs", inFile, "--outputs", outFile,
        "--output-names", names.join(",")], { encoding: "utf8" });
    assert.equal(run.status, 0, `modelhost run: ${run.error ?? run.stderr}`);
    return readTensors(outFile);
}

async function reference(session, inputs) {
    const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [name, new ort.Tensor("int64", data, shape)]);
    return session.run(Object.fromEntries(feeds));
}

// Hidden positions have zeros in ours, except the first, which poolers read: it is computed as theirs
// is. A NaN stays the largest difference and is within no bound.
function compare(name, mine, { dims, data }, mask) {
    assert.deepEqual(mine.shape, [...dims], name);
    const perToken = dims.length === 3, width = dims.at(-1);
    let difference = 0, largest = 0;
    for (let i = 0; i < data.length; i++) {
        const row = Math.floor(i / width);
        if (perToken && mask[row] === 0n && row % dims[1] > 0) {
            if (mine.data[i] !== 0) assert.fail(`${name} has ${mine.data[i]} in row ${row}, which is hidden`);
            continue;
        }
        difference = Math.max(difference, Math.abs(mine.data[i] - data[i]));
        largest = Math.max(largest, Math.abs(data[i]));
    }
    return { name, difference, bound: boundOf(name, largest) };
}

// ---------------------------------------------------------------- cases

// Which positions of a sequence are shown, one at least: made once per sequence.
const masks = {
    "no mask": () => () => true,
    "padded": (length) => ((n) => (i) => i < n)(1 + below(length)),
    "holes": (length) => ((kept) => (i) => i === kept || below(3) > 0)(below(length)),
};

function randomInputs({ vocab_size: vocab, type_vocab_size: types }, batch, length, kind) {
    const tensor = (make) => ({ shape: [batch, length],
        data: BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(make(i))) });
    const shown = Array.from({ length: batch }, () => masks[kind](length));
    return {
        input_ids: tensor(() => below(vocab)),
        attention_mask: tensor((i) => shown[Math.floor(i / length)](i % length)),
        token_type_ids: tensor(() => below(types)),
    };
}

let passed = 0, failed = 0, skipped = 0;

async function test(name, body) {
    try {
        const note = await body();
        passed++;
        console.log(`ok - ${name}${note ? `: ${note}` : ""}`);
    } catch (error) {
        failed++;
        console.log(`FAIL - ${name}: ${error.stack ?? error}`);
    }
}

const session = (repository) => ort.InferenceSession.create(bertGraph(repository), { logSeverityLevel: 3 });

async function differences(folder, oracle, inputs) {
    const theirs = await reference(oracle, inputs);
    const { attention_mask: mask, ...rest } = inputs;
    const mine = ours(folder, mask.data.every((m) => m === 1n) ? rest : inputs, [...oracle.outputNames]);
    return oracle.outputNames.map((name) => compare(name, mine[name], theirs[name], mask.data));
}

const brief = (x) => x.toExponential(1);

async function compareAll(name, repository) {
    const folder = packageOf(name, repository), oracle = await session(repository);
    const longest = Math.min(repository.config.max_position_embeddings, 128);
    for (const [batch, length] of [[1, 1], [1, 7], [1, longest], [4, 2], [4, 19], [4, longest], [12, 50]])
        for (const kind of Object.keys(masks))
            await test(`${name}, ${batch} x ${length}, ${kind}`, async () => {
                const all = await differences(folder, oracle, randomInputs(repository.config, batch, length, kind));
                for (const { name, difference, bound } of all)
                    assert.ok(difference <= bound, `${name} differs by ${difference}, allowed is ${bound}`);
                return all.map((d) => `${d.name} ${brief(d.difference)} of ${brief(d.bound)}`).join(", ");
            });
    return folder;
}

// A wrong graph must be seen, else the agreement above says nothing.
const exchanged = { query: "key", key: "query" };
const faults = {
    "query and key exchanged": (r) => renamed(r, (name) => name.replace(/query|key/, (found) => exchanged[found])),
    "the other GELU": (r) => configured(r, { hidden_act: "gelu_new" }),
    "a larger epsilon": (r) => configured(r, { layer_norm_eps: 1e-4 }),
};

const demo = readRepository(join(root, "examples/demo/hub/modelhost/facts-bert-mini"));
try {
    const folder = await compareAll("facts-bert-mini", demo);
    for (const [what, damage] of Object.entries(faults))
        await test(`a wrong graph is seen: ${what}`, async () => {
            const oracle = await session(damage(demo));
            const all = await differences(folder, oracle, randomInputs(demo.config, 4, 19, "holes"));
            for (const { name, difference, bound } of all) assert.ok(difference > bound, name);
        });
    await compareAll("facts-bert-mini otherwise", otherwise(demo));
    const synth = join(shared, "models/synth.py");
    if (existsSync(synth)) {
        const run = spawnSync("/usr/bin/python3", [synth, work, "bert-tiny-synth"], { encoding: "utf8" });
        assert.equal(run.status, 0, `${synth}: ${run.error ?? run.stderr}`);
        await compareAll("bert-tiny", readRepository(join(work, "bert-tiny-synth")));
    } else {
        skipped++;
        console.log(`skip - bert-tiny-synth: ${synth} is not there`);
    }
} finally {
    rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
