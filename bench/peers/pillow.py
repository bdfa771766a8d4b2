"""pillow.py - Pillow, a peer of `make bench`: decodes a picture in memory and resizes it to 224 x 224, bilinear. Answers the
commands of bench/input_worker.h on stdin. Not with draft(), which reads fewer frequencies and gives another picture."""
import io, json, sys, time
import numpy as np
import PIL
from PIL import Image


def shrink(data):
    return Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)


def main():
    data, image = None, None
    print(json.dumps({"load_ns": 0, "version": f"Pillow {PIL.__version__}"}), flush=True)
    for line in sys.stdin:
        words, answer = line.split(), "ok"
        if words[0] == "inputs":
            with open(words[2], "rb") as f:
                data = f.read()
        elif words[0] == "run":
            start = time.perf_counter_ns()
            image = shrink(data)
            answer = time.perf_counter_ns() - start
        elif words[0] == "output":
            np.asarray(image).astype(np.float32).tofile(words[1])
        else:
            answer = f"error unknown command '{words[0]}'"
        print(answer, flush=True)


main()
