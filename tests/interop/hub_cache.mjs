// The cache that `pkgmgr download --hf-cache` writes, beside the one that npm's @huggingface/hub lays down from the
// same server: the same tree, byte for byte. And each reads what the other wrote.
// Run by tests/interop/run.sh after npm install; env BUILD (default build) says where pkgmgr is.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as hub from "@huggingface/hub";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const pkgmgr = resolve(root, process.env.BUILD ?? "build", "bin/pkgmgr");
const work = realpathSync(mkdtempSync(join(tmpdir(), "cache-interop.")));
let passed = 0, failed = 0;
console.debug = () => {};

async function test(name, body) {
    try {
        await body();
        passed++;
        console.log(`ok - ${name}`);
    } catch (error) {
        failed++;
        console.log(`FAIL - ${name}: ${error.stack ?? error}`);
    }
}

// Every file, link and folder below a folder: "path -> target", "path sha256", "path/".
function tree(folder, prefix = "") {
    return readdirSync(folder).sort().flatMap((name) => {
        const path = join(folder, name), info = lstatSync(path), shown = prefix + name;
        if (info.isSymbolicLink()) return [`${shown} -> ${readlinkSync(path)}`];
        if (info.isDirectory()) return [`${shown}/`, ...tree(path, `${shown}/`)];
        return [`${shown} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`];
    });
}

const header = JSON.stringify({ w: { dtype: "F32", shape: [250_000], data_offsets: [0, 1_000_000] } });
const size = Buffer.alloc(8);
size.writeBigUInt64LE(BigInt(header.length));
const files = {
    "config.json": '{"model_type": "bert", "hidden_size": 4}\n',
    "README.md": "---\nlicense: mit\n---\n",
    "model.safetensors": Buffer.concat([size, Buffer.from(header), randomBytes(1_000_000).map((byte) => byte & 0x3f)]),
    "1_Pooling/config.json": "{}\n",
    "extra/deep/name with space.txt": "deep\n",
    "extra/deep/same.txt": "deep\n",
};
for (const [path, data] of Object.entries(files)) {
    const target = join(work, "hub/acme/tiny", path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, data);
}

const server = spawn(pkgmgr, ["serve", join(work, "hub"), "--port", "0", "--verbose"], { stdio: ["ignore", "pipe", "pipe"] });
let log = "";
server.stderr.on("data", (data) => { log += data; });
const hubUrl = (await new Promise((done, fail) => {
    createInterface({ input: server.stdout }).once("line", done);
    server.once("exit", (code) => fail(new Error(`pkgmgr serve ended with ${code}`)));
})).trim();
const repo = "acme/tiny", name = "models--acme--tiny";
const run = (args, cache, store) => execFileSync(pkgmgr, args, {
    env: { ...process.env, HF_ENDPOINT: hubUrl, HF_HUB_CACHE: cache, MODELHOST_STORE: store, MODELHOST_PLUGIN_PATH: join(work, "none") },
    encoding: "utf8", stdio: ["ignore", "pipe", "ignore"],
}).trim();
const theirs = join(work, "theirs"), ours = join(work, "ours");

try {
    let snapshot;
    await test("their client and ours lay down the same tree", async () => {
        snapshot = await hub.snapshotDownload({ repo, hubUrl, cacheDir: theirs });
        run(["download", repo, "--hf-cache", "-q"], ours, join(work, "store1"));
        assert.deepEqual(tree(join(ours, name)), tree(join(theirs, name)));
    });
    await test("their client finds all of it in ours", async () => {
        const asked = [];
        const counting = (url, options) => {
            asked.push(String(url));
            return fetch(url, options);
        };
        const found = await hub.snapshotDownload({ repo, hubUrl, cacheDir: ours, fetch: counting });
        assert.equal(found, snapshot.replace(theirs, ours));
        assert.deepEqual(asked.filter((url) => url.includes("/resolve/")), []);
        assert.equal(readFileSync(join(found, "extra/deep/name with space.txt"), "utf8"), "deep\n");
    });
    await test("their scan of ours has nothing to warn of", async () => {
        const found = await hub.scanCacheDir(ours);
        assert.deepEqual(found.warnings, []);
        assert.equal(found.repos[0].id.name, repo);
        assert.deepEqual(found.repos[0].revisions[0].refs, ["main"]);
        assert.equal(found.size, (await hub.scanCacheDir(theirs)).size);
    });
    await test("ours takes everything from theirs", () => {
        const before = log.split("/resolve/").length;
        const dir = run(["download", repo, "-q"], theirs, join(work, "store2"));
        assert.equal(log.split("/resolve/").length, before);
        assert.deepEqual(readFileSync(join(dir, "backends/cpu/model.safetensors")), files["model.safetensors"]);
    });
    await test("ours imports theirs", () => {
        const imported = JSON.parse(run(["import", join(theirs, name), "--json"], theirs, join(work, "store3")));
        assert.equal(imported.id, repo);
        assert.ok(snapshot.endsWith(imported.revision));
        assert.equal(imported.files, Object.keys(files).length);
    });
    await test("their tree is as it was", async () => {
        assert.deepEqual(tree(join(theirs, name)), tree(join(ours, name)));
    });
} finally {
    server.removeAllListeners("exit");
    server.kill("SIGTERM");
    rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
