#!/usr/bin/env python3
"""make_lstm_cases.py - small recurrent models and what torch makes of them, for test_lstm_cases.c.

    /usr/bin/python3 tests/plugins/make_lstm_cases.py

Writes lstm_cases.json (case -> the text of its config.json) and lstm_cases.safetensors beside itself, with
the tensors <case>/weight.<name>, <case>/in.<input> and <case>/out.<output>. Needs torch; the seed is fixed."""
import json, os, struct
import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = os.path.dirname(os.path.abspath(__file__))
HALF = {"F16": torch.float16, "BF16": torch.bfloat16}
ORDER = ["I64", "F32", "F16", "BF16"]
tensors, configs = {}, {}


def raw(tensor, dtype=None):
    """(safetensors dtype, shape, bytes)"""
    shape = list(tensor.shape)
    if dtype in HALF:
        return dtype, shape, tensor.to(HALF[dtype]).view(torch.int16).numpy().tobytes()
    if tensor.dtype == torch.int64:
        return "I64", shape, tensor.numpy().tobytes()
    return "F32", shape, tensor.to(torch.float32).contiguous().numpy().tobytes()


def case(name, kind="lstm", prefix=None, dtype=None, batch=3, steps=7, state=False, lengths=None, vocab=0,
         labels=0, one_hot=False, batch_first=True, say_batch_first=True, head=0, **options):
    options = {"input_size": 6, "hidden_size": 9, "num_layers": 1, **options}
    torch.manual_seed(sum(name.encode()))
    make = torch.nn.LSTM if kind == "lstm" else torch.nn.GRU
    layers = make(batch_first=batch_first, **options).eval()
    width = (options.get("proj_size") or options["hidden_size"]) * (2 if options.get("bidirectional") else 1)
    embed = torch.nn.Embedding(vocab, options["input_size"]) if vocab and not one_hot else None
    linear = torch.nn.Linear(width, head, bias=head % 2 == 0) if head else None
    weights = {}
    for start, module in ((kind + "." if prefix is None else prefix, layers), ("embed.", embed), ("head.", linear)):
        if module is None:
            continue
        for key, value in module.state_dict().items():
            value.copy_(value * 3 if module is layers else value)  # gates beyond their middles
            if dtype in HALF:
                value.copy_(value.to(HALF[dtype]).float())
            weights[start + key] = value
    shape = (batch, steps) if batch_first else (steps, batch)
    inputs, given = {}, None
    if vocab:
        ids = torch.randint(0, vocab, shape)
        inputs["input_ids"] = ids
        x = torch.nn.functional.one_hot(ids, vocab).float() if one_hot else embed(ids)
    else:
        x = inputs["input"] = torch.randn(*shape, options["input_size"])
    if state:
        n = options["num_layers"] * (2 if options.get("bidirectional") else 1)
        inputs["h0"] = torch.randn(n, batch, options.get("proj_size") or options["hidden_size"])
        given = inputs["h0"]
        if kind == "lstm":
            inputs["c0"] = torch.randn(n, batch, options["hidden_size"])
            given = (inputs["h0"], inputs["c0"])
    with torch.no_grad():
        if lengths:
            mask = torch.zeros(batch, steps, dtype=torch.int64)
            for row, length in zip(mask, lengths):
                row[:length] = 1
            inputs["attention_mask"] = mask if batch_first else mask.T.contiguous()
            packed = pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
            y, last = layers(packed, given)
            y = pad_packed_sequence(y, batch_first=batch_first, total_length=steps)[0]
        else:
            y, last = layers(x, given)
        out = {"output": y, "h_n": last[0] if kind == "lstm" else last}
        if kind == "lstm":
            out["c_n"] = last[1]
        if linear is not None:
            out["logits"] = linear(y)
            if lengths:
                out["logits"] *= inputs["attention_mask"].unsqueeze(-1)  # ours are zeros there
    config = {"model_type": kind, **options}
    if vocab and not one_hot:
        config["vocab_size"] = vocab
    if one_hot:
        config["input"] = "one-hot"
    if head and head != vocab:
        config["num_labels"] = head
    if say_batch_first:
        config["batch_first"] = batch_first
    configs[name] = json.dumps(config)
    for key, value in weights.items():
        tensors[f"{name}/weight.{key}"] = raw(value, dtype)
    for key, value in inputs.items():
        tensors[f"{name}/in.{key}"] = raw(value)
    for key, value in out.items():
        tensors[f"{name}/out.{key}"] = raw(value)


def write(path):
    ordered = dict(sorted(tensors.items(), key=lambda item: ORDER.index(item[1][0])))  # wide ones first: aligned
    head, offset = {"__metadata__": {"torch": torch.__version__}}, 0
    for name, (dtype, shape, data) in ordered.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in ordered.values()))


case("lstm")
case("lstm_state", state=True, num_layers=2)
case("lstm_time_first", batch_first=False, state=True, num_layers=2)
case("lstm_no_bias", bias=False, num_layers=2)
case("lstm_bidirectional", bidirectional=True, num_layers=2, state=True)
case("lstm_projection", proj_size=4, num_layers=3, state=True)
case("lstm_projection_bidirectional", proj_size=3, num_layers=2, bidirectional=True, state=True)
case("lstm_packed", lengths=[7, 3, 5], num_layers=2, state=True)
case("lstm_packed_bidirectional", lengths=[2, 7, 4], num_layers=2, bidirectional=True)
case("lstm_packed_time_first", lengths=[2, 7, 4], batch_first=False, proj_size=5)
case("lstm_deep", num_layers=6)
case("lstm_f16", dtype="F16", num_layers=2, prefix="rnn.")
case("lstm_bf16", dtype="BF16", num_layers=2, prefix="")
case("lstm_whole_panels", hidden_size=16, input_size=16, batch=8, steps=3)
case("lstm_one_unit", hidden_size=1, input_size=1, batch=1, steps=9)
case("lstm_embedding", vocab=11, head=11, num_layers=2, say_batch_first=False)
case("lstm_one_hot", vocab=6, one_hot=True, head=6)
case("lstm_labels", vocab=11, head=4, bidirectional=True, lengths=[7, 1, 3])
case("gru", kind="gru")
case("gru_state", kind="gru", num_layers=2, state=True)
case("gru_time_first", kind="gru", batch_first=False, prefix="rnn.")
case("gru_bidirectional", kind="gru", bidirectional=True, num_layers=2, state=True)
case("gru_no_bias", kind="gru", bias=False, num_layers=3)
case("gru_packed", kind="gru", lengths=[4, 7, 1], bidirectional=True, num_layers=2)
case("gru_f16", kind="gru", dtype="F16", prefix="")
case("gru_bf16", kind="gru", dtype="BF16", vocab=11, head=12)
case("gru_whole_panels", kind="gru", hidden_size=32, input_size=5, batch=7, steps=3)
with open(os.path.join(HERE, "lstm_cases.json"), "w") as f:
    f.write(json.dumps(configs, indent=1) + "\n")
write(os.path.join(HERE, "lstm_cases.safetensors"))
