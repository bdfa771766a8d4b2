"""report.py - the tables of `make bench`, out of the results that run.py gathered."""
import numpy as np

PEERS = ("onnxruntime", "torch")


def table(head, rows):
    """Markdown, padded so that it reads as text too."""
    widths = [max(len(str(row[i])) for row in [head] + rows) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (w + 2) for w in widths) + "|"] + [line(r) for r in rows])


def deviates(row, name, tolerance):
    """Why the numbers of this engine cannot be compared, or None. NaN counts as a deviation."""
    for kind in ("reference", "modelhost"):
        value = row[f"deviation_from_{kind}"].get(name)
        if value is not None and not value <= tolerance:
            return f"{value:.1e} away from {'the reference' if kind == 'reference' else kind}"
    return None


def ratio_cell(row, name, kind="times_ms"):
    """How many times as long the peer takes: the median over the rounds, p10-p90 behind it."""
    ratios = np.array(row[kind][name]) / np.array(row[kind]["modelhost"])
    return "{1:.2f} ({0:.2f}-{2:.2f})".format(*np.percentile(ratios, (10, 50, 90)))


def time_cells(row, kind, tolerance):
    """Workload, threads, medians, ratios."""
    times = row[kind]
    cells = [f"{row['batch']} x {row['tokens']}", row["threads"]]
    cells += [f"{np.median(times[name]):.1f}" if name in times else "-" for name in ("modelhost", *PEERS)]
    void = deviates(row, "modelhost", tolerance)
    for name in PEERS:
        if name not in times:
            cells.append("-")
        else:
            cells.append("void" if void or deviates(row, name, tolerance) else ratio_cell(row, name, kind))
    return cells


def workload_cells(row, tolerance):
    rate = row["gflop"] / float(np.median(row["times_ms"]["modelhost"])) * 1e3
    share = f"{100 * rate / row['peak_gflops']:.0f} %" if row["peak_gflops"] else "?"
    return time_cells(row, "times_ms", tolerance) + [f"{rate:.0f}", share, len(row["times_ms"]["modelhost"])]


def start_rows(results):
    size, rows = results["weights_bytes"], []
    for name, start in results["starts"].items():
        warm = {key: float(np.median([run[key] for run in start["warm"]])) for key in start["cold"]}
        peak = max(run["peak_bytes"] for run in [start["cold"]] + start["warm"])
        rows.append([name, f"{start['cold']['load_ms']:.0f}", f"{warm['load_ms']:.0f}",
                     f"{start['cold']['first_answer_ms']:.0f}", f"{warm['first_answer_ms']:.0f}",
                     f"{peak / 1e6:.0f}", f"{peak / size:.2f}"])
    command = results["command"]
    if "failed" not in command:
        rows.append(["modelhost run", "", "", "", f"{command['total_ms']:.0f}", f"{command['peak_bytes'] / 1e6:.0f}",
                     f"{command['peak_bytes'] / size:.2f}"])
    return rows


def notes(results):
    tolerance, out = results["tolerance"], []
    for row in results["workloads"]:
        for name in row["times_ms"]:
            why = deviates(row, name, tolerance)
            if why:
                out.append(f"VOID: {row['batch']} x {row['tokens']}, {row['threads']} thread(s): {name} is {why}; "
                           f"at most {tolerance:.0e} is allowed")
    return out


def show(results, path):
    """Prints everything; returns the exit code: 1 when a comparison is void."""
    rows = results["workloads"]
    peaks = ", ".join(f"{t} thread(s) {max(r['peak_gflops'] for r in rows if r['threads'] == t):.0f}"
                      for t in sorted({r["threads"] for r in rows}))
    print(f"BERT-base, fp32, to last_hidden_state; {results['date']}, commit {results['commit']}")
    print(f"{results['cpu']}, {results['n_cpus']} CPU(s); measured {rows[0]['simd']} peak in GFLOP/s: {peaks}")
    for version in sorted({v for r in rows for v in r["versions"].values()}):
        print(f"  {version}")
    busy = results["load_average_before"]
    print(f"load average before the run {busy:.1f}" + (": other work disturbed it" if busy > 0.5 else ""))
    print()
    head = ["batch x tokens", "threads", "modelhost ms", "onnxruntime ms", "torch ms", "onnxruntime / modelhost",
            "torch / modelhost"]
    print(table(head + ["GFLOP/s", "of peak", "rounds"],
                [workload_cells(row, results["tolerance"]) for row in rows]))
    print("\nms: medians; ratios: median of the rounds (p10-p90), above 1 where modelhost is faster.")
    if all(all(row["cpu_times_ms"].values()) for row in rows):
        print("\nThe same runs in processor time, summed over threads, which other work disturbs less:\n")
        print(table(head, [time_cells(row, "cpu_times_ms", results["tolerance"]) for row in rows]))
    print(f"\nStarting, {results['start_threads']} thread(s), weights {results['weights_bytes'] / 1e6:.0f} MB:\n")
    print(table(["", "load ms, cold", "load ms, warm", "exec to answer, cold", "warm", "peak MB", "x weights"],
                start_rows(results)))
    print()
    lines = notes(results) + results["missing"]
    lines += [results["command"]["failed"]] if "failed" in results["command"] else []
    for line in lines or ["all engines agree within " + f"{results['tolerance']:.0e}"]:
        print(line)
    print(f"every run: {path}")
    return 1 if notes(results) else 0
