#!/usr/bin/python3
"""programs.py - models as ML Programs beside their own plugins: what the path over plugins/graph/ costs.

    make all build/bench/bench && chrt -f 10 bench/programs.py [MODEL...]

writes the weights (SHARED/models/synth.py) and programs (tests/reference/coreml_convert.py) into BUILD/bench, lets both compute
the same inputs in turn, and prints a row for each model and number of threads (BENCH_THREADS, "1 2"): processor time of a
call, and the median of the rounds' quotients (BENCH_ROUNDS, 15), for times of one round have the same neighbours. One
thread stays on one processor. Memory is the most that a process held that loaded the model for the first time (no store)
and ran it. Outputs are held against each other first."""
import json, os, statistics, subprocess, sys
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/reference"))
import coreml_convert
from workers import Worker

BUILD, SHARED = os.environ.get("BUILD", "build"), os.environ.get("SHARED", "../shared")
THREADS = [int(t) for t in os.environ.get("BENCH_THREADS", "1 2").split()]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
PLUGINS = f"{BUILD}/lib/modelhost/plugins"
MODELS = {  # folder of the weights, plugin, inputs or None for the reference's, output
    "bert-base": ("bert-base-synth", "bert", "1x128", "last_hidden_state"),
    "gpt2": ("gpt2-124m-synth", "gpt2", "1x128", "logits"),
    "lstm": ("lstm-2x512-synth", "lstm", "1x128", "logits"),
    "resnet-50": ("resnet-50-synth", "resnet", None, "logits")}


def package(folder, plugin, config):
    """A folder with a backend that is to be filled; returns the backend."""
    backend = f"{folder}/backends/cpu"
    os.makedirs(backend, exist_ok=True)
    if not os.path.lexists(f"{backend}/libmodel.so"):
        os.symlink(os.path.abspath(f"{PLUGINS}/lib{plugin}.so"), f"{backend}/libmodel.so")
    with open(f"{backend}/config.json", "w") as file:
        json.dump(config, file)
    return backend


def prepare(name):
    """The packages of plugin and program, with native.safetensors and coreml.safetensors beside the program."""
    made, plugin, inputs, _ = MODELS[name]
    weights, native, program = f"{BUILD}/models/{made}", f"{BUILD}/bench/{name}.native", f"{BUILD}/bench/{name}.program"
    if not os.path.exists(f"{weights}/model.safetensors"):
        subprocess.run([sys.executable, f"{SHARED}/models/synth.py", f"{BUILD}/models", made], check=True, stdout=sys.stderr)
    backend = package(native, plugin, json.load(open(f"{weights}/config.json")))
    if not os.path.lexists(f"{backend}/model.safetensors"):
        os.symlink(os.path.abspath(f"{weights}/model.safetensors"), f"{backend}/model.safetensors")
    backend = package(program, "coreml-ane", {"model_type": "coreml"})
    coreml_convert.write(weights, inputs or f"{SHARED}/models/{made}/reference.safetensors", "fp32", backend)
    return native, program, backend


def start(folder, inputs, name, threads):
    command = [f"{BUILD}/bench/bench", folder, str(threads)]
    cpus = sorted(os.sched_getaffinity(0))[-threads:]
    worker = Worker(["taskset", "-c", ",".join(map(str, cpus))] + command, threads)
    worker.ask(f"inputs {MODELS[name][3]} {inputs}")
    return worker


def spent(worker):
    before = worker.cpu_ms()
    worker.run_ms()
    return worker.cpu_ms() - before


def measure(name, threads, native, program, backend):
    workers = [start(program, f"{backend}/coreml.safetensors", name, threads),
               start(native, f"{backend}/native.safetensors", name, threads)]
    for worker in workers:
        worker.run_ms()
    outputs = [worker.output(f"{BUILD}/bench/output.bin") for worker in workers]
    apart = np.max(np.abs(outputs[0] - outputs[1]))
    rounds = [[spent(worker) for worker in workers] for _ in range(ROUNDS)]
    held = [worker.close() / 1e6 for worker in workers]
    times = [statistics.median(times) for times in zip(*rounds)]
    ratio = statistics.median(ours / own for ours, own in rounds)
    print(f"| {name} | {threads} | {times[0]:.1f} | {times[1]:.1f} | {ratio:.2f} | {held[0]:.0f} / {held[1]:.0f} | {apart:.1e} |", flush=True)


if __name__ == "__main__":
    print("| model | threads | program ms | plugin ms | program / plugin | MB, program / plugin | apart |\n"
          "|---|---|---|---|---|---|---|")
    os.environ["MODELHOST_STORE"] = f"{BUILD}/bench/no-store"  # which is not there: "" would be the usual one
    for name in sys.argv[1:] or MODELS:
        prepared = prepare(name)
        for threads in THREADS:
            measure(name, threads, *prepared)
