"""workers.py - the engines as processes that answer one line for one line (see bench.c), and where to
find them. A worker is loaded once, sleeps in a read while others run, and belongs to one thread."""
import glob, json, os, select, shutil, subprocess, sys, time
import numpy as np

ANSWER_TIMEOUT_S = 300


class WorkerError(Exception):
    pass


class Worker:
    def __init__(self, command, threads):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        self.command, self.start = command, time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=env)
        self.pending = b""
        ready = json.loads(self.read_line())
        self.version, self.load_ms = ready["version"], ready["load_ns"] / 1e6

    def read_line(self):
        limit = time.monotonic() + ANSWER_TIMEOUT_S
        while b"\n" not in self.pending:
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, limit - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not piece:
                why = "ended" if readable else f"gave no answer within {ANSWER_TIMEOUT_S} s"
                self.process.kill()
                raise WorkerError(f"{' '.join(self.command)}: {why}; its own words are above")
            self.pending += piece
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def ask(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            pass  # read_line() says that it ended
        answer = self.read_line()
        if answer.startswith("error"):
            raise WorkerError(f"{' '.join(self.command)}: {answer}")
        return answer

    def set_inputs(self, workload, path):
        """path: safetensors with the workload's inputs."""
        self.ask(f"inputs {workload.output} {path}" if workload.output else
                 f"steps {workload.steps} {path}" if workload.steps else f"prompt {workload.new_tokens} {path}")

    def run_ms(self):
        return int(self.ask("run")) / 1e6

    def cpu_ms(self):
        """Processor time of all its threads so far; None where the system does not tell."""
        total_ns = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            try:
                with open(path) as f:
                    total_ns += int(f.read().split()[0])
            except (OSError, IndexError, ValueError):
                continue  # a thread that has just ended
        return total_ns / 1e6 or None

    def output(self, path):
        self.ask(f"output {path}")
        return np.fromfile(path, np.float32)

    def close(self):
        """Lets it end; returns the most memory it ever held, in bytes."""
        held_bytes = most_held_bytes(self.process.pid)
        self.process.stdin.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        return held_bytes or max_rss_bytes(usage)


def most_held_bytes(pid):
    """Of a process that runs. Linux's ru_maxrss counts what its parent held before exec(), too; this does not."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM:")), None)
    except OSError:
        return None


def max_rss_bytes(usage):
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


SMALL_PARENT = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
print(os.wait4(pid, 0)[2].ru_maxrss)
"""


def peak_of_command(command):
    """The most memory that it held until it ended, in bytes, as the child of a process of about 10 MB."""
    made = subprocess.run([sys.executable, "-S", "-c", SMALL_PARENT] + command, capture_output=True, text=True, check=True)
    return int(made.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024)


def is_wanted(peer):
    wanted = os.environ.get("BENCH_PEERS", "").replace(",", " ").split()
    return not wanted or peer in wanted


def python_with_torch():
    for python in (os.environ.get("BENCH_PYTHON"), "/usr/bin/python3", "python3"):
        if python and shutil.which(python) and \
                subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def export_graph(python, script, model_dir, graph, variant):
    """The ONNX graph that torch writes from the same weights; kept while it is newer than they are."""
    sources = (f"{model_dir}/model.safetensors", script)
    if os.path.exists(graph) and os.path.getmtime(graph) > max(map(os.path.getmtime, sources)):
        return
    print(f"bench: torch exports {graph}", file=sys.stderr)
    subprocess.run([python, "-W", "ignore", script, model_dir, "--export", graph + ".part", "--variant", variant],
                   check=True)
    os.rename(graph + ".part", graph)


def find_engines(bench_dir, model, package):
    """name -> function of the thread count and the workload that lists candidate commands, and what is missing. The
    package is an author's folder; its backends/cpu/ holds what the peers read."""
    engines, missing = {"modelhost": lambda t, w: [[f"{bench_dir}/bench", package, str(t), w.dtype]]}, []
    python, node = python_with_torch(), shutil.which("node")
    script, model_dir = f"bench/peers/torch_{model.peer}.py", f"{package}/backends/cpu"
    graphs = {v: f"{bench_dir}/{model.name}{'.' + v if v else ''}.onnx" for v in model.graph_variants}
    if not is_wanted("torch"):
        missing.append("torch is not measured: BENCH_PEERS leaves it out")
    elif python:
        engines["torch"] = lambda t, w: [] if w.dtype != "f32" else [[python, "-W", "ignore", script, model_dir, "--threads", str(t), "--variant", v]
                                                                     for v in model.torch_variants]
    else:
        missing.append("torch is not measured: no Python can import it; scripts/deps.sh bench installs it")
    if not is_wanted("onnxruntime"):
        missing.append("onnxruntime is not measured: BENCH_PEERS leaves it out")
    elif not node or not os.path.isdir(f"{bench_dir}/node_modules/onnxruntime-node"):
        missing.append("onnxruntime is not measured: it is not in "
                       f"{bench_dir}/node_modules; scripts/deps.sh bench installs it")
    elif not python and not all(map(os.path.exists, graphs.values())):
        missing.append("onnxruntime is not measured: its graph is exported by torch, which is missing")
    else:
        for variant, graph in graphs.items() if python else ():
            export_graph(python, script, model_dir, graph, variant)
        own = [v for v in model.graph_variants if v != "int8"]
        engines["onnxruntime"] = lambda t, w: [[node, "bench/peers/ort.mjs", bench_dir, graphs[v], str(t), spinning]
                                               for v in w.graphs or own
                                               for spinning in ("0", "1")[:1 if t == 1 else 2]]
    return engines, missing
