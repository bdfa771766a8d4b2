"""plot.py - the picture of `make bench`, by gnuplot: how many times as long the best peer takes, for each workload,
and what a run costs against length and batch. run.py calls it; without gnuplot there is no picture."""
import shutil, subprocess, sys
import numpy as np

ENGINES = (("modelhost", "#1b6ca8"), ("onnxruntime", "#c8702a"), ("torch", "#8a8a8a"))
CURVES = (("bert", "length", "BERT-base, one text", "tokens"), ("bert", "batch", "BERT-base, texts of 128 tokens", "texts"),
          ("resnet", "images", "ResNet-50", "images"))
LONGEST_BAR = 5  # what is longer says so by its number


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bars(results):
    """(label, ratio of the medians of rounds to the best peer), in the order of the tables, on the fewest threads."""
    for row in results.get("inputs", {"workloads": []})["workloads"]:
        ours = np.array(row["times_ms"]["modelhost"])
        peers = [np.array(times) for name, times in row["times_ms"].items() if name != "modelhost"]
        if peers:
            yield row["label"], min(np.median(peer / ours) for peer in peers)
    for model in results["models"]:
        threads = min(row["threads"] for row in model["workloads"])
        for row in model["workloads"]:
            ours, peers = np.array(row["times_ms"]["modelhost"]), [np.array(row["times_ms"][name])
                                                                   for name, _ in ENGINES[1:] if name in row["times_ms"]]
            if row["threads"] == threads and peers and not row["is_point"]:
                yield f"{model['title'].split(' to ')[0]}: {row['label']}", min(np.median(peer / ours) for peer in peers)


def curve(results, name, kind, engine):
    """(size, milliseconds) of one engine, by size."""
    rows = [row for model in results["models"] if model["name"] == name for row in model["workloads"]
            if row["curve"] == kind and engine in row["times_ms"]]
    threads = min((row["threads"] for row in rows), default=0)
    return sorted((row["size"], float(np.median(row["times_ms"][engine]))) for row in rows if row["threads"] == threads)


def bar_chart(results):
    rows = list(bars(results))[::-1]
    if not rows:
        return []
    tics = ", ".join(f"{quoted(label)} {i}" for i, (label, _) in enumerate(rows))
    lines = ["$bars << EOD"] + [f"{i} {min(ratio, LONGEST_BAR)} {ratio:.3f}" for i, (_, ratio) in enumerate(rows)] + ["EOD"]
    return lines + [
        "set origin 0,0.36", "set size 1,0.64", "set lmargin at screen 0.36", "set rmargin at screen 0.95", f"set yrange [-0.6:{len(rows) - 0.4}]",
        "set xrange [0:*]", f"set ytics ({tics}) nomirror", "set xtics nomirror", "set grid x lc rgb '#dddddd'",
        "set title 'Time of the best peer / time of modelhost, one thread'", "set arrow 1 from 1,graph 0 to 1,graph 1 nohead lc rgb '#444444' dt 2",
        "plot $bars using (0):1:(0):2:($1-0.35):($1+0.35) with boxxyerror fs solid 0.9 noborder lc rgb '#1b6ca8' notitle, "
        "$bars using ($2):1:(sprintf(' %.2f', $3)) with labels left notitle", "unset arrow 1"]


def curve_charts(results):
    lines = []
    for i, (name, kind, title, unit) in enumerate(CURVES):
        plots = []
        for engine, color in ENGINES:
            rows = curve(results, name, kind, engine)
            if rows:
                data = f"$c{i}{engine}"
                lines += [f"{data} << EOD"] + [f"{size} {ms:.3f}" for size, ms in rows] + ["EOD"]
                plots.append(f"{data} using 1:($2/$1) with linespoints pt 7 ps 0.5 lw 2 lc rgb '{color}' title '{engine}'")
        if plots:
            lines += [f"set origin {i / 3},0", "set size 0.333,0.36", f"set lmargin at screen {i / 3 + 0.06}",
                      f"set rmargin at screen {(i + 1) / 3 - 0.015}", "set xrange [*:*]", "set yrange [0:*]",
                      "set ytics auto nomirror", "set xtics auto nomirror", "set logscale x 2", f"set title '{title}'",
                      f"set xlabel '{unit}'", f"set ylabel 'ms for one of them'", "set key bottom left", "plot " + ", ".join(plots), "unset logscale x",
                      "unset xlabel", "unset ylabel"]
    return lines


def draw(results, path):
    if shutil.which("gnuplot") is None:
        print("bench: gnuplot is not installed, so there is no picture; scripts/deps.sh bench installs it", file=sys.stderr)
        return
    script = ["set terminal svg size 1100,900 font 'sans-serif,12' background '#ffffff'", f"set output {quoted(path)}",
              "set multiplot", "set border 3", *bar_chart(results), "set lmargin", *curve_charts(results), "unset multiplot"]
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)
    print(f"bench: {path}", file=sys.stderr)
