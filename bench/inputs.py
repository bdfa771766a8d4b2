"""inputs.py - what turns inputs into tensors, beside the library that people use for it: tokenizers of texts, and pictures that
are decoded and resized. On one thread; a part of `make bench` (BENCH_ONLY=tokenize,image). run.py calls it, bench/input_worker.c
is modelhost's side. What both make must be identical, to the id and to the byte."""
import glob, os, re, shutil, subprocess
from dataclasses import dataclass
from typing import Callable
import numpy as np
from workers import Worker, is_wanted


@dataclass
class Task:
    """Worker.set_inputs() sends the name of its output and a file."""
    name: str         # in BENCH_ONLY
    label: str
    folder: str       # below the shared files: of the tokenizer, of the picture
    write: Callable   # (path, folder) -> how many items and bytes were written there
    unit: str         # of items
    goal: object      # how many times as fast as the peer; "-": none is set
    output: str
    dtype: str = "f32"


# ---- texts

def paragraphs():
    """The prose of this repository, as texts of a paragraph."""
    texts = []
    for path in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", *sorted(glob.glob("docs/*.md"))]:
        with open(path, encoding="utf-8") as f:
            texts += [text.strip() for text in re.split(r"\n\s*\n", f.read())]
    return [text for text in texts if text]


def words_seen_once():
    """Texts of made-up words, none of which comes twice in a run: what remembers words has little to remember."""
    rng, syllables = np.random.default_rng(7), [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "n", "r", "s", "l", "th")]
    words = dict.fromkeys("".join(rng.choice(syllables, rng.integers(2, 5))) for _ in range(40000))
    words = list(words)
    return [" ".join(words[i:i + 40]) for i in range(0, len(words), 40)]


def write_texts(texts):
    def write(path, _):
        data = b"".join(text.encode() + b"\0" for text in texts())
        with open(path, "wb") as f:
            f.write(data)
        return data.count(b"\0"), len(data) - data.count(b"\0")
    return write


def copy_picture(path, folder):
    shutil.copyfile(f"{folder}/photo.jpg", path)
    return 1, os.path.getsize(path)


TASKS = [
    *(Task("tokenize", f"{kind}, {what}", folder, write_texts(texts), "texts", goal, "ids")
      for kind, folder in (("WordPiece", "tokenizers/bert-base-uncased"), ("BPE", "tokenizers/gpt2"))
      for what, texts, goal in (("paragraphs", paragraphs, 10), ("words seen once", words_seen_once, "-"))),
    Task("image", "JPEG 640 x 427 to 224 x 224", "images", copy_picture, "pictures", 2, "pixels"),
]
NAMES = tuple(dict.fromkeys(task.name for task in TASKS))


def chosen(names, part):
    return [task for task in TASKS if (not names or task.name in names) and part in task.label]


def tokenizers_peer(bench_dir, folder):
    node = shutil.which("node")
    if not node or not os.path.isdir(f"{bench_dir}/node_modules/tokenizers"):
        return None, f"tokenizers is not measured: it is not in {bench_dir}/node_modules; scripts/deps.sh bench installs it"
    return [node, "--expose-gc", "bench/peers/rust_tokenizers.mjs", bench_dir, folder], None


def pillow_peer(bench_dir, folder):
    for python in (os.environ.get("BENCH_PYTHON"), "/usr/bin/python3", "python3"):
        if python and shutil.which(python) and \
                subprocess.run([python, "-c", "import PIL, numpy"], stderr=subprocess.DEVNULL).returncode == 0:
            return [python, "bench/peers/pillow.py"], None
    return None, "pillow is not measured: no Python can import it; scripts/deps.sh bench installs it"


PEERS = {"tokenize": ("tokenizers", tokenizers_peer), "image": ("pillow", pillow_peer)}


# ---- measuring

def measure_task(task, shared, bench_dir, rounds, say):
    """A row of the results, or the sentence why there is none."""
    folder, path = f"{shared}/{task.folder}", f"{bench_dir}/inputs.bin"
    if not os.path.isdir(folder):
        return None, f"{task.label} is not measured: there is no {folder}"
    say(f"{task.label} on 1 thread")
    name, find = PEERS[task.name]
    command, missing = find(bench_dir, folder) if is_wanted(name) else (None, f"{name} is not measured: BENCH_PEERS leaves it out")
    n_items, n_bytes = task.write(path, folder)
    workers = {"modelhost": Worker([f"{bench_dir}/bench", "--inputs", task.name, folder], 1)}
    if command:
        os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")  # of its threads
        workers[name] = Worker(command, 1)
    outputs, first_ms = {}, {}
    for engine, worker in workers.items():
        worker.set_inputs(task, path)
        first_ms[engine] = worker.run_ms()
        outputs[engine] = worker.output(f"{bench_dir}/output.bin")
    times, cpu_times = rounds(workers)
    row = {"label": task.label, "unit": task.unit, "count": n_items, "bytes": n_bytes, "threads": 1, "goal": task.goal,
           "times_ms": times, "cpu_times_ms": cpu_times, "first_ms": first_ms,
           "identical": {engine: bool(np.array_equal(got, outputs["modelhost"])) for engine, got in outputs.items()},
           "versions": {engine: worker.version for engine, worker in workers.items()}}
    for worker in workers.values():
        worker.close()
    return row, missing


def measure(tasks, shared, bench_dir, rounds, say):
    """rounds(workers): times in turn, as run.py's measure()."""
    rows, missing = [], []
    for task in tasks:
        row, why = measure_task(task, shared, bench_dir, rounds, say)
        rows += [row] if row else []
        missing += [why] if why and why not in missing else []
    return {"title": "Inputs", "missing": missing, "workloads": rows}

