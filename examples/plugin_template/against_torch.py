#!/usr/bin/python3
"""Holds the plugin against PyTorch: makes a package with random weights, runs it, compares.

    against_torch.py LIBMODEL.so [PACKAGE]

PACKAGE (default: a temporary folder) becomes a folder that `modelhost run` takes. modelhost is looked for
in $BUILD/bin and then on the PATH. Change network(), CONFIG and inputs() to what your model is.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

CONFIG = {'model_type': 'template', 'input_size': 5, 'output_size': 3, 'hidden_act': 'relu'}
LIMIT = 1e-5  # of |found - wanted|, for numbers of size 1


def network():
    """The model in torch; the names of its parameters are those of the package's weights."""
    class Template(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(CONFIG['input_size'], CONFIG['output_size'])

        def forward(self, x):
            return {'y': self.linear(x).relu()}
    return Template().eval()


def inputs():
    """Runs to compare: names as in the plugin's description. Take sizes that differ."""
    for batch in (1, 2, 33):
        yield {'x': torch.randn(batch, CONFIG['input_size'])}


DTYPES = {'F32': 'float32', 'F16': 'float16', 'I64': 'int64'}


def save(path, tensors):
    head, data = {}, b''
    for name, tensor in tensors.items():
        array = tensor.detach().contiguous().numpy()
        dtype = next(k for k, v in DTYPES.items() if v == str(array.dtype))
        head[name] = {'dtype': dtype, 'shape': list(array.shape),
                      'data_offsets': [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


def load(path):
    raw = open(path, 'rb').read()
    n = struct.unpack('<Q', raw[:8])[0]
    return {name: np.frombuffer(raw[8 + n:][slice(*v['data_offsets'])], DTYPES[v['dtype']]).reshape(v['shape'])
            for name, v in json.loads(raw[8:8 + n]).items() if name != '__metadata__'}


def make_package(folder, library, model):
    backend = os.path.join(folder, 'backends', 'cpu')
    os.makedirs(backend, exist_ok=True)
    save(os.path.join(backend, 'model.safetensors'), model.state_dict())
    with open(os.path.join(backend, 'config.json'), 'w') as file:
        json.dump(CONFIG, file, indent=2)
    shutil.copy(library, os.path.join(backend, 'fresh.so'))  # a new file, then its place: by renaming
    os.rename(os.path.join(backend, 'fresh.so'), os.path.join(backend, 'libmodel.so'))


def main():
    torch.manual_seed(1)
    library, work, model = sys.argv[1], tempfile.mkdtemp(), network()
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(work, 'package')
    built = os.path.join(os.environ.get('BUILD', 'build'), 'bin', 'modelhost')
    modelhost = built if os.path.exists(built) else 'modelhost'
    make_package(folder, library, model)
    passed = failed = 0
    for given in inputs():
        save(os.path.join(work, 'in.safetensors'), given)
        subprocess.run([modelhost, 'run', folder, '-q', '--inputs', os.path.join(work, 'in.safetensors'),
                        '--outputs', os.path.join(work, 'out.safetensors')], check=True)
        found = load(os.path.join(work, 'out.safetensors'))
        with torch.no_grad():
            wanted = model(*given.values())
        for name, want in wanted.items():
            error = float(np.abs(found[name] - want.numpy()).max())
            print(f'{name} {list(want.shape)}: max abs {error:.2g}', '' if error <= LIMIT else 'TOO MUCH')
            passed, failed = passed + (error <= LIMIT), failed + (error > LIMIT)
    shutil.rmtree(work)
    print(f'{passed} passed, {failed} failed')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
