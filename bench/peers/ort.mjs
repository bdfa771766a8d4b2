// ONNX Runtime: a peer of `make bench`.
//
//   node ort.mjs MODULES_FOLDER FILE.onnx THREADS SPINNING(0|1)
//
// answers the commands of bench/bench.c on stdin: inputs OUTPUT FILE, prompt N FILE or steps N FILE, run, output FILE. A
// decoder's graph has past_key_values.* inputs and present.* outputs; outputs become the next step's inputs as
// they are. (This binding does not offer ONNX Runtime's I/O binding, which would spare copies of outputs.)
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { basename, join, resolve } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';

const [modules, graph, threads, spinning] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), 'index.js'));
const ort = require('onnxruntime-node');

const start = process.hrtime.bigint();
const session = await ort.InferenceSession.create(graph, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    extra: { session: { intra_op: { allow_spinning: spinning } } },
});
const load_ns = Number(process.hrtime.bigint() - start);
const variant = basename(graph, '.onnx').split('.')[1];
const version = `onnxruntime-node ${require('onnxruntime-node/package.json').version} spinning=${spinning}` +
    (variant ? ` graph=${variant}` : '');
console.log(JSON.stringify({ load_ns, version }));

const KINDS = { F32: ['float32', Float32Array], I64: ['int64', BigInt64Array] };
let compute, result; // result: Float32Array, of a prompt { tokens, logits }

function readSafetensors(file) {
    const bytes = readFileSync(file), data = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, data));
    return Object.fromEntries(Object.entries(header).filter(([name]) => name !== '__metadata__').map(
        ([name, { dtype, shape, data_offsets: [begin, end] }]) => {
            const copy = new Uint8Array(bytes.subarray(data + begin, data + end)).buffer; // aligned
            return [name, new ort.Tensor(KINDS[dtype][0], new KINDS[dtype][1](copy), shape)];
        }));
}

// ---- decoders

const pastNames = session.inputNames.filter((name) => name.startsWith('past_key_values.'));
const [heads, size] = pastNames.length > 0
    ? [1, 3].map((i) => session.inputMetadata.find(({ name }) => name === pastNames[0]).shape[i]) : [];
const emptyPast = () => Object.fromEntries(pastNames.map((name) =>
    [name, new ort.Tensor('float32', new Float32Array(0), [1, heads, 0, size])]));

// ids (BigInt64Array) behind n positions that `past` holds
function step(ids, n, past) {
    const mask = new BigInt64Array(n + ids.length).fill(1n);
    const positions = BigInt64Array.from(ids, (_, i) => BigInt(n + i));
    return session.run({
        input_ids: new ort.Tensor('int64', ids, [1, ids.length]),
        attention_mask: new ort.Tensor('int64', mask, [1, mask.length]),
        position_ids: new ort.Tensor('int64', positions, [1, ids.length]), ...past,
    });
}

const presentAsPast = (outputs) => Object.fromEntries(pastNames.map((name) =>
    [name, outputs[name.replace('past_key_values', 'present')]]));

function largest(values) {
    let best = 0;
    for (let i = 1; i < values.length; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

async function generate(ids, before, nTokens) {
    const tokens = new Float32Array(nTokens);
    let past = before, last = ids.at(-1), logits;
    for (let i = 0; i < nTokens; i++) {
        const outputs = await step(BigInt64Array.of(last), ids.length - 1 + i, past);
        logits = outputs.logits.data;
        tokens[i] = largest(logits);
        last = BigInt(tokens[i]);
        past = presentAsPast(outputs);
    }
    return { tokens, logits };
}

// ---- the conversation

async function setPrompt(nTokens, file) {
    const ids = readSafetensors(file).input_ids.data;
    const before = presentAsPast(await step(ids.slice(0, -1), 0, emptyPast()));
    compute = () => generate(ids, before, nTokens);
    return 'ok';
}

// The last n ids, one by one: the logits behind each
function setSteps(n, file) {
    const ids = readSafetensors(file).input_ids.data, first = ids.length - n;
    compute = async () => {
        const all = [];
        let past = presentAsPast(await step(ids.slice(0, first), 0, emptyPast()));
        for (let i = first; i < ids.length; i++) {
            const outputs = await step(ids.slice(i, i + 1), i, past);
            all.push(outputs.logits.data.slice());
            past = presentAsPast(outputs);
        }
        const logits = new Float32Array(all.length * all[0].length);
        all.forEach((row, i) => logits.set(row, i * row.length));
        return logits;
    };
    return 'ok';
}

function setInputs(output, file) {
    const inputs = readSafetensors(file);
    if (pastNames.length > 0) { // of a decoder: the logits behind the last position
        const past = emptyPast();
        compute = async () => (await step(inputs.input_ids.data, 0, past)).logits.data;
    } else {
        compute = async () => (await session.run(inputs, [output]))[output].data;
    }
    return 'ok';
}

async function run() {
    const begin = process.hrtime.bigint();
    result = await compute();
    return String(process.hrtime.bigint() - begin);
}

function writeOutput(file) {
    const parts = result.tokens ? [result.tokens, result.logits] : [result];
    writeFileSync(file, Buffer.concat(parts.map((p) => new Uint8Array(p.buffer, p.byteOffset, p.byteLength))));
    return 'ok';
}

for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(' ');
    const answer = command === 'inputs' ? setInputs(words[0], words[1])
        : command === 'prompt' ? await setPrompt(Number(words[0]), words[1])
        : command === 'steps' ? setSteps(Number(words[0]), words[1])
        : command === 'run' ? await run()
        : command === 'output' ? writeOutput(words[0])
        : `error unknown command '${command}'`;
    process.stdout.write(answer + '\n');
}
