"""run.py - measures BERT-base, fp32, in modelhost and in the peers that are installed.

bench/run.sh starts it in the repository's root; docs/benchmarks.md explains the method. It prepares the
weights and the package, lets every engine compute the same inputs, compares what comes out, and times
them in turn (A B C, B C A, ...), so that whatever else the machine does falls on all of them alike.
stdout: tables; BUILD/bench/results.json: every single run; stderr: progress."""
import json, os, platform, struct, subprocess, sys, time
import numpy as np
import report
from workers import Worker, WorkerError, find_engines, max_rss_bytes

BUILD = os.environ.get("BUILD", "build")
SHARED = os.environ.get("SHARED", "../shared")
SECONDS = float(os.environ.get("BENCH_SECONDS", "25"))
BENCH = f"{BUILD}/bench"
WORKLOADS = ((1, 128), (8, 128))
MIN_ROUNDS, MAX_ROUNDS = 3, 40
PAUSE_S = 0.1  # worker threads spin up to 50 ms after a run (OpenBLAS); the next engine waits for that
TOLERANCE = 1e-4


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# ---- what is measured

def prepare_model():
    """Returns the folder of the weights, and that of the reference or None."""
    synth = f"{SHARED}/models/synth.py"
    if os.path.exists(synth):
        folder, reference = f"{BUILD}/models/bert-base-synth", f"{SHARED}/models/bert-base-synth"
        command = [sys.executable, synth, f"{BUILD}/models", "bert-base-synth"]
    else:
        folder, reference = f"{BUILD}/models/bert-base-random", None
        command = [sys.executable, "bench/make_model.py", folder]
    if not os.path.exists(f"{folder}/model.safetensors"):
        say(f"writing {folder}")
        subprocess.run(command, check=True, stdout=sys.stderr)
    return folder, reference


def prepare_package(model_dir):
    """An author's folder: backends/cpu/ with links to the configuration, the weights and the plugin."""
    package = f"{BENCH}/package"
    backend = f"{package}/backends/cpu"
    os.makedirs(backend, exist_ok=True)
    suffix = "dylib" if sys.platform == "darwin" else "so"
    for name, target in (("config.json", f"{model_dir}/config.json"),
                         ("model.safetensors", f"{model_dir}/model.safetensors"),
                         (f"libmodel.{suffix}", f"{BUILD}/lib/modelhost/plugins/libbert.{suffix}")):
        link = f"{backend}/{name}"
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(os.path.abspath(target), link)
    return package


def make_inputs(batch, tokens, vocab_size):
    """int64 (3, batch, tokens): random ids, a mask of ones, type ids 0; the same each time."""
    ids = np.random.default_rng(batch * 1000 + tokens).integers(0, vocab_size, (batch, tokens))
    return np.stack([ids, np.ones_like(ids), np.zeros_like(ids)]).astype(np.int64)


def read_reference(folder):
    """Inputs as above, and last_hidden_state."""
    with open(f"{folder}/reference.safetensors", "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()

    def tensor(name):
        spec = header[name]
        dtype = {"I64": np.int64, "F32": np.float32}[spec["dtype"]]
        return np.frombuffer(data[slice(*spec["data_offsets"])], dtype).reshape(spec["shape"])
    inputs = np.stack([tensor(n) for n in ("input_ids", "attention_mask", "token_type_ids")])
    return inputs, tensor("last_hidden_state")


def gflop(config, batch, tokens):
    """Multiply-adds of the matrix products, twice."""
    h, wide = config["hidden_size"], config["intermediate_size"]
    per_token = 2 * (4 * h * h + 2 * h * wide) + 4 * tokens * h
    return config["num_hidden_layers"] * per_token * batch * tokens / 1e9


def peak(threads):
    return json.loads(subprocess.check_output([f"{BENCH}/bench", "--peak", str(threads)]))


# ---- measuring

def start_fastest(commands, threads, inputs):
    """Starts each candidate, keeps the one that is fastest on these inputs."""
    best, best_ms = None, float("inf")
    for command in commands:
        worker = Worker(command, threads)
        worker.set_inputs(inputs, f"{BENCH}/inputs.bin")
        ms = worker.run_ms()
        if ms < 3 * best_ms:  # else it is out of the race; some take ten seconds for a run
            ms = min(worker.run_ms() for _ in range(5))
        if len(commands) > 1:
            say(f"{worker.version}: {ms:.1f} ms on {threads} thread(s)")
        loser = worker
        if ms < best_ms:
            loser, best, best_ms = best, worker, ms
        if loser:
            loser.close()
    return best


def outputs_of(workers, inputs):
    for worker in workers.values():
        worker.set_inputs(inputs, f"{BENCH}/inputs.bin")
        worker.run_ms()
    return {name: worker.output(f"{BENCH}/output.bin") for name, worker in workers.items()}


def compare(workers, reference):
    """name -> the largest deviation from the reference (where the mask is 1), if there is one."""
    if not reference:
        return {}
    inputs, want = read_reference(reference)
    kept = inputs[1] == 1
    return {name: float(np.abs(got.reshape(want.shape) - want)[kept].max())
            for name, got in outputs_of(workers, inputs).items()}


def measure(workers, inputs, seconds):
    """Warms up, compares with modelhost, then times in turn: name -> [ms], the same in processor time
    (empty where the system does not tell), name -> deviation."""
    outputs = outputs_of(workers, inputs)
    deviation = {name: float(np.abs(got - outputs["modelhost"]).max()) for name, got in outputs.items()}
    names = list(workers)
    times, cpu_times = {name: [] for name in names}, {name: [] for name in names}
    end = time.monotonic() + seconds
    for i in range(MAX_ROUNDS):
        if i >= MIN_ROUNDS and time.monotonic() > end:
            break
        for k in range(len(names)):
            name = names[(i + k) % len(names)]
            time.sleep(PAUSE_S)
            cpu_before = workers[name].cpu_ms()
            times[name].append(workers[name].run_ms())
            if cpu_before:
                cpu_times[name].append(workers[name].cpu_ms() - cpu_before)
    return times, cpu_times, deviation


def measure_threads(engines, threads, config, reference):
    """All workloads on this number of threads; also the commands that were chosen."""
    first = make_inputs(*WORKLOADS[0], config["vocab_size"])
    workers = {name: start_fastest(commands(threads), threads, first) for name, commands in engines.items()}
    from_reference, rows = compare(workers, reference), []
    for batch, tokens in WORKLOADS:
        say(f"{batch} x {tokens} on {threads} thread(s)")
        before = peak(threads)
        times, cpu_times, deviation = measure(workers, make_inputs(batch, tokens, config["vocab_size"]), SECONDS)
        after = peak(threads)
        rows.append({"batch": batch, "tokens": tokens, "threads": threads, "times_ms": times, "cpu_times_ms": cpu_times,
                     "deviation_from_modelhost": deviation, "deviation_from_reference": from_reference,
                     "gflop": gflop(config, batch, tokens), "simd": before["name"],
                     "peak_gflops": max(before["gflops"], after["gflops"]),
                     "versions": {name: worker.version for name, worker in workers.items()}})
    chosen = {name: worker.command for name, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    return rows, chosen


def drop_cached(path):
    """Asks the system to forget the file's pages, so that the next reader meets the disk."""
    if not hasattr(os, "posix_fadvise"):
        return
    with open(path, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_start(command, threads, inputs, weights, cold):
    """A fresh process: opening the model, and from exec to the first answer."""
    if cold:
        drop_cached(weights)
    worker = Worker(command, threads)
    worker.set_inputs(inputs, f"{BENCH}/inputs.bin")
    worker.run_ms()
    first_ms = (time.perf_counter() - worker.start) * 1e3
    return {"load_ms": worker.load_ms, "first_answer_ms": first_ms, "peak_bytes": worker.close()}


def measure_starts(chosen, threads, config, files):
    say("starting each of them, cold and warm")
    inputs, rows = make_inputs(*WORKLOADS[0], config["vocab_size"]), {}
    for name, command in chosen.items():
        weights = files["graph" if name == "onnxruntime" else "weights"]
        rows[name] = {"cold": measure_start(command, threads, inputs, weights, True),
                      "warm": [measure_start(command, threads, inputs, weights, False) for _ in range(3)]}
    return rows


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "I64", "shape": value.shape, "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))


def measure_command(package, config):
    """`modelhost run` on tensors in a file, three times: from exec to exit (median), and its peak memory."""
    names, path = ("input_ids", "attention_mask", "token_type_ids"), f"{BENCH}/in.safetensors"
    write_safetensors(path, dict(zip(names, make_inputs(*WORKLOADS[0], config["vocab_size"]))))
    program = f"{BUILD}/bin/modelhost"
    if not os.path.exists(program):
        return {"failed": f"{program} is not built, so its memory is not measured"}
    command, runs = [program, "run", package, "--inputs", path, "--outputs", f"{BENCH}/out.safetensors",
                     "--output-names", "last_hidden_state"], []
    for _ in range(3):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        words = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            return {"failed": f"`modelhost run` exited with {process.returncode}: {words.strip()}"}
        runs.append(((time.perf_counter() - start) * 1e3, max_rss_bytes(usage)))
    return {"total_ms": float(np.median([ms for ms, _ in runs])), "peak_bytes": max(size for _, size in runs)}


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    os.makedirs(BENCH, exist_ok=True)
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    results = {"date": time.strftime("%Y-%m-%d"), "cpu": cpu_name(), "n_cpus": n_cpus, "commit": commit,
               "tolerance": TOLERANCE, "load_average_before": os.getloadavg()[0], "workloads": []}
    model_dir, reference = prepare_model()
    package = prepare_package(model_dir)
    with open(f"{model_dir}/config.json") as f:
        config = json.load(f)
    files = {"weights": f"{model_dir}/model.safetensors", "graph": f"{BENCH}/{os.path.basename(model_dir)}.onnx"}
    engines, results["missing"] = find_engines(BENCH, package, model_dir, files["graph"])
    for threads in [t for t in (1, 2) if t <= n_cpus]:
        rows, chosen = measure_threads(engines, threads, config, reference)
        results["workloads"] += rows
    results["starts"] = measure_starts(chosen, threads, config, files)
    results["command"] = measure_command(package, config)
    results |= {"start_threads": threads, "weights": model_dir, "weights_bytes": os.path.getsize(files["weights"]),
                "load_average_after": os.getloadavg()[0]}
    with open(f"{BENCH}/results.json", "w") as f:
        json.dump(results, f, indent=1)
    return report.show(results, f"{BENCH}/results.json")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (WorkerError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
