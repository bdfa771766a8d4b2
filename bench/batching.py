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


def main():
    os.makedirs(run.BENCH, exist_ok=True)
    package, seconds = prepare(), max(2, round(run.SECONDS / 2))
    run.say(f"bert-tiny, {CLIENTS} clients")
    lines = subprocess.check_output([f"{run.BENCH}/bench", "--batching", package, str(CLIENTS), str(seconds)], text=True)
    rows = [json.loads(line) for line in lines.splitlines()]
    print(f"\n### Joined requests: bert-tiny, {CLIENTS} clients with a text of 8 to 16 tokens each\n")
    print(report.table(["lanes", "output", "alone, texts/s", "joined", "ratio", "alone, processor us a text", "joined", "ratio"],
                       [[r["batching"], r["output"], f"{r['alone_per_s']}", f"{r['joined_per_s']}", f"{r['ratio']:.2f}",
                         f"{r['alone_cpu_us']}", f"{r['joined_cpu_us']}",
                         f"{r['alone_cpu_us'] / max(1, r['joined_cpu_us']):.2f}"] for r in rows]))


if __name__ == "__main__":
    main()
