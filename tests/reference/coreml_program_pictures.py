"""coreml_program_pictures.py - operations that look at pictures in other places than their own: resample, affine, crop_resize,
nearest resizing; with numpy, for coreml_program.py and coreml_layers_numpy.py."""
import numpy as np

PAD = 60
PADDED = {"constant": "constant", "border": "edge", "reflection": "reflect", "symmetric": "symmetric"}


def looked_at(image, rows, columns, nearest=False):
    """image [c, h, w] at rows and columns [..], all inside it: [c, ..]."""
    if nearest:
        return image[:, np.rint(rows).astype(int), np.rint(columns).astype(int)]
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    bottom, right = np.minimum(top + 1, image.shape[1] - 1), np.minimum(left + 1, image.shape[2] - 1)
    v, h = rows - top, columns - left
    upper = image[:, top, left] * (1 - h) + image[:, top, right] * h
    return upper * (1 - v) + (image[:, bottom, left] * (1 - h) + image[:, bottom, right] * h) * v


def as_number(at, mode, corners, n):
    if mode == "unnormalized":
        return at
    share = (at + 1) / 2 if mode == "normalized_minus_one_to_one" else at
    return share * (n - 1) if corners else share * n - 0.5


def resample(i, _):
    x, xy, corners, made = i["x"], i["coordinates"], bool(i["align_corners"]), []
    extra = {"constant_values": float(i["padding_value"])} if i["padding_mode"] == "constant" else {}
    for image, points in zip(x, xy):
        wide = np.pad(image, ((0, 0), (PAD, PAD), (PAD, PAD)), PADDED[i["padding_mode"]], **extra)
        rows = as_number(points[..., 1], i["coordinates_mode"], corners, x.shape[2])
        columns = as_number(points[..., 0], i["coordinates_mode"], corners, x.shape[3])
        made.append(looked_at(wide, rows + PAD, columns + PAD, i["sampling_mode"] == "nearest"))
    return np.stack(made)


def unit(n, corners):
    return np.linspace(-1, 1, n) if corners else (np.arange(n) + 0.5) * 2 / n - 1


def affine(i, _):
    corners, matrices = bool(i["align_corners"]), i["transform_matrix"]
    y, x = np.meshgrid(unit(int(i["output_height"]), corners), unit(int(i["output_width"]), corners), indexing="ij")
    xy = [np.stack([m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]], -1) for m in matrices]
    return resample({**i, "coordinates": np.stack(xy * (len(i["x"]) // len(matrices)))}, 0)


def grid(first, last, n, mode):
    """The n points of the format's documentation between two numbers, for an interval of its own."""
    if mode == "STRICT_ALIGN_CORNERS" or (mode == "ALIGN_CORNERS" and n > 1):
        return np.linspace(first, last, n)
    if mode == "ALIGN_CORNERS":
        return np.array([(first + last) / 2])
    size = last - first + 1
    if mode == "DEFAULT":
        points = first + np.arange(n) * size / n
    elif mode == "OFFSET_CORNERS":
        points = first + (np.arange(n) + 0.5) * max(1, size - 1) / n
    else:
        points = first + (np.arange(n) + 0.5) * size / n - 0.5
    return np.clip(points, first, last)


def cropped(image, box, i):
    """[c, h, w] of one box in the order of its mode."""
    form, scale = i.get("box_coordinate_mode", "CORNERS_HEIGHT_FIRST"), i.get("spatial_scale", 1)
    if form.endswith("WIDTH_FIRST"):
        box = box[[1, 0, 3, 2]]
    if form.startswith("CENTER"):
        box = np.concatenate([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])
    height, width = image.shape[1:]
    if i.get("normalized_coordinates", False):
        box = box * np.array([height - 1, width - 1] * 2)
    box, mode = box * scale, i.get("sampling_mode", "DEFAULT")
    rows, columns = np.meshgrid(grid(box[0], box[2], int(i.get("target_height", 1)), mode),
                                grid(box[1], box[3], int(i.get("target_width", 1)), mode), indexing="ij")
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    y = looked_at(image, np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))
    return np.where(inside, y, i.get("pad_value", 0))


def crop_resize(i, _):
    x = i["x"]
    if "boxes" in i:
        images = i.get("box_indices", np.arange(len(i["boxes"])))
        return np.stack([cropped(x[int(k)], box, i) for k, box in zip(images, i["boxes"])])
    boxes = i["roi"].reshape(len(i["roi"]), -1)
    return np.stack([np.stack([cropped(image, box[-4:], i) for image in (x if len(box) == 4 else x[[int(box[0])]])])
                     for box in boxes])


PICTURES = {"resample": resample, "affine": affine, "crop_resize": crop_resize}
