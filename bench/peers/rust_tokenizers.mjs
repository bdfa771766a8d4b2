// The Rust library of tokenizers, by its binding for Node.js: a peer of `make bench`.
//
//   node rust_tokenizers.mjs MODULES_FOLDER FOLDER       FOLDER: of a tokenizer.json
//
// answers the commands of bench/input_worker.h on stdin. All texts go over in one encodeBatch(), so that the binding
// is passed once in a run; what it costs, handing over strings and objects, is counted. Ids are not taken out of its
// objects within the time, and freeing these is left to whenever Node.js does it.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';

const [modules, folder] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), 'index.js'));
const { Tokenizer } = require('tokenizers');

const start = process.hrtime.bigint();
const tokenizer = Tokenizer.fromFile(join(folder, 'tokenizer.json'));
const load_ns = Number(process.hrtime.bigint() - start);
console.log(JSON.stringify({ load_ns, version: `tokenizers ${require('tokenizers/package.json').version}` }));

let texts = [], encodings = [];

async function answer(line) {
    const [command, ...words] = line.split(' ');
    if (command === 'inputs') {
        texts = readFileSync(words[1], 'utf8').split('\0').slice(0, -1);
        return 'ok';
    }
    if (command === 'run') {
        encodings = [];
        globalThis.gc?.(); // what the last run has left
        const start = process.hrtime.bigint();
        encodings = await tokenizer.encodeBatch(texts);
        return process.hrtime.bigint() - start;
    }
    if (command === 'output') {
        writeFileSync(words[0], new Uint8Array(Float32Array.from(encodings.flatMap((e) => e.getIds())).buffer));
        return 'ok';
    }
    return `error unknown command '${command}'`;
}

for await (const line of createInterface({ input: process.stdin }))
    console.log(String(await answer(line)));
