"""report.py - the tables of `make bench`, out of the results that run.py gathered."""
import numpy as np

PEERS = ("onnxruntime", "torch")


def table(head, rows):
    """Markdown, padded so that it reads as text too; without the columns of peers that were left out."""
    told = [i for i in range(len(head)) if not rows or any(row[i] != "-" for row in rows)]
    head, rows = [head[i] for i in told], [[row[i] for i in told] for row in rows]
    widths = [max(len(str(row[i])) for row in [head] + rows) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (w + 2) for w in widths) + "|"] + [line(r) for r in rows])


def deviates(row, name, tolerance):
    """Why the numbers of this engine cannot be compared, or None. NaN counts as a deviation. What a peer loses by few
    bits is told beside its time."""
    if row["least_cosine"]:
        cosine = row["cosine"][name]
        return None if name != "modelhost" or cosine >= row["least_cosine"] else f"a cosine of {cosine:.5f} to float32"
    for kind in ("reference", "modelhost"):
        value = row[f"deviation_from_{kind}"].get(name)
        if value is not None and not value <= tolerance:
            return f"{value:.1e} away from {'the reference' if kind == 'reference' else kind}"
    return None


def ratio_cell(row, name, kind="times_ms"):
    """How many times as long the peer takes: the median over the rounds, p10-p90 behind it."""
    ratios = np.array(row[kind][name]) / np.array(row[kind]["modelhost"])
    return "{1:.2f} ({0:.2f}-{2:.2f})".format(*np.percentile(ratios, (10, 50, 90)))


def best_ratio(row, name):
    """The same of the fastest runs of each, which other work disturbs least."""
    return f"{min(row['times_ms'][name]) / min(row['times_ms']['modelhost']):.2f}"


def time_cells(row, kind, tolerance):
    """Workload, threads, medians, ratios."""
    times = row[kind]
    cells = [row["label"], row["threads"]]
    cells += [f"{np.median(times[name]):.1f}" if name in times else "-" for name in ("modelhost", *PEERS)]
    void = deviates(row, "modelhost", tolerance)
    for name in PEERS:
        if name not in times:
            cells.append("-")
        else:
            cells.append("void" if void or deviates(row, name, tolerance) else ratio_cell(row, name, kind))
    return cells


def limits(row):
    """Milliseconds that the products alone, and reading the weights alone, take at the measured peaks."""
    gflops = row["best_gflops"] * row["wider"]
    return {"arithmetic": row["gflop"] / gflops * 1e3 if gflops else 0,
            "reading": row["read_gb"] / row["best_gbs"] * 1e3 if row["best_gbs"] else 0}


def limit_cells(row):
    """Workload, threads, rate, what limits it, the limit, modelhost's share of it."""
    ms, bounds = float(np.median(row["times_ms"]["modelhost"])), limits(row)
    kind = max(bounds, key=bounds.get)
    rates = {"arithmetic": f"{row['gflop'] / ms * 1e3:.0f} of {row['best_gflops'] * row['wider']:.0f} GFLOP/s",
             "reading": f"{row['read_gb'] / ms * 1e3:.1f} of {row['best_gbs']:.1f} GB/s"}
    return [row["label"], row["threads"], f"{row['count'] / ms * 1e3:.1f} {row['unit']}/s", kind, rates[kind],
            f"{bounds[kind]:.1f}", f"{100 * bounds[kind] / ms:.0f} %" if bounds[kind] else "?",
            *(best_ratio(row, name) if name in row["times_ms"] else "-" for name in PEERS),
            len(row["times_ms"]["modelhost"])]


def start_rows(starts):
    size, rows = starts["weights_bytes"], []
    median = lambda runs, key: f"{np.median([run[key] for run in runs]):.0f}" if runs else "-"
    for row in starts["rows"]:
        kinds = [row[kind] for kind in ("first", "cold", "warm")]
        peak = max(run["peak_bytes"] for run in row["cold"] + row["warm"])
        packing = max((run["peak_bytes"] for run in row["first"]), default=0)
        rows.append([f"{row['engine']}, {row['dtype']}", *(median(runs, "load_ms") for runs in kinds),
                     *(median(runs, "first_answer_ms") for runs in kinds), f"{packing / 1e6:.0f}" if packing else "-",
                     f"{peak / 1e6:.0f}", f"{peak / size:.2f}"])
    for dtype, command in starts["commands"].items():
        if "failed" not in command:
            rows.append([f"modelhost run, {dtype}", "", "", "", "", "", f"{command['total_ms']:.0f}", "",
                         f"{command['peak_bytes'] / 1e6:.0f}", f"{command['peak_bytes'] / size:.2f}"])
    return rows


def show_starts(starts):
    print(f"\nStarting, {starts['threads']} thread(s), {starts['work']}; the file of weights has {starts['weights_bytes'] / 1e6:.0f} MB. "
          "*First* packs weights anew, *cold* has prepared ones\nthat are not in the system's memory, *warm* has them there; "
          "`modelhost run` is the whole command, exec to exit, warm:\n")
    print(table(["", "load ms, first", "cold", "warm", "exec to answer ms, first", "cold", "warm", "peak MB, first", "peak MB",
                 "x weights"], start_rows(starts)))


def show_top1(top1):
    if "missing" in top1:
        return print(f"\n{top1['missing']}")
    n = top1["pictures"]
    print(f"\nTop-1 in int8, {n} crops of {top1['photo']} ({top1['classes']} classes): the same as in float32 "
          + ", ".join(f"of {name} for {agree} ({100 * agree / n:.1f} %)" for name, agree in top1["agree"].items())
          + "; wanted are 99 %.")


def notes(model, tolerance):
    out = []
    for row in model["workloads"]:
        for name in row["times_ms"]:
            why = deviates(row, name, tolerance)
            if why:
                allowed = f"at least {row['least_cosine']}" if row["least_cosine"] else f"at most {tolerance:.0e}"
                out.append(f"VOID: {row['label']}, {row['threads']} thread(s): {name} is {why}; {allowed} is allowed")
    return out


def accuracy_cells(row):
    """Workload, cosines to float32, what is wanted of ours."""
    return [row["label"], *(f"{row['cosine'][name]:.5f}" if name in row["cosine"] else "-" for name in
                            ("modelhost", "onnxruntime")), row["least_cosine"]]


def show_model(model, tolerance):
    rows = [row for row in model["workloads"] if not row["is_point"]]
    print(f"\n### {model['title']}\n")
    head = ["workload", "threads", "modelhost ms", "onnxruntime ms", "torch ms", "onnxruntime / modelhost",
            "torch / modelhost"]
    print(table(head, [time_cells(row, "times_ms", tolerance) for row in rows]))
    if all(all(row["cpu_times_ms"].values()) for row in rows):
        print("\nThe same runs in processor time, summed over threads:\n")
        print(table(head, [time_cells(row, "cpu_times_ms", tolerance) for row in rows]))
    print("\nAgainst the limit, and the fastest runs of each:\n")
    print(table(["workload", "threads", "modelhost", "limited by", "rate", "limit ms", "of the limit",
                 "onnxruntime, best", "torch, best", "rounds"], [limit_cells(row) for row in rows]))
    few = [row for row in rows if row["least_cosine"] and row["threads"] == rows[0]["threads"]]
    if few:
        print("\nFewer bits, the cosine of each output to modelhost's in float32 (of decoding, the lowest of single steps; onnxruntime: the graph that was measured):\n")
        print(table(["workload", "modelhost", "onnxruntime", "wanted"], [accuracy_cells(row) for row in few]))
    if "top1" in model:
        show_top1(model["top1"])
    show_starts(model["starts"])
    print()
    lines = notes(model, tolerance) + model["missing"]
    lines += [command["failed"] for command in model["starts"]["commands"].values() if "failed" in command]
    for line in lines or [f"All engines agree within {tolerance:.0e}, in float32."]:
        print(line)
    for threads in sorted({r["threads"] for r in rows}):
        used = sorted({v for r in rows if r["threads"] == threads for v in r["versions"].values()})
        print(f"{threads} thread(s): {', '.join(used)}.")


def input_cells(row):
    ours = float(np.median(row["times_ms"]["modelhost"]))
    rate = f"{row['bytes'] / ours / 1e3:.1f} MB/s" if row["unit"] == "texts" else f"{row['count'] / ours * 1e3:.0f} {row['unit']}/s"
    peer = next((name for name in row["times_ms"] if name != "modelhost"), None)
    if not peer:
        return [row["label"], f"{ours:.2f}", rate, "-", "-", "-", "-", row["goal"], len(row["times_ms"]["modelhost"])]
    same = row["identical"][peer]
    cpu = all(row["cpu_times_ms"].values())
    return [row["label"], f"{ours:.2f}", rate, f"{np.median(row['times_ms'][peer]):.2f}",
            *((ratio_cell(row, peer), ratio_cell(row, peer, "cpu_times_ms") if cpu else "-",
               f"{row['first_ms'][peer] / row['first_ms']['modelhost']:.2f}") if same else 3 * ["void"]),
            row["goal"], len(row["times_ms"]["modelhost"])]


def input_notes(inputs):
    return [f"VOID: {row['label']}: {name} makes something else" for row in inputs["workloads"]
            for name, same in row["identical"].items() if not same]


def show_inputs(inputs):
    print(f"\n### {inputs['title']}: one thread, beside the Rust library of tokenizers and Pillow\n")
    if inputs["workloads"]:
        print(table(["work", "modelhost ms", "rate", "peer ms", "peer / modelhost", "in processor time", "first run",
                     "wanted", "rounds"], [input_cells(row) for row in inputs["workloads"]]))
    print()
    for line in input_notes(inputs) + inputs["missing"] or ["Both make the same, id by id and byte by byte."]:
        print(line)
    used = sorted({version for row in inputs["workloads"] for version in row["versions"].values()})
    print(", ".join(used) + ".")


def share_peaks(rows):
    """A peak is the best of what was seen on that number of threads (and, of reading, that many bytes): a single
    measurement may have been disturbed."""
    for row in rows:
        alike = [other for other in rows if other["threads"] == row["threads"]]
        row["best_gflops"] = max(other["peak_gflops"] for other in alike)
        row["best_gbs"] = max(other["peak_gbs"] for other in alike if other["working_set_gb"] == row["working_set_gb"])


def show(results, path):
    """Prints everything; returns the exit code: 1 when a comparison is void."""
    rows = [row for model in results["models"] for row in model["workloads"]]
    share_peaks(rows)
    peaks = ", ".join(f"{t} thread(s) {max(r['peak_gflops'] for r in rows if r['threads'] == t):.0f}"
                      for t in sorted({r["threads"] for r in rows}))
    print(f"{results['date']}, commit {results['commit']}: {results['cpu']}, {results['n_cpus']} CPU(s)"
          + (f"; measured {rows[0]['simd']} peak in GFLOP/s: {peaks}." if rows else "."))
    before, after = results["load_average_before"], results["load_average_after"]
    print(f"Load average before the run {before:.1f}, after it {after:.1f}"
          + (": other work disturbed it." if before > 0.5 else ".")
          + (f" Beside it {results['beside']} processes computed." if results["beside"] else ""))
    print("Times are medians; ratios medians of the rounds (p10-p90), above 1 where modelhost is faster.")
    if "inputs" in results:
        show_inputs(results["inputs"])
    for model in results["models"]:
        show_model(model, results["tolerance"])
    print(f"\nEvery run: {path}")
    void = input_notes(results.get("inputs", {"workloads": []}))
    return 1 if void or any(notes(model, results["tolerance"]) for model in results["models"]) else 0
