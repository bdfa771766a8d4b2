// BERT in ONNX Runtime: a peer of `make bench`.
//
//   node bert_ort.mjs MODULES_FOLDER FILE.onnx THREADS SPINNING(0|1)
//
// answers the commands of bench/bench.c on stdin: inputs BATCH TOKENS FILE, run, output FILE.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

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
const version = `onnxruntime-node ${require('onnxruntime-node/package.json').version} spinning=${spinning}`;
console.log(JSON.stringify({ load_ns, version }));

const names = ['input_ids', 'attention_mask', 'token_type_ids'];
let feeds, result;

function readInputs(batch, tokens, file) {
    const bytes = readFileSync(file);
    const data = new BigInt64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const n = batch * tokens;
    feeds = Object.fromEntries(names.map((name, i) =>
        [name, new ort.Tensor('int64', data.slice(i * n, (i + 1) * n), [batch, tokens])]));
    return 'ok';
}

async function run() {
    const begin = process.hrtime.bigint();
    result = (await session.run(feeds, ['last_hidden_state'])).last_hidden_state;
    return String(process.hrtime.bigint() - begin);
}

function writeOutput(file) {
    writeFileSync(file, new Uint8Array(result.data.buffer, result.data.byteOffset, result.data.byteLength));
    return 'ok';
}

for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(' ');
    const answer = command === 'inputs' ? readInputs(Number(words[0]), Number(words[1]), words[2])
        : command === 'run' ? await run()
        : command === 'output' ? writeOutput(words[0])
        : `error unknown command '${command}'`;
    process.stdout.write(answer + '\n');
}
