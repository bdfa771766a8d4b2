"""Files of torch.save() for test_convert.sh, each with what torch.load() makes of it.

  torch_files.py DIR     writes DIR/CASE.bin and DIR/CASE.json: {name: [dtype, shape, hex of the data]}
                         and DIR/CASE.f16.json, .bf16.json: the same after tensor.to();
                         DIR/statistics.bin and .json: {name: {min, max, ...}}
  torch_files.py repack FILE.safetensors OUT.bin     the same tensors (F32) as a file of torch.save()

Needs torch (any since 1.6). The truth is torch's own: its views, its rounding.
"""
import collections
import json
import math
import os
import struct
import sys

import torch

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}


def raw(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.numel() == 0:
        return ""
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    return tensor.numpy().tobytes().hex()


def expected(tensors, dtype=None):
    result = {}
    for name, tensor in tensors.items():
        if dtype is not None and tensor.is_floating_point():
            tensor = tensor.to(dtype)
        result[name] = [DTYPES[tensor.dtype], list(tensor.shape), raw(tensor)]
    return result


def same_place(a, b):
    return a.numel() > 0 and (a.dtype, a.data_ptr(), a.shape, a.stride()) == \
        (b.dtype, b.data_ptr(), b.shape, b.stride())


def save(folder, case, saved, pick=lambda loaded: loaded, **how):
    path = os.path.join(folder, case + ".bin")
    torch.save(saved, path, **how)
    tensors = {k: v for k, v in pick(torch.load(path)).items() if torch.is_tensor(v)}
    aliases, kept = {}, {}
    for name, tensor in tensors.items():
        first = next((k for k, v in kept.items() if same_place(v, tensor)), None)
        if first is None:
            kept[name] = tensor
        else:
            aliases[name] = first
    for suffix, dtype in (("", None), (".f16", torch.float16), (".bf16", torch.bfloat16),
                          (".f32", torch.float32)):
        with open(os.path.join(folder, case + suffix + ".json"), "w") as out:
            json.dump({"tensors": expected(kept, dtype), "aliases": aliases}, out)


def statistics(folder):
    wild = torch.randn(1000, 33) * 1e3
    wild[3, 4], wild[5, 6], wild[7, 8], wild[9, 10] = math.nan, math.inf, -math.inf, math.nan
    tensors = {
        "normal": torch.randn(300, 50), "far": torch.randn(100000).double() + 1e9, "wild": wild,
        "half": torch.randn(5000).half(), "brain": torch.randn(70, 70).bfloat16().t(),
        "whole": torch.randint(-5, 5, (10001,)), "flags": torch.rand(100) > 0.5,
        "nothing": torch.tensor([math.nan, math.inf]), "one": torch.tensor(-2.5),
    }
    torch.save(tensors, os.path.join(folder, "statistics.bin"))
    result = {}
    for name, tensor in tensors.items():
        x = tensor.double()
        finite = x[torch.isfinite(x)]
        some = finite.numel() > 0
        result[name] = {
            "min": finite.min().item() if some else 0, "max": finite.max().item() if some else 0,
            "mean": finite.mean().item() if some else 0,
            "std": finite.std(unbiased=False).item() if some else 0,
            "nan": int(torch.isnan(x).sum()), "infinite": int(torch.isinf(x).sum()),
            "zero": int((x == 0).sum())}
    with open(os.path.join(folder, "statistics.json"), "w") as out:
        json.dump(result, out)
    other = {name: tensor.clone() for name, tensor in tensors.items()}
    other["normal"] += torch.randn(300, 50) * 1e-3
    other["wild"][3, 5] = math.nan
    other["half"] = other["half"].float()
    del other["one"]
    other["two"] = torch.zeros(2)
    other["flags"] = other["flags"][:50]
    torch.save(other, os.path.join(folder, "other.bin"))
    gap = (tensors["normal"].double() - other["normal"].double()).abs()
    with open(os.path.join(folder, "difference.json"), "w") as out:
        json.dump({"max": gap.max().item(), "mean": gap.mean().item(),
                   "relative": (gap.sum() / tensors["normal"].double().abs().sum()).item()}, out)


def repack(path, out):
    with open(path, "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    tensors = collections.OrderedDict()
    for name, entry in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(bytearray(data[8 + n + begin:8 + n + end]),
                                             dtype=torch.float32).reshape(entry["shape"])
    torch.save(tensors, out)


def main(folder):
    torch.manual_seed(1)
    base = torch.randn(5, 7)
    weights = collections.OrderedDict()
    for dtype in DTYPES:
        weights["of." + DTYPES[dtype]] = (torch.randn(3, 4) * 100).to(dtype)
    weights["base"] = base
    weights["transposed"] = base.t()
    weights["view"] = base[1:4, 2:6]
    weights["column"] = base[:, 3]
    weights["flipped"] = torch.randn(2, 3, 4, 5).permute(3, 1, 0, 2)
    weights["repeated"] = torch.tensor([1.0, 2.0]).expand(6, 2)
    weights["scalar"] = torch.tensor(3.25)
    weights["empty"] = torch.zeros(0, 3)
    weights["parameter"] = torch.nn.Parameter(torch.randn(3))
    weights["tied"] = weights["parameter"]
    weights["frozen"] = torch.nn.Parameter(torch.randn(2), requires_grad=False)
    weights["name with \"quotes\" and \u00e9"] = torch.ones(1)
    save(folder, "zip", weights)
    save(folder, "legacy", weights, _use_new_zipfile_serialization=False)
    save(folder, "protocol4", weights, pickle_protocol=4)
    save(folder, "nested", {"epoch": 3, "state_dict": weights, "lr": 0.5, "sizes": [base.shape],
                            "at": torch.device("cpu")}, lambda loaded: loaded["state_dict"])
    save(folder, "plain", {"w": base, "n_steps": 3, "b": None})
    save(folder, "module", torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LSTM(4, 4)).state_dict())
    # every half, and what lies around the borders between halves, as F32 and F64
    halves = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(torch.float16)
    numbers = halves[torch.isfinite(halves)].float()
    steps = torch.cat([torch.nextafter(numbers, torch.full_like(numbers, side)) for side in (-1e9, 1e9)])
    middles = (numbers.sort().values[1:] + numbers.sort().values[:-1]) / 2
    around = torch.cat([torch.nextafter(middles, torch.full_like(middles, side)) for side in (-1e9, 1e9)])
    special = torch.tensor([float("inf"), float("-inf"), 65519.99, 65520.0, 1e38, 3.4e38, 1e-45, -0.0])
    save(folder, "rounding", {"f32": torch.cat([numbers, steps, middles, around, special]),
                              "f16": halves[torch.isfinite(halves)],
                              "random": torch.randint(-2**31, 2**31 - 1, (20000,), dtype=torch.int32)
                              .view(torch.float32).nan_to_num(1.0)})
    module = torch.nn.Linear(2, 2)
    torch.save(module, os.path.join(folder, "whole-module.bin"))
    shards = {"pytorch_model-00001-of-00002.bin": {"a": base, "b": base.t()},
              "pytorch_model-00002-of-00002.bin": {"c": torch.arange(4)}}
    os.mkdir(os.path.join(folder, "sharded"))
    for name, content in shards.items():
        torch.save(content, os.path.join(folder, "sharded", name))
    with open(os.path.join(folder, "sharded", "pytorch_model.bin.index.json"), "w") as out:
        json.dump({"metadata": {"total_size": 1}, "weight_map":
                   {k: name for name, content in shards.items() for k in content}}, out)
    with open(os.path.join(folder, "sharded.json"), "w") as out:
        json.dump({"tensors": expected({k: v for c in shards.values() for k, v in c.items()}),
                   "aliases": {}}, out)
    statistics(folder)


if sys.argv[1] == "repack":
    repack(sys.argv[2], sys.argv[3])
else:
    main(sys.argv[1])
