"""batching.py - what joining the requests of many clients brings, with the smallest BERT and short texts; a part
of `make bench` (BENCH_ONLY=batching: this alone). bench/batching.c measures; stdout: a table."""
import json, os, subprocess, sys
import models, report, run

CLIENTS = 16


def prepare():
    """The package of bert-tiny: the shared one, or random weights of its shapes."""
    model = models.Model("batching", "bert-tiny", "bert", "bert-tiny-synth", [], ())
    if os.path.exists(f"{run.SHARED}/models/synth.py"):
        weights, _ = run.prepare_weights(model)
    else:
        weights = f"{run.BUILD}/models/bert-tiny-random"
        if not os.path.exists(f"{weights}/model.safetensors"):
            subprocess.run([sys.executable, "bench/make_model.py", "bert-tiny", weights], check=True, stdout=sys.stderr)
    return run.prepare_package(model, weights)[0]


def floor_us(config, row, gflops):
    """What the matrix products of a text of middle length take at the processor's best, on one thread."""
    h, tokens = config["hidden_size"], (row["min_tokens"] + row["max_tokens"]) / 2
    encoder = config["num_hidden_layers"] * (4 * h * h + 2 * h * config["intermediate_size"])
    head = h * h + h * config["vocab_size"] if row["output"] == "logits" else 0
    return 2e-3 * tokens * (encoder + head) / gflops


def main():
    os.makedirs(run.BENCH, exist_ok=True)
    package, seconds = prepare(), max(2, round(run.SECONDS / 2))
    run.say(f"bert-tiny, {CLIENTS} clients")
    bench = f"{run.BENCH}/bench"
    with open(f"{package}/backends/cpu/config.json") as file:
        config = json.load(file)
    gflops = json.loads(subprocess.check_output([bench, "--peak", "1", str(1 << 20)], text=True))["gflops"]
    lines = subprocess.check_output([bench, "--batching", package, str(CLIENTS), str(seconds)], text=True)
    print(f"\n### Joined requests: bert-tiny, {CLIENTS} clients with a text each\n")
    rows = []
    for r in map(json.loads, lines.splitlines()):
        floor = floor_us(config, r, gflops)
        rows.append([r["batching"], r["output"], f"{r['min_tokens']} to {r['max_tokens']}", f"{r['alone_per_s']}",
                     f"{r['joined_per_s']}", f"{r['ratio']:.2f}", f"{r['alone_cpu_us']}", f"{r['joined_cpu_us']}",
                     f"{floor:.0f}", f"{r['alone_cpu_us'] / floor:.2f}"])
    print(report.table(["lanes", "output", "tokens", "alone, texts/s", "joined", "ratio", "alone, processor us a text",
                        "joined", "limit", "most that joining can bring"], rows))


if __name__ == "__main__":
    main()
