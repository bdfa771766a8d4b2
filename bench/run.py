"""run.py - measures the models of models.py in modelhost and in the peers that are installed.

bench/run.sh starts it in the repository's root; docs/benchmarks.md explains the method. It prepares the
weights and the packages, lets every engine compute the same inputs, compares what comes out, and times
them in turn (A B C, B C A, ...), so that whatever else the machine does falls on all of them alike.
stdout: tables; BUILD/bench/results.json: every single run; stderr: progress."""
import dataclasses, json, os, platform, subprocess, sys, time
import numpy as np
import agreement, inputs, models, plot, report, starts
from tensors import read_safetensors, write_arrays
from workers import Worker, WorkerError, find_engines

BUILD = os.environ.get("BUILD", "build")
SHARED = os.environ.get("SHARED", "../shared")
SECONDS = float(os.environ.get("BENCH_SECONDS", "25"))
THREADS = [int(t) for t in os.environ.get("BENCH_THREADS", "1 2").replace(",", " ").split()]
BENCH = f"{BUILD}/bench"
MIN_ROUNDS, MAX_ROUNDS = 3, 40
PAUSE_S = 0.1  # worker threads spin up to 50 ms after a run (OpenBLAS); the next engine waits for that
TOLERANCE = 1e-4
BEGIN = time.monotonic()
LEAST_COSINES = {}
STEPS = 16  # of which logits are compared, behind the other tokens of a prompt
CURVES = os.environ.get("BENCH_CURVES", "yes") != "no"


def say(text):
    print(f"bench: {time.monotonic() - BEGIN:5.0f} s: {text}", file=sys.stderr, flush=True)


# ---- what is measured

def prepare_weights(model):
    """Returns the folder of the weights, and that of the reference or None."""
    synth = f"{SHARED}/models/synth.py"
    if os.path.exists(synth):
        folder, reference = f"{BUILD}/models/{model.shared}", f"{SHARED}/models/{model.shared}"
        command = [sys.executable, synth, f"{BUILD}/models", model.shared]
    else:
        folder, reference = f"{BUILD}/models/{model.peer}-random", None
        command = [sys.executable, "bench/make_model.py", model.peer, folder]
    if not os.path.exists(f"{folder}/model.safetensors"):
        say(f"writing {folder}")
        subprocess.run(command, check=True, stdout=sys.stderr)
    return folder, reference if model.reference else None


def link(target, name):
    if os.path.lexists(name):
        os.unlink(name)
    os.symlink(os.path.abspath(target), name)


def prepare_package(model, weights):
    """An author's folder: backends/cpu/ with the configuration, and links to the weights and the plugin.
    Returns it and the configuration."""
    package = f"{BENCH}/{model.name}.package"
    backend = f"{package}/backends/cpu"
    os.makedirs(backend, exist_ok=True)
    suffix = "dylib" if sys.platform == "darwin" else "so"
    link(f"{weights}/model.safetensors", f"{backend}/model.safetensors")
    link(f"{BUILD}/lib/modelhost/plugins/lib{model.peer}.{suffix}", f"{backend}/libmodel.{suffix}")
    with open(f"{weights}/config.json") as f:
        config = json.load(f) | model.config_changes
    with open(f"{backend}/config.json", "w") as f:
        json.dump(config, f, indent=1)
    return package, config


def least_cosines():
    """What each number of bits must keep to: the budgets of `modelhost quantize`."""
    return json.loads(subprocess.check_output([f"{BENCH}/bench", "--least-cosines"]))


def peak(threads, size_gb):
    return json.loads(subprocess.check_output([f"{BENCH}/bench", "--peak", str(threads), str(int(size_gb * 1e9))]))


# ---- measuring

def set_inputs(worker, workload, config):
    path = f"{BENCH}/inputs.safetensors"
    write_arrays(path, workload.inputs(config))
    worker.set_inputs(workload, path)


def start_fastest(commands, threads, workload, config):
    """Starts each candidate, keeps the one that is fastest on these inputs."""
    best, best_ms = None, float("inf")
    for command in commands:  # none: this engine is no peer in this workload
        worker = Worker(command, threads)
        set_inputs(worker, workload, config)
        ms = worker.run_ms()
        enough = time.monotonic() + 1
        for _ in range(5):
            if len(commands) == 1 or ms > 3 * best_ms or time.monotonic() > enough:
                break  # no choice, out of the race, or so slow that a run is a measure
            ms = min(ms, worker.run_ms())
        if len(commands) > 1:
            say(f"{worker.version}: {ms:.1f} ms on {threads} thread(s)")
        loser = worker
        if ms < best_ms:
            loser, best, best_ms = best, worker, ms
        if loser:
            loser.close()
    return best


def outputs_of(workers, workload, config):
    for worker in workers.values():
        set_inputs(worker, workload, config)
        worker.run_ms()
    return {name: workload.shown(worker.output(f"{BENCH}/output.bin"), workload.inputs(config))
            for name, worker in workers.items()}


def cosines_of(workers, workload, config, exact):
    """name -> cosine of its output to that of `exact`, the command of an engine in float32. Of decoding, the lowest of single
    steps, which all read the same tokens: one other token would make all that follow other ones."""
    asked = dataclasses.replace(workload, new_tokens=0, steps=STEPS) if workload.new_tokens else workload
    truth = Worker(exact, 1)
    outputs = outputs_of(workers | {"exact": truth}, asked, config)
    truth.close()
    rows = {name: got.astype(np.float64).reshape(max(1, asked.steps), -1) for name, got in outputs.items()}
    right = rows.pop("exact")
    for worker in workers.values():
        set_inputs(worker, workload, config)
        worker.run_ms()
    dot = lambda a, b: np.einsum("ij,ij->i", a, b)
    return {name: float((dot(got, right) / np.sqrt(dot(got, got) * dot(right, right))).min()) for name, got in rows.items()}


def compare(workers, model, asked, reference):
    """name -> the largest deviation from the reference, if there is one."""
    if not reference:
        return {}
    tensors, deviation = read_safetensors(f"{reference}/reference.safetensors"), {}
    inputs = {name: np.array(tensors[name]) for name in model.reference[:-1]}
    path = f"{BENCH}/inputs.safetensors"
    write_arrays(path, inputs)
    for name, worker in workers.items():
        worker.set_inputs(asked, path)
        worker.run_ms()
        got, want = model.compared(worker.output(f"{BENCH}/output.bin"), tensors[model.reference[-1]], inputs)
        deviation[name] = float(np.abs(got.ravel() - want.ravel()).max())
    return deviation


def deviations_of(workers, workload, config):
    """name -> the largest deviation from modelhost's output."""
    outputs = outputs_of(workers, workload, config)
    return {name: float(np.abs(got - outputs["modelhost"]).max()) for name, got in outputs.items()}


def measure(workers, seconds):
    """Times in turn: name -> [ms], the same in processor time (empty where the system does not tell)."""
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
    return times, cpu_times


def measure_workload(workers, workload, config, threads, exact):
    say(f"{workload.label} on {threads} thread(s)")
    size_gb = workload.working_set_gb(config)
    before = peak(threads, size_gb)
    agreement = {"deviation_from_modelhost": deviations_of(workers, workload, config)} if workload.dtype == "f32" \
        else {"cosine": cosines_of(workers, workload, config, exact)}
    times, cpu_times = measure(workers, SECONDS * workload.share)
    after = peak(threads, size_gb)
    return {"label": workload.label, "unit": workload.unit, "count": workload.count, "threads": threads,
            "gflop": workload.gflop(config), "read_gb": workload.read_gb(config), "working_set_gb": size_gb,
            "simd": before["name"], "peak_gflops": max(before["gflops"], after["gflops"]),
            "peak_gbs": max(before["gbs"], after["gbs"]), "times_ms": times, "cpu_times_ms": cpu_times,
            "dtype": workload.dtype, "wider": models.WIDER[workload.dtype], "least_cosine": LEAST_COSINES.get(workload.dtype, 0),
            "curve": workload.curve, "size": workload.size, "is_point": workload.share < 1, **agreement,
            "versions": {name: worker.version for name, worker in workers.items()}}


def measure_threads(engines, threads, model, config, reference):
    """All workloads on this number of threads; also the commands that were chosen. The fastest candidate is
    chosen for each workload anew, if there is a choice."""
    rows, chosen, started, from_reference = [], {}, {}, {}
    for workload in model.workloads:
        if workload.share < 1 and (threads != THREADS[0] or not CURVES):
            continue  # a point of a curve
        workers = {name: start_fastest(commands(threads, workload), threads, workload, config)
                   for name, commands in engines.items() if commands(threads, workload)}
        if not from_reference and workload.dtype == "f32" and workload.output:
            from_reference = compare(workers, model, workload, reference)
        if not rows:
            chosen = {name: worker.command for name, worker in workers.items()}
        exact = engines["modelhost"](1, dataclasses.replace(workload, dtype="f32"))[0]
        rows.append(measure_workload(workers, workload, config, threads, exact)
                    | {"deviation_from_reference": from_reference if workload.dtype == "f32" else {}})
        for worker in workers.values():
            worker.close()
    return rows, chosen


def measure_model(model, threads_list):
    weights, reference = prepare_weights(model)
    package, config = prepare_package(model, weights)
    engines, missing = find_engines(BENCH, model, package)
    result = {"name": model.name, "title": model.title, "missing": missing, "workloads": []}
    chosen = {}
    for threads in threads_list:
        rows, fastest = measure_threads(engines, threads, model, config, reference)
        result["workloads"] += rows
        chosen = chosen or fastest
    if model.top1:
        result["top1"] = agreement.measure(engines, model, max(threads_list), SHARED, BENCH, say)
    return result | {"starts": starts.measure(engines, chosen, threads_list[0], model, config, package,
                                               f"{weights}/model.safetensors", BUILD, say)}


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def chosen_work():
    """Models, and tasks of inputs.py, that BENCH_ONLY and BENCH_LABEL name."""
    names, part = os.environ.get("BENCH_ONLY", "").replace(",", " ").split(), os.environ.get("BENCH_LABEL", "")
    of_models = [name for name in names if name not in inputs.NAMES]
    wanted = models.chosen(" ".join(of_models), part, inputs.NAMES) if of_models or not names else []
    return wanted, [] if names and len(of_models) == len(names) else inputs.chosen(names, part)


def save(results):
    results["load_average_after"] = os.getloadavg()[0]
    with open(f"{BENCH}/results.json", "w") as f:
        json.dump(results, f, indent=1)


def main():
    os.makedirs(BENCH, exist_ok=True)
    LEAST_COSINES.update(least_cosines())
    wanted, tasks = chosen_work()
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    results = {"date": time.strftime("%Y-%m-%d"), "cpu": cpu_name(), "n_cpus": n_cpus, "commit": commit,
               "tolerance": TOLERANCE, "beside": int(os.environ.get("BENCH_BESIDE", 0)),
               "load_average_before": float(os.environ.get("BENCH_LOAD") or os.getloadavg()[0]), "models": []}
    if tasks:
        results["inputs"] = inputs.measure(tasks, SHARED, BENCH, lambda workers: measure(workers, SECONDS / 2), say)
        save(results)
    for model in wanted:
        say(model.title)
        results["models"].append(measure_model(model, [t for t in THREADS if t <= n_cpus]))
        save(results)
    plot.draw(results, f"{BENCH}/benchmarks.svg")
    return report.show(results, f"{BENCH}/results.json")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (WorkerError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
