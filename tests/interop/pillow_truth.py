#!/usr/bin/env python3
"""Makes what the tests of host/images/ are compared with, by Pillow and numpy: small pictures in
tests/fuzz/corpus/image_{png,jpeg}/ and tests/unit/pillow_truth.h with the digests of what Pillow and the
transformations of transformers' image processors make of them. Made with Pillow 9.4 on libjpeg-turbo 2.1
(Debian 12: apt-get install python3-pil); run it again after adding a case:

    python3 tests/interop/pillow_truth.py
"""
import hashlib
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

root = Path(__file__).resolve().parents[2]
corpus = root / 'tests/fuzz/corpus'


def pattern(width, height, channels=3):
    """Any picture: a gradient with noise in it; tests/unit/test_image_resize.c makes the same."""
    values, state = [], 12345
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                values.append((x * 5 + y * 3 + c * 40 + (state >> 16) % 90) & 255)
    return np.array(values, np.uint8).reshape(height, width, channels)


# ---- PNG files; Pillow writes neither interlaced ones nor all depths, so they are put together here

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(name, width, height, bits, color, interlaced=False, extra=()):
    bits_per_pixel = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    noise = np.random.RandomState(sum(name.encode()))
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    raw = b''
    for x0, y0, dx, dy in passes:
        columns, rows = -(-(width - x0) // dx), -(-(height - y0) // dy)
        if columns > 0:
            for _ in range(max(rows, 0)):
                raw += bytes([0]) + noise.bytes((columns * bits_per_pixel + 7) // 8)
    if color == 0 and bits == 16 and not interlaced:  # values around 255, where Pillow cuts them
        raw = b''.join(bytes([0]) + b''.join(struct.pack('>H', (x * 29 + y * 7) % 512) for x in range(width))
                       for y in range(height))
    header = struct.pack('>IIBBBBB', width, height, bits, color, 0, 0, int(interlaced))
    data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
    data += b''.join(chunk(*e) for e in extra) + chunk(b'IDAT', zlib.compress(raw, 9)) + chunk(b'IEND', b'')
    (corpus / 'image_png' / (name + '.png')).write_bytes(data)


def exif(orientation, order='<'):
    return (b'II*\0' if order == '<' else b'MM\0*') + struct.pack(
        order + 'IHHHIHHI', 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def make_png_files():
    palette = (b'PLTE', bytes(range(30, 90)))  # 20 colours
    for bits in (1, 2, 4, 8, 16):
        png('gray%d' % bits, 13, 6, bits, 0)
    png('gray16_interlaced', 9, 9, 16, 0, True)
    png('gray_trns', 7, 5, 8, 0, extra=[(b'tRNS', b'\0\x40')])
    for bits in (8, 16):
        png('rgb%d' % bits, 11, 7, bits, 2)
        png('gray_alpha%d' % bits, 6, 7, bits, 4)
        png('rgba%d' % bits, 5, 9, bits, 6)
        png('rgba%d_interlaced' % bits, 10, 11, bits, 6, True)
    png('palette8', 12, 8, 8, 3, extra=[palette, (b'tRNS', b'\0\x80')])  # most indices are beyond it
    png('palette4_interlaced', 9, 13, 4, 3, True, extra=[palette[:1] + (palette[1][:30],)])
    png('palette1', 17, 3, 1, 3, extra=[(b'PLTE', bytes(range(6)))])
    png('one_pixel', 1, 1, 8, 2)
    png('exif6', 4, 3, 8, 2, extra=[(b'eXIf', exif(6, '>'))])
    png('texts', 4, 3, 8, 2, extra=[(b'tEXt', b'Comment\0hello'), (b'gAMA', struct.pack('>I', 45455)),
                                    (b'iCCP', b'broken\0\0nonsense')])


# ---- JPEG files

def jpeg(name, image, change=lambda data: data, **options):
    stream = io.BytesIO()
    image.save(stream, 'JPEG', **options)
    (corpus / 'image_jpeg' / (name + '.jpg')).write_bytes(change(stream.getvalue()))


def without_adobe(data):
    at = data.index(b'\xff\xee')
    return data[:at] + data[at + 2 + struct.unpack('>H', data[at + 2:at + 4])[0]:]


def as_ycck(data):
    at = data.index(b'Adobe') + 11
    return data[:at] + b'\x02' + data[at + 1:]


def make_jpeg_files():
    rgb = Image.fromarray(np.kron(pattern(4, 3), np.ones((8, 8, 1), np.uint8))[:21, :29])
    cmyk = Image.fromarray(np.kron(pattern(3, 2, 4), np.ones((8, 8, 1), np.uint8))[:, :19], 'CMYK')
    jpeg('gray', rgb.convert('L'), quality=80)
    jpeg('rgb444', rgb, quality=95, subsampling=0)
    jpeg('rgb422', rgb, quality=70, subsampling=1)
    jpeg('rgb420', rgb, quality=30, subsampling=2)
    jpeg('progressive', rgb, quality=60, progressive=True)
    jpeg('progressive_gray', rgb.convert('L'), quality=60, progressive=True)
    jpeg('cmyk', cmyk, quality=90)
    jpeg('cmyk_no_adobe', cmyk, without_adobe, quality=90)
    jpeg('ycck', cmyk, as_ycck, quality=90)
    jpeg('junk_behind', rgb, lambda data: data + b'more' * 9, quality=10)
    small = Image.fromarray(pattern(5, 3))
    jpeg('one_pixel', small.crop((0, 0, 1, 1)))
    for orientation in range(1, 10):
        jpeg('exif%d' % orientation, small, quality=50, subsampling=0, optimize=True,
             exif=b'Exif\0\0' + exif(orientation, '<>'[orientation % 2]))


# ---- what Pillow makes of them

def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def decode_rows(folder):
    for path in sorted((corpus / folder).glob('*.[pj][np]g')):
        image = ImageOps.exif_transpose(Image.open(path)).convert('RGB')
        yield '{"%s/%s", %d, %d, "%s"}' % (folder, path.name, *image.size, sha256(np.asarray(image)))


def resize_rows():
    sizes = [(16, 11, 7, 5), (16, 11, 40, 33), (50, 3, 9, 9), (1, 1, 6, 4), (3, 200, 3, 30), (31, 37, 31, 8),
             (8, 8, 8, 8), (257, 5, 2, 1)]
    for w, h, new_w, new_h in sizes:
        image = Image.fromarray(pattern(w, h))
        for resample in range(6):
            resized = np.asarray(image.resize((new_w, new_h), resample))
            yield '{%d, %d, %d, %d, %d, "%s"}' % (w, h, new_w, new_h, resample, sha256(resized))


# ---- what transformers' image processors make of a picture

def center_crop(array, crop_height, crop_width):
    height, width = array.shape[:2]
    canvas = np.zeros((max(height, crop_height), max(width, crop_width), 3), np.uint8)
    top, left = (math.ceil((canvas.shape[i] - array.shape[i]) / 2) for i in (0, 1))
    canvas[top:top + height, left:left + width] = array
    top += (height - crop_height) // 2
    left += (width - crop_width) // 2
    return canvas[top:top + crop_height, left:left + crop_width]


def process(image, size=None, edge=None, crop=None, resample=3, factor=1 / 255, mean=None, std=None, gray=False,
            flip=False):
    if gray:
        image = image.convert('L').convert('RGB')
    if edge is not None:
        width, height = image.size
        short, long = min(width, height), max(width, height)
        long = int(edge * long / short)
        size = (long, edge) if width <= height else (edge, long)
    if size is not None:
        image = image.resize(size[::-1], resample)
    array = np.asarray(image)
    if crop is not None:
        array = center_crop(array, *crop)
    values = array.astype(np.float64) * factor if factor is not None else array
    values = values.astype(np.float32)
    if mean is not None:
        values = (values - np.array(mean, np.float32)) / np.array(std, np.float32)
    values = values.transpose(2, 0, 1)[:1 if gray else 3][::-1 if flip else 1]
    return values.astype(np.float32)


def process_rows():
    clip = dict(mean=[0.48145466, 0.4578275, 0.40821073], std=[0.26862954, 0.26130258, 0.27577711])
    half = dict(mean=[0.5] * 3, std=[0.5] * 3)
    cases = [
        ('ViTImageProcessor', '"size":{"height":9,"width":14}', dict(size=(9, 14), resample=2, **half)),
        ('ViTFeatureExtractor', '"size":10,"resample":0,"do_normalize":false', dict(size=(10, 10), resample=0)),
        ('ViTImageProcessor', '"do_resize":false,"do_rescale":false,"image_mean":[100,90,80],"image_std":[9,8,7]',
         dict(factor=None, mean=[100, 90, 80], std=[9, 8, 7])),
        ('ViTImageProcessor', '"size":12,"image_mean":[0.25],"image_std":[0.125]',
         dict(size=(12, 12), resample=2, mean=[0.25] * 3, std=[0.125] * 3, gray=True)),
        ('CLIPImageProcessor', '"size":{"shortest_edge":16},"crop_size":{"height":12,"width":15}',
         dict(edge=16, crop=(12, 15), **clip)),
        ('CLIPFeatureExtractor', '"size":16,"crop_size":31,"resample":1', dict(edge=16, crop=(31, 31), resample=1, **clip)),
        ('BitImageProcessor', '"do_resize":false,"crop_size":20', dict(crop=(20, 20), **clip)),
        ('DeiTImageProcessor', '"size":18,"crop_size":13', dict(size=(18, 18), crop=(13, 13), **half)),
        ('ConvNextImageProcessor', '"size":{"shortest_edge":14},"crop_pct":0.6', dict(edge=23, crop=(14, 14), **half)),
        ('ConvNextImageProcessorFast', '"size":{"shortest_edge":384},"resample":2',
         dict(size=(384, 384), resample=2, **half)),
        ('SiglipImageProcessor', '"size":{"height":17,"width":17},"rescale_factor":0.01', dict(size=(17, 17), factor=0.01, **half)),
        ('MobileViTImageProcessor', '"size":{"shortest_edge":14},"crop_size":{"height":13,"width":16}',
         dict(edge=14, crop=(13, 16), resample=2, flip=True)),
        ('MobileViTImageProcessor', '"size":{"height":9,"width":14},"do_center_crop":false,"do_rescale":false,"do_flip_channel_order":false',
         dict(size=(9, 14), resample=2, factor=None)),
    ]
    for width, height in ((27, 19), (10, 33)):
        image = Image.fromarray(pattern(width, height))
        for name, fields, options in cases:
            values = process(image, **options)
            config = '{"image_processor_type":"%s",%s}' % (name, fields)
            yield '{%d, %d, "%s", {%d, %d, %d}, "%s"}' % (
                width, height, config.replace('"', '\\"'), *values.shape, sha256(values))


def table(kind, name, rows):
    return 'static const struct %s %s[] = {\n    %s,\n};\n' % (kind, name, ',\n    '.join(rows))


def main():
    for folder in ('image_png', 'image_jpeg'):
        (corpus / folder).mkdir(parents=True, exist_ok=True)
    make_png_files()
    make_jpeg_files()
    text = '''/* pillow_truth.h - digests of what Pillow, and transformers' image processors, make of pictures. Written by
 * tests/interop/pillow_truth.py. Each test uses one table. */
#ifndef PILLOW_TRUTH_H
#define PILLOW_TRUTH_H

#include <stdint.h>

/* clang-format off */
struct decode_truth {
    const char *file; /* below tests/fuzz/corpus/ */
    uint32_t width, height;
    const char *sha256; /* of the RGB bytes */
};

#ifdef WANT_PNG_TRUTH
%s#endif

#ifdef WANT_JPEG_TRUTH
%s#endif

#ifdef WANT_RESIZE_TRUTH
struct resize_truth {
    uint32_t width, height, to_width, to_height, filter;
    const char *sha256; /* of the RGB bytes */
};

%s#endif

#ifdef WANT_PROCESS_TRUTH
struct process_truth {
    uint32_t width, height;
    const char *config;
    int64_t shape[3]; /* num_channels, height, width */
    const char *sha256; /* of the floats */
};

%s#endif
/* clang-format on */

#endif
''' % (table('decode_truth', 'png_truths', decode_rows('image_png')),
       table('decode_truth', 'jpeg_truths', decode_rows('image_jpeg')),
       table('resize_truth', 'resize_truths', resize_rows()),
       table('process_truth', 'process_truths', process_rows()))
    (root / 'tests/unit/pillow_truth.h').write_text(text)


main()
