// Encrypted packages in one file, read by the bytes of docs/package-format.md with the ciphers of npm's @noble/ciphers
// and @noble/hashes, which are written in JavaScript: every content is the one that was packed.
// Run by tests/interop/run.sh after npm install; env BUILD (default build) says where pkgmgr is.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { argon2id } from "@noble/hashes/argon2.js";
import { blake2b } from "@noble/hashes/blake2.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const pkgmgr = resolve(root, process.env.BUILD ?? "build", "bin/pkgmgr");
const work = realpathSync(mkdtempSync(join(tmpdir(), "encrypted-interop.")));
let passed = 0, failed = 0;

function test(name, body) {
    try {
        body();
        passed++;
        console.log(`ok - ${name}`);
    } catch (error) {
        failed++;
        console.log(`FAIL - ${name}: ${error.stack ?? error}`);
    }
}

const TAG = 16;
const label = (text) => Buffer.concat([Buffer.from(text), Buffer.alloc(16 - text.length)]);
const derive = (key, ...parts) => blake2b(Buffer.concat(parts), { key, dkLen: 32 });
const u32 = (value) => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value); return bytes; };
const u64 = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes; };

// Every content of an archive, by path.
function open(file, secret) {
    const bytes = readFileSync(file);
    assert.equal(bytes.readUInt32LE(16), 2, "flags: encrypted");
    assert.equal(bytes.readUInt32LE(20), 1, "cipher suite");
    const metadataBytes = Number(bytes.readBigUInt64LE(32));
    assert.equal(Number(bytes.readBigUInt64LE(40)), 128);
    const metadata = bytes.subarray(128, 128 + metadataBytes);
    const parameters = bytes.subarray(128 + metadataBytes, 256 + metadataBytes);
    const [version, source, memory, passes, lanes, chunk] = [0, 4, 8, 12, 16, 20].map((at) => parameters.readUInt32LE(at));
    assert.equal(version, 1);
    const salt = parameters.subarray(24, 40), nonce = parameters.subarray(40, 64);
    const keyOfKeys = source === 1 ? argon2id(secret, salt, { m: memory, t: passes, p: lanes, dkLen: 32 })
        : derive(secret, label("mhp key file"), salt);
    const bound = Buffer.concat([label("mhp data key"), u32(1), u32(1), parameters.subarray(0, 64)]);
    const dataKey = xchacha20poly1305(keyOfKeys, nonce, bound).decrypt(parameters.subarray(64, 112));
    const digest = createHash("sha256").update(metadata).digest();
    xchacha20poly1305(derive(dataKey, label("mhp metadata")), Buffer.alloc(24), digest).decrypt(parameters.subarray(112, 128));

    const contents = {};
    for (const entry of JSON.parse(metadata).entries) {
        assert.equal(entry.method, "stored");
        const stored = bytes.subarray(entry.offset, entry.offset + entry.stored);
        const path = Buffer.from(entry.path);
        const key = derive(dataKey, label("mhp entry"), path);
        const pieces = [];
        const n = Math.ceil(entry.stored / (chunk + TAG));
        for (let i = 0; i < n && entry.path !== "metadata.json"; i++) {
            const place = Buffer.concat([label("mhp chunk"), u32(1), u32(1), u64(i), u32(i === n - 1 ? 1 : 0), path]);
            const chunkNonce = Buffer.concat([u64(i), Buffer.alloc(16)]);
            pieces.push(xchacha20poly1305(key, chunkNonce, place).decrypt(stored.subarray(i * (chunk + TAG), (i + 1) * (chunk + TAG))));
        }
        contents[entry.path] = entry.path === "metadata.json" ? stored : Buffer.concat(pieces);
        assert.equal(createHash("sha256").update(contents[entry.path]).digest("hex"), entry.sha256, entry.path);
    }
    return contents;
}

const files = {
    "backends/cpu/config.json": "{}\n",
    "backends/cpu/libmodel.so": "no plugin\n",
    "backends/cpu/model.safetensors": randomBytes(2_500_001),
    "empty": "",
    "one chunk": randomBytes(1 << 20),
};
for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(work, "package", path)), { recursive: true });
    writeFileSync(join(work, "package", path), content);
}
const key = randomBytes(32);
writeFileSync(join(work, "key"), key);
writeFileSync(join(work, "passphrase"), "schön und lang\n");

for (const [option, secret] of [["key-file", key], ["passphrase-file", Buffer.from("schön und lang")]]) {
    test(`an archive with --${option} opens by its specification alone`, () => {
        const file = join(work, `${option}.mhp`), secretFile = join(work, option === "key-file" ? "key" : "passphrase");
        execFileSync(pkgmgr, ["pack", join(work, "package"), "-o", file, "-q", "--compress", "0", "--encrypt", `--${option}`, secretFile]);
        const contents = open(file, secret);
        assert.deepEqual(Object.keys(contents).sort(), Object.keys(files).sort());
        for (const [path, content] of Object.entries(files)) assert.ok(contents[path].equals(Buffer.from(content)), path);
    });
}
rmSync(work, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
