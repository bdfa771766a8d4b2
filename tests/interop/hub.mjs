// Drives `pkgmgr serve` with npm's @huggingface/hub, the client that people use from JavaScript.
// Run by tests/interop/run.sh after npm install; env BUILD (default build) says where pkgmgr is.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as hub from "@huggingface/hub";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const pkgmgr = resolve(root, process.env.BUILD ?? "build", "bin/pkgmgr");
const work = realpathSync(mkdtempSync(join(tmpdir(), "hub-interop.")));
const servers = [];
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

// A server on any free port; its address is the first line of its output.
const serve = (...args) => serveFolder(folder, ...args);
async function serveFolder(folder, ...args) {
    const child = spawn(pkgmgr, ["serve", folder, "--port", "0", "--quiet", ...args],
        { stdio: ["ignore", "pipe", "inherit"] });
    servers.push(child);
    const line = await new Promise((done, fail) => {
        createInterface({ input: child.stdout }).once("line", done);
        child.once("error", fail);
        child.once("exit", (code) => fail(new Error(`pkgmgr serve ended with ${code}`)));
    });
    return line.trim();
}

async function refused(promise, status, pattern) {
    await assert.rejects(promise, (error) => {
        assert.equal(error.statusCode, status);
        if (pattern) assert.match(error.message, pattern);
        return true;
    });
}

async function collect(iterator) {
    const items = [];
    for await (const item of iterator) items.push(item);
    return items;
}

const gitBlob = (data) => createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

// A safetensors file of one tensor, a header and random data.
function safetensors(bytes) {
    const header = JSON.stringify({ weight: { dtype: "F32", shape: [bytes / 4], data_offsets: [0, bytes] } });
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([size, Buffer.from(header), randomBytes(bytes)]);
}

const folder = join(work, "hub");
const files = {
    "config.json": Buffer.from('{"model_type": "bert", "hidden_size": 4}\n'),
    "empty.txt": Buffer.alloc(0),
    "model.safetensors": safetensors(4_000_000),
    "1_Pooling/config.json": Buffer.from("{}\n"),
    "onnx/deep/name with space.txt": Buffer.from("deep\n"),
};
for (const [path, data] of Object.entries(files)) {
    const target = join(folder, "acme/tiny", path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, data);
}
mkdirSync(join(folder, "acme/many"), { recursive: true });
for (let i = 0; i < 250; i++) writeFileSync(join(folder, `acme/many/file-${String(i).padStart(3, "0")}.txt`), `${i}`);
mkdirSync(join(folder, "google-bert/bert-base-uncased"), { recursive: true });
writeFileSync(join(folder, "google-bert/bert-base-uncased/config.json"), "{}\n");

try {
    const hubUrl = await serve("--page-size", "40");
    const repo = "acme/tiny";
    let commit;

    await test("modelInfo gives id, dates and commit", async () => {
        const info = await hub.modelInfo({ name: repo, hubUrl, additionalFields: ["sha", "author", "filePaths"] });
        assert.equal(info.name, repo);
        assert.equal(info.author, "acme");
        assert.match(info.sha, /^[0-9a-f]{40}$/);
        assert.equal(info.private, false);
        assert.equal(info.gated, false);
        assert.ok(Math.abs(info.updatedAt.getTime() - Date.now()) < 600_000);
        assert.deepEqual([...info.filePaths].sort(), Object.keys(files).sort());
        commit = info.sha;
    });
    await test("modelInfo by branch and by commit", async () => {
        for (const revision of ["main", "refs/heads/main", commit])
            assert.equal((await hub.modelInfo({ name: repo, hubUrl, revision, additionalFields: ["sha"] })).sha, commit);
    });
    await test("modelInfo follows a legacy name", async () => {
        const info = await hub.modelInfo({ name: "bert-base-uncased", hubUrl });
        assert.equal(info.name, "google-bert/bert-base-uncased");
    });
    await test("listFiles, recursive: sizes and digests are those of the files", async () => {
        const items = await collect(hub.listFiles({ repo, hubUrl, recursive: true }));
        const found = new Map(items.filter((item) => item.type === "file").map((item) => [item.path, item]));
        assert.deepEqual([...found.keys()].sort(), Object.keys(files).sort());
        for (const [path, data] of Object.entries(files)) {
            const item = found.get(path);
            assert.equal(item.size, data.length, path);
            if (path.endsWith(".safetensors")) {
                assert.equal(item.lfs.oid, sha256(data));
                assert.equal(item.lfs.size, data.length);
                const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(data)}\nsize ${data.length}\n`;
                assert.equal(item.lfs.pointerSize, pointer.length);
                assert.equal(item.oid, gitBlob(Buffer.from(pointer)));
            } else {
                assert.equal(item.oid, gitBlob(data), path);
                assert.equal(item.lfs, undefined);
            }
            assert.equal(item.xetHash, undefined);
        }
        assert.deepEqual(items.filter((item) => item.type === "directory").map((item) => item.path),
            ["1_Pooling", "onnx", "onnx/deep"]);
    });
    await test("listFiles, flat and of a folder", async () => {
        const top = await collect(hub.listFiles({ repo, hubUrl }));
        assert.deepEqual(top.map((item) => item.path),
            ["1_Pooling", "config.json", "empty.txt", "model.safetensors", "onnx"]);
        const below = await collect(hub.listFiles({ repo, hubUrl, path: "onnx", recursive: true }));
        assert.deepEqual(below.map((item) => item.path), ["onnx/deep", "onnx/deep/name with space.txt"]);
    });
    await test("listFiles walks pages", async () => {
        const items = await collect(hub.listFiles({ repo: "acme/many", hubUrl, recursive: true }));
        assert.equal(items.length, 250);
        assert.equal(new Set(items.map((item) => item.path)).size, 250);
    });
    await test("listFiles with expand gives the last commit", async () => {
        const items = await collect(hub.listFiles({ repo, hubUrl, expand: true, revision: commit }));
        assert.ok(items.every((item) => item.lastCommit.id === commit));
    });
    await test("pathsInfo", async () => {
        const infos = await hub.pathsInfo({ repo, hubUrl, paths: ["config.json", "onnx", "none"], expand: true });
        assert.deepEqual(infos.map((info) => [info.path, info.type]), [["config.json", "file"], ["onnx", "directory"]]);
        assert.equal(infos[0].lastCommit.id, commit);
        assert.ok(!Number.isNaN(infos[0].lastCommit.date.getTime()));
    });
    await test("fileDownloadInfo: size and tag, large and small", async () => {
        const large = await hub.fileDownloadInfo({ repo, hubUrl, path: "model.safetensors" });
        assert.equal(large.size, files["model.safetensors"].length);
        assert.equal(large.etag, `"${sha256(files["model.safetensors"])}"`);
        assert.equal(large.xet, undefined);
        const small = await hub.fileDownloadInfo({ repo, hubUrl, path: "config.json" });
        assert.equal(small.etag, `"${gitBlob(files["config.json"])}"`);
        assert.equal((await hub.fileDownloadInfo({ repo, hubUrl, path: "empty.txt" })).size, 0);
    });
    await test("fileDownloadInfo of no file is null", async () => {
        assert.equal(await hub.fileDownloadInfo({ repo, hubUrl, path: "none" }), null);
    });
    await test("raw gives the pointer of a large file", async () => {
        const blob = await hub.downloadFile({ repo, hubUrl, path: "model.safetensors", raw: true });
        assert.match(await blob.text(), new RegExp(`oid sha256:${sha256(files["model.safetensors"])}\n`));
    });
    await test("downloadFile: every file, byte for byte", async () => {
        for (const [path, data] of Object.entries(files)) {
            const blob = await hub.downloadFile({ repo, hubUrl, path });
            assert.ok(Buffer.from(await blob.arrayBuffer()).equals(data), path);
        }
    });
    await test("downloadFile: slices are ranges", async () => {
        const blob = await hub.downloadFile({ repo, hubUrl, path: "model.safetensors" });
        const data = files["model.safetensors"];
        for (const [from, to] of [[0, 1], [1000, 5000], [data.length - 7, data.length]])
            assert.ok(Buffer.from(await blob.slice(from, to).arrayBuffer()).equals(data.subarray(from, to)));
    });
    await test("downloadFile: by an encoded revision, and 20 at once", async () => {
        const blobs = await Promise.all(Array.from({ length: 20 }, async () => {
            const blob = await hub.downloadFile({ repo, hubUrl, path: "model.safetensors", revision: "refs/heads/main" });
            return sha256(Buffer.from(await blob.arrayBuffer()));
        }));
        assert.deepEqual(new Set(blobs), new Set([sha256(files["model.safetensors"])]));
    });
    await test("downloadFile of no file is null", async () => {
        assert.equal(await hub.downloadFile({ repo, hubUrl, path: "none" }), null);
    });
    await test("parseSafetensorsMetadata reads the header by ranges", async () => {
        const { header } = await hub.parseSafetensorsMetadata({ repo, hubUrl });
        assert.deepEqual(header.weight.shape, [1_000_000]);
    });
    await test("downloadFileToCacheDir keeps blob and snapshot", async () => {
        const cacheDir = join(work, "cache-file");
        const path = await hub.downloadFileToCacheDir({ repo, hubUrl, path: "config.json", cacheDir });
        assert.ok(readFileSync(path).equals(files["config.json"]));
        assert.ok(path.includes(`/snapshots/${commit}/`));
        assert.equal(statSync(join(cacheDir, "models--acme--tiny/blobs", gitBlob(files["config.json"]))).size,
            files["config.json"].length);
    });
    await test("snapshotDownload gets the whole repository", async () => {
        const path = await hub.snapshotDownload({ repo, hubUrl, cacheDir: join(work, "cache") });
        assert.ok(path.endsWith(commit));
        for (const [name, data] of Object.entries(files)) assert.ok(readFileSync(join(path, name)).equals(data), name);
        assert.equal(readFileSync(join(work, "cache/models--acme--tiny/refs/main"), "utf8"), commit);
    });
    await test("listCommits, listModels", async () => {
        assert.deepEqual((await collect(hub.listCommits({ repo, hubUrl }))).map((item) => item.oid), [commit]);
        const models = await collect(hub.listModels({ hubUrl, search: { owner: "acme" } }));
        assert.deepEqual(models.map((model) => model.name), ["acme/many", "acme/tiny"]);
    });
    await test("fileExists, repoExists, checkRepoAccess", async () => {
        assert.equal(await hub.fileExists({ repo, hubUrl, path: "config.json" }), true);
        assert.equal(await hub.fileExists({ repo, hubUrl, path: "none" }), false);
        assert.equal(await hub.repoExists({ repo, hubUrl }), true);
        assert.equal(await hub.repoExists({ repo: "acme/none", hubUrl }), false);
        await hub.checkRepoAccess({ repo, hubUrl });
        await refused(hub.checkRepoAccess({ repo: "acme/none", hubUrl }), 404, /Repository not found/);
    });
    await test("whoAmI", async () => {
        const me = await hub.whoAmI({ hubUrl, accessToken: "hf_any" });
        assert.equal(me.type, "user");
        assert.deepEqual(me.orgs, []);
        assert.ok(!Number.isNaN(me.auth.accessToken.createdAt.getTime()));
    });
    await test("errors are the hub's", async () => {
        await refused(hub.modelInfo({ name: "acme/none", hubUrl }), 404, /Repository not found/);
        await refused(hub.modelInfo({ name: repo, hubUrl, revision: "v9" }), 404, /Invalid rev id/);
        await refused(collect(hub.listFiles({ repo, hubUrl, revision: "v9" })), 404, /Invalid rev id/);
        await refused(hub.downloadFile({ repo, hubUrl, path: "config.json", revision: "v9" }), 404, /Invalid rev id/);
        await refused(collect(hub.listFiles({ repo, hubUrl, path: "none" })), 404, /does not exist/);
    });
    await test("a token is asked for, and a gate kept", async () => {
        const closed = await serve("--token", "hf_secret");
        await refused(hub.modelInfo({ name: repo, hubUrl: closed }), 401, /token/);
        await refused(hub.whoAmI({ hubUrl: closed, accessToken: "hf_wrong" }), 401);
        assert.equal((await hub.modelInfo({ name: repo, hubUrl: closed, accessToken: "hf_secret" })).name, repo);
        const gated = await serve("--gated", repo);
        await refused(hub.downloadFile({ repo, hubUrl: gated, path: "config.json" }), 403, /restricted/);
        assert.ok(await hub.downloadFile({ repo, hubUrl: gated, path: "config.json", accessToken: "hf_any" }));
    });
    await test("through another hub: lists, downloads and follows a name, once fetched for all", async () => {
        const near = join(work, "near");
        mkdirSync(near);
        const pulled = await serveFolder(near, "--upstream", hubUrl);
        const items = await collect(hub.listFiles({ repo, hubUrl: pulled, recursive: true }));
        assert.deepEqual(items.filter((item) => item.type === "file").map((item) => item.path).sort(), Object.keys(files).sort());
        for (const [path, data] of Object.entries(files)) {
            const blob = await hub.downloadFile({ repo, hubUrl: pulled, path });
            assert.equal(sha256(Buffer.from(await blob.arrayBuffer())), sha256(data), path);
        }
        assert.equal((await hub.modelInfo({ name: "bert-base-uncased", hubUrl: pulled })).name, "google-bert/bert-base-uncased");
    });
    await test("of a package in one file: lists, downloads, and reads ranges of compressed entries", async () => {
        const store = join(work, "store"), file = join(work, "tiny.mhp");
        const packed = execFileSync(pkgmgr, ["import", join(folder, "acme/tiny"), "--name", repo, "--store", store, "-q"], { encoding: "utf8" });
        execFileSync(pkgmgr, ["pack", packed.trim(), "-o", file, "--ship", "-q"]);
        const kept = Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith("onnx/"))); // what an import takes
        const single = await serveFolder(file, "--page-size", "2");
        const items = await collect(hub.listFiles({ repo, hubUrl: single, recursive: true }));
        assert.deepEqual(items.filter((item) => item.type === "file").map((item) => item.path).sort(), Object.keys(kept).sort());
        for (const [path, data] of Object.entries(kept)) {
            const blob = await hub.downloadFile({ repo, hubUrl: single, path });
            assert.equal(sha256(Buffer.from(await blob.arrayBuffer())), sha256(data), path);
        }
        const blob = await hub.downloadFile({ repo, hubUrl: single, path: "model.safetensors" });
        const part = Buffer.from(await blob.slice(1000, 9000).arrayBuffer());
        assert.deepEqual(part, files["model.safetensors"].subarray(1000, 9000));
    });
    await test("over https, with pages: lists and downloads", async () => {
        const cert = join(work, "cert.pem"), key = join(work, "key.pem");
        execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], { stdio: "ignore" });
        const secure = await serve("--cert", cert, "--key", key, "--page-size", "40");
        assert.match(secure, /^https:/);
        // Node reads further certificates only when it starts.
        const script = `import * as hub from "@huggingface/hub"; import { createHash } from "node:crypto"; let n = 0;
            for await (const item of hub.listFiles({ repo: "acme/many", hubUrl: "${secure}" })) n++;
            const blob = await hub.downloadFile({ repo: "${repo}", hubUrl: "${secure}", path: "model.safetensors" });
            console.log(n, createHash("sha256").update(Buffer.from(await blob.arrayBuffer())).digest("hex"));`;
        const output = execFileSync(process.execPath, ["--input-type=module", "-e", script],
            { cwd: dirname(fileURLToPath(import.meta.url)), env: { ...process.env, NODE_EXTRA_CA_CERTS: cert }, encoding: "utf8" });
        assert.equal(output.trim(), `250 ${sha256(files["model.safetensors"])}`);
    });
} finally {
    for (const child of servers) child.removeAllListeners("exit");
    const codes = await Promise.all(servers.map((child) => new Promise((done) => {
        child.once("exit", done);
        if (child.exitCode !== null) done(child.exitCode);
        else child.kill("SIGTERM");
    })));
    await test("every server ends with 0", () => assert.ok(codes.every((code) => code === 0), `${codes}`));
    rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
