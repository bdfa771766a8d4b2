"""starts.py - how long it takes until a model answers, and how much memory it takes; a part of `make bench`.

run.py calls it for each model, when no other worker runs. Everything is measured on the fewest threads (one, unless
BENCH_THREADS says otherwise), in a fresh process each, in float32 and in int8:
  first   nothing prepared: what modelhost keeps in its store is removed, so that weights are packed anew; the weights are
          in the system's memory. Peers keep nothing, so theirs is `warm`
  cold    what is read (the weights, modelhost's prepared ones, the peer's graph) was dropped from the system's memory
  warm    right behind that"""
import dataclasses, os, shutil, subprocess, time
import numpy as np
from tensors import write_arrays
from workers import Worker, peak_of_command

DTYPES = ("f32", "int8")
RUNS = 3


def drop_cached(path):
    """Asks the system to forget the file's pages, so that the next reader meets the disk."""
    if not hasattr(os, "posix_fadvise"):
        return
    with open(path, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def prepared_folder():
    return os.path.join(os.environ["MODELHOST_STORE"], "prepared") if os.environ.get("MODELHOST_STORE") else None


def prepared_files():
    folder = prepared_folder()
    return [os.path.join(folder, name) for name in os.listdir(folder)] if folder and os.path.isdir(folder) else []


def forget_prepared():
    if prepared_folder():
        shutil.rmtree(prepared_folder(), ignore_errors=True)


def start(command, threads, workload, path):
    """A fresh process: opening the model, from exec to the first answer, and the most memory it held."""
    worker = Worker(command, threads)
    worker.set_inputs(workload, path)
    worker.run_ms()
    first_ms = (time.perf_counter() - worker.start) * 1e3
    return {"load_ms": worker.load_ms, "first_answer_ms": first_ms, "peak_bytes": worker.close()}


def measure_engine(name, command, threads, workload, path, weights):
    keeps, first = name == "modelhost", []
    start(command, threads, workload, path)  # libraries are in the system's memory, whoever came before
    for _ in range(RUNS if keeps else 0):
        forget_prepared()
        first.append(start(command, threads, workload, path))
    for file in [weights] + [word for word in command if word.endswith(".onnx")] + (prepared_files() if keeps else []):
        drop_cached(file)
    cold = [start(command, threads, workload, path)]
    return {"first": first, "cold": cold, "warm": [start(command, threads, workload, path) for _ in range(RUNS)]}


def measure_command(program, package, threads, workload, dtype, path, output):
    """`modelhost run` on tensors in a file, prepared: from exec to exit, and its peak memory."""
    if not os.path.exists(program):
        return {"failed": f"{program} is not built, so its memory is not measured"}
    command, runs = [program, "run", package, "--threads", str(threads), "--dtype", dtype, "--inputs", path, "--outputs", output,
                     "--output-names", workload.output or "next_token_logits"], []
    for _ in range(1 + RUNS):  # the first may prepare
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        words = process.stderr.read()
        if process.wait():
            return {"failed": f"`modelhost run --dtype {dtype}` exited with {process.returncode}: {words.strip()}"}
        runs.append((time.perf_counter() - begin) * 1e3)
    return {"total_ms": float(np.median(runs[1:])), "peak_bytes": peak_of_command(command)}


def commands_of(engines, chosen, threads, model, first, dtype):
    """name -> command: the fastest one in float32, the peer's own int8 where it has such a graph."""
    if dtype == "f32":
        return chosen if first.dtype == "f32" else {
            name: list_commands(threads, dataclasses.replace(first, dtype="f32", graphs=()))[0] for name, list_commands in engines.items()}
    asked = dataclasses.replace(first, dtype=dtype, graphs=(dtype,))
    return {name: engines[name](threads, asked)[0] for name in ("modelhost", "onnxruntime")
            if name in engines and (name == "modelhost" or dtype in model.graph_variants)}


def measure(engines, chosen, threads, model, config, package, weights, build, say):
    """{"threads", "weights_bytes", "work", "rows": a list, "commands": {dtype: ...}}"""
    path, first = f"{build}/bench/starts.safetensors", model.workloads[0]
    write_arrays(path, first.inputs(config))
    rows, commands = [], {}
    for dtype in DTYPES:
        say(f"starting each of them in {dtype}: first, cold and warm")
        for name, command in commands_of(engines, chosen, threads, model, first, dtype).items():
            rows.append({"engine": name, "dtype": dtype} | measure_engine(name, command, threads, first, path, weights))
        commands[dtype] = measure_command(f"{build}/bin/modelhost", package, threads, first, dtype, path, f"{build}/bench/out.safetensors")
    return {"threads": threads, "weights_bytes": os.path.getsize(weights), "work": first.label.split(",")[0], "rows": rows, "commands": commands}
