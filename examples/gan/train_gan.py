#!/usr/bin/env python3
"""Trains the generator of examples/gan and writes it as a package (python3-torch; minutes on two cores).

    /usr/bin/python3 examples/gan/train_gan.py FOLDER [STEPS]

A GAN in the manner of DCGAN (Radford et al. 2015) on pictures that the script draws itself: a disc, a
square or a triangle, of any colour, anywhere on a ground of another colour. Writes
FOLDER/backends/cpu/{config.json, model.safetensors} and, for the test, FOLDER/reference.safetensors:
latent vectors and the pictures that PyTorch makes of them.
"""
import json
import os
import struct
import sys

import torch
from torch import nn

LATENT, WIDTH, SIZE, BATCH = 32, 24, 32, 64


def draw(n, generator):
    """n pictures [n, 3, SIZE, SIZE] in [-1, 1]; edges are soft, as if antialiased."""
    uniform = lambda low, high: low + (high - low) * torch.rand(n, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing='ij')
    radius = uniform(6, 10)
    dx, dy = x - uniform(11, SIZE - 11), y - uniform(11, SIZE - 11)
    disc = (dx ** 2 + dy ** 2).sqrt() - radius
    square = torch.maximum(dx.abs(), dy.abs()) - 0.85 * radius
    triangle = torch.maximum(0.866 * dx.abs() - 0.5 * dy - 0.5 * radius, dy - 0.6 * radius)
    kind = torch.randint(3, (n, 1, 1), generator=generator)
    distance = torch.where(kind == 0, disc, torch.where(kind == 1, square, triangle))
    inside = (0.5 - distance).clamp(0, 1)[:, None]
    ground, colour = (torch.rand(n, 3, 1, 1, generator=generator) * s + o for s, o in ((0.7, -1), (0.7, 0.3)))
    return ground + (colour - ground) * inside


class Generator(nn.Sequential):
    """latent [n, LATENT, 1, 1] -> 4 x 4 -> 8 x 8 -> 16 x 16 -> picture [n, 3, 32, 32]"""

    def __init__(self):
        up = lambda a, b, first=False: nn.ConvTranspose2d(a, b, 4, 1 if first else 2, 0 if first else 1, bias=False)
        w = WIDTH
        super().__init__(up(LATENT, 4 * w, True), nn.BatchNorm2d(4 * w), nn.ReLU(),
                         up(4 * w, 2 * w), nn.BatchNorm2d(2 * w), nn.ReLU(),
                         up(2 * w, w), nn.BatchNorm2d(w), nn.ReLU(),
                         up(w, 3), nn.Tanh())


def discriminator():
    down = lambda a, b: nn.utils.spectral_norm(nn.Conv2d(a, b, 4, 2, 1))
    return nn.Sequential(down(3, 32), nn.LeakyReLU(0.1), down(32, 64), nn.LeakyReLU(0.1),
                         down(64, 128), nn.LeakyReLU(0.1), nn.Flatten(),
                         nn.utils.spectral_norm(nn.Linear(128 * 16, 1)))


def train(n_steps):
    """The generator, as the moving average of its weights."""
    torch.manual_seed(1)
    chance = torch.Generator().manual_seed(2)
    g, d, average = Generator(), discriminator(), Generator()
    average.load_state_dict(g.state_dict())
    for_g = torch.optim.Adam(g.parameters(), 2e-4, betas=(0.5, 0.99))
    for_d = torch.optim.Adam(d.parameters(), 4e-4, betas=(0.5, 0.99))
    for step in range(n_steps):
        fake = g(torch.randn(BATCH, LATENT, 1, 1))
        loss_d = (1 - d(draw(BATCH, chance))).relu().mean() + (1 + d(fake.detach())).relu().mean()
        for_d.zero_grad()
        loss_d.backward()
        for_d.step()
        loss_g = -d(fake).mean()
        for_g.zero_grad()
        loss_g.backward()
        for_g.step()
        with torch.no_grad():
            for a, b in zip(average.parameters(), g.parameters()):
                a.lerp_(b, 0.002)
        if step % 500 == 0:
            print(f'step {step}: discriminator {loss_d.item():.3f}, generator {loss_g.item():.3f}',
                  file=sys.stderr, flush=True)
    with torch.no_grad():  # the batch norms' statistics, for the averaged weights
        for norm in (m for m in average if isinstance(m, nn.BatchNorm2d)):
            norm.reset_running_stats()
            norm.momentum = None
        for _ in range(50):
            average(torch.randn(BATCH, LATENT, 1, 1))
    return average.eval()


def save(path, tensors):
    """safetensors; tensors: {name: tensor}"""
    names = {torch.float16: 'F16', torch.float32: 'F32'}
    head, data = {}, b''
    for name, t in tensors.items():
        raw = t.contiguous().numpy().tobytes()
        head[name] = {'dtype': names[t.dtype], 'shape': list(t.shape),
                      'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


def main():
    folder, n_steps = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    backend = os.path.join(folder, 'backends', 'cpu')
    os.makedirs(backend, exist_ok=True)
    g = train(n_steps)
    weights = {k: v.half() for k, v in g.state_dict().items() if v.dtype == torch.float32}
    save(os.path.join(backend, 'model.safetensors'), weights)
    with open(os.path.join(backend, 'config.json'), 'w') as file:
        json.dump({'model_type': 'dcgan-generator', 'latent_size': LATENT, 'num_channels': 3,
                   'image_size': SIZE, 'hidden_sizes': [4 * WIDTH, 2 * WIDTH, WIDTH]}, file, indent=2)
        file.write('\n')
    g.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    with torch.no_grad():
        latent = torch.randn(4, LATENT, 1, 1, generator=torch.Generator().manual_seed(3))
        save(os.path.join(folder, 'reference.safetensors'),
             {'latent': latent.reshape(4, LATENT), 'pixel_values': g(latent)})


if __name__ == '__main__':
    main()
