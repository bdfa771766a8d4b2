#!/usr/bin/python3
"""Full-size residual networks with random weights: the modelhost command against torch in double precision.
Ends with "N passed, M failed, K skipped"; skips where torch is not installed. Env BUILD (default build)."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "plugins", "resnet"))
try:
    import json
    import struct

    import numpy as np
    import torch

    import make_resnet_fixtures as small
except ImportError as error:
    print(f"skip: {error}\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

WIDE = [256, 512, 1024, 2048]


def vision(depths, widths, outs=None, groups=1, labels=1000):
    outs = outs or widths
    bottleneck = outs is not widths
    return small.Vision(64, [(d, o, w if bottleneck else 0, groups)
                             for d, w, o in zip(depths, widths, outs)], labels)


def cases():
    narrow = [64, 128, 256, 512]
    yield "resnet18", {"architectures": ["resnet18"]}, vision([2, 2, 2, 2], narrow), (2, 224, 224)
    yield "resnet34", {"architectures": ["resnet34"]}, vision([3, 4, 6, 3], narrow), (1, 224, 224)
    yield "resnet50", {"model_type": "resnet"}, vision([3, 4, 6, 3], narrow, WIDE), (1, 161, 250)
    yield ("resnext50_32x4d", {"architectures": ["resnext50_32x4d"]},
           vision([3, 4, 6, 3], [128, 256, 512, 1024], WIDE, 32), (1, 224, 224))
    yield "resnet152", {"architectures": ["resnet152"]}, vision([3, 8, 36, 3], narrow, WIDE), (1, 224, 224)
    config = small.hub("bottleneck", "gelu", embedding_size=64, hidden_sizes=WIDE, depths=[3, 4, 23, 3],
                       num_labels=1000)
    yield "ResNetForImageClassification-101", config, small.HubClassifier(config), (1, 224, 224)
    config = small.hub("basic", "silu", embedding_size=64, hidden_sizes=narrow, depths=[2, 2, 2, 2],
                       num_labels=10, downsample_in_first_stage=True)
    yield "ResNetForImageClassification-18", config, small.HubClassifier(config), (3, 97, 64)


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__"}


def check(folder, name, config, module, size):
    module = module.double().eval()
    small.randomise(module)
    x = torch.randn((size[0], 3) + size[1:], generator=torch.Generator().manual_seed(3))
    for batch_norm in module.modules():  # statistics of its own activations, as training leaves them
        if isinstance(batch_norm, torch.nn.BatchNorm2d):
            batch_norm.momentum = None
            batch_norm.reset_running_stats()
    with torch.no_grad():
        module.train()
        module(torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(4)).double())
        module.eval().float().double()
        want = module.logits(module(x.double()).mean((2, 3))).numpy()
        single = module.float().logits(module(x).mean((2, 3))).double().numpy()
    backend = os.path.join(folder, name, "backends", "cpu")
    os.makedirs(backend)
    with open(os.path.join(backend, "config.json"), "w") as file:
        json.dump(config, file)
    small.write(os.path.join(backend, "model.safetensors"),
                {key: value.numpy() if value.dtype == torch.int64 else value.float().numpy()
                 for key, value in module.state_dict().items()})
    shutil.copy(os.path.join(BUILD, "lib", "modelhost", "plugins", "libresnet.so"),
                os.path.join(backend, "libmodel.so"))
    inputs, outputs = os.path.join(folder, "in.safetensors"), os.path.join(folder, "out.safetensors")
    small.write(inputs, {"pixel_values": x.numpy()})
    ran = subprocess.run([os.path.join(BUILD, "bin", "modelhost"), "run", os.path.join(folder, name),
                          "--inputs", inputs, "--outputs", outputs], capture_output=True, text=True)
    if ran.returncode != 0:
        return f"exit code {ran.returncode}: {ran.stderr.strip()}"
    # Random networks amplify rounding the more the deeper they are: torch in single precision says by how much.
    size = max(1, want.std())
    rms = [((answer - want) ** 2).mean() ** 0.5 / size for answer in (read(outputs)["logits"], single)]
    print(f"    {name}: rms {rms[0]:.1e}, torch in single precision {rms[1]:.1e}")
    return None if rms[0] <= max(1e-6, 2 * rms[1]) else "differs from torch"


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, config, module, size in cases():
            wrong = check(folder, name, config, module, size)
            print(f"{'ok' if wrong is None else 'FAIL'} - {name}" + (f": {wrong}" if wrong else ""))
            passed, failed = passed + (wrong is None), failed + (wrong is not None)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
