"""agreement.py - whether int8 chooses the class that float32 chooses, on 200 pictures; a part of `make bench` (resnet).

The pictures are crops of one photograph, photo.jpg of the shared files, the same each time: of a random place and size (a
third of its height to all of it), every other one mirrored, bilinear to 224 x 224, in the usual scale. Random numbers
would be alike to a network, and its classes ties. It needs Pillow."""
import dataclasses, os
import numpy as np
from tensors import write_arrays
from workers import Worker

PICTURES, BATCH, SIZE = 200, 8, 224
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def crops(path):
    """(PICTURES, 3, SIZE, SIZE)"""
    from PIL import Image
    rng, out = np.random.default_rng(12), np.empty((PICTURES, 3, SIZE, SIZE), np.float32)
    with Image.open(path) as file:
        photo = file.convert("RGB")
    for i in range(PICTURES):
        side = int(rng.integers(photo.height // 3, photo.height + 1))
        x, y = int(rng.integers(0, photo.width - side + 1)), int(rng.integers(0, photo.height - side + 1))
        pixels = np.asarray(photo.resize((SIZE, SIZE), Image.BILINEAR, box=(x, y, x + side, y + side)), np.float32)
        out[i] = ((pixels[:, ::-1 if i % 2 else 1] / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)
    return out


def logits_of(command, threads, workload, pictures, bench_dir):
    worker, path, rows = Worker(command, threads), f"{bench_dir}/inputs.safetensors", []
    for i in range(0, PICTURES, BATCH):
        write_arrays(path, {"pixel_values": pictures[i:i + BATCH]})
        worker.set_inputs(workload, path)
        worker.run_ms()
        rows.append(worker.output(f"{bench_dir}/output.bin").reshape(BATCH, -1))
    worker.close()
    return np.concatenate(rows)


def measure(engines, model, threads, shared, bench_dir, say):
    """{"pictures", "classes", "agree": {"modelhost": n, "onnxruntime": n}}, or {"missing": why}."""
    photo = f"{shared}/images/photo.jpg"
    try:
        pictures = crops(photo)
    except (ImportError, OSError) as error:
        return {"missing": f"top-1 agreement is not measured: {error}"}
    say(f"top-1 of {PICTURES} pictures on {threads} thread(s)")
    asked = dataclasses.replace(model.workloads[0], dtype="f32", graphs=())
    got = logits_of(engines["modelhost"](threads, dataclasses.replace(asked, dtype="int8"))[0], threads, asked, pictures, bench_dir)
    exact = {name: logits_of(engines[name](threads, asked)[0], threads, asked, pictures, bench_dir)
             for name in ("modelhost", "onnxruntime") if name in engines}
    ours = exact["modelhost"]
    return {"pictures": PICTURES, "photo": os.path.basename(photo), "classes": len(set(ours.argmax(1).tolist())),
            "agree": {name: int((got.argmax(1) == right.argmax(1)).sum()) for name, right in exact.items()}}
