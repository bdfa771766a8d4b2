"""tensors.py - safetensors files: reading them whole, writing them so that a reader never sees half a file."""
import json, os, struct
import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def read_safetensors(path):
    """name -> array; the file is mapped, copy on write."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
    data = np.memmap(path, np.uint8, "c", offset=8 + size)
    header.pop("__metadata__", None)
    return {k: data[slice(*v["data_offsets"])].view(DTYPES[v["dtype"]]).reshape(v["shape"])
            for k, v in header.items()}


def write_safetensors(path, tensors):
    """tensors: (name, shape, dtype, array or a function that makes it); made one after the other."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, dtype, _ in tensors:
        size = int(np.prod(shape)) * np.dtype(DTYPES[dtype]).itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, dtype, value in tensors:
            f.write(np.ascontiguousarray(value() if callable(value) else value, DTYPES[dtype]).tobytes())
    os.rename(path + ".part", path)


def write_arrays(path, arrays):
    """arrays: name -> array of float32 or int64."""
    kinds = {np.dtype(np.float32): "F32", np.dtype(np.int64): "I64"}
    write_safetensors(path, [(name, value.shape, kinds[value.dtype], value) for name, value in arrays.items()])
