#!/usr/bin/env python3
"""Train tales-char-lstm, the small model this project ships that writes text letter by letter.

    train_tales.py OUT_DIR [--steps N]

Writes a repository of the Hugging Face shape to OUT_DIR: config.json (as plugins/lstm/README.md defines
it), generation_config.json, model.safetensors, tokenizer.json, tokenizer_config.json and README.md.

Needs torch. The tales it learns from are made here, out of the lists below; the seed is fixed. The
tokenizer is byte-level BPE without merges: 256 bytes and the end of a tale."""
import argparse, json, os, random, sys, time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # be kind to what else runs here
import torch
from torch import nn
from torch.nn import functional as F

sys.dont_write_bytecode = True
import repository

NAME, SEED = "tales-char-lstm", 11
EMBED, HIDDEN, LAYERS, VOCAB, END = 24, 96, 2, 257, 256
BATCH, SPAN, STEPS, PEAK_RATE, WARMUP_STEPS = 32, 96, 1600, 6e-3, 50

# ----------------------------------------------------------------- tales ----

WHO = [("fox", "she"), ("bear", "he"), ("owl", "she"), ("mouse", "he"), ("hare", "she"), ("goat", "he"),
       ("duck", "she"), ("frog", "he"), ("cat", "she"), ("dog", "he"), ("king", "he"), ("queen", "she")]
KIND = ["little", "old", "clever", "lazy", "brave", "shy", "hungry", "merry"]
HOME = ["in a dark forest", "on a high hill", "by the river", "in a small house", "near the sea", "under a tall tree"]
LIKES = ["to sing", "to dance", "to sleep", "to eat honey", "to count the stars", "to swim", "to tell stories"]
WHEN = ["One morning", "One day", "One evening", "In the winter", "In the summer"]
FOUND = ["a golden key", "a red apple", "a silver bell", "a map", "a broken boat", "a warm coat", "a magic drum"]
FEELING = ["very happy", "quite surprised", "a little afraid", "very proud"]
ENDING = ["They lived happily ever after.", "From that day on they were good friends.",
          "And that is the end of the tale.", "They never quarrelled again."]


def tale(rng):
    (who, she), (other, it) = rng.sample(WHO, 2)
    kind, found = rng.choice(KIND), rng.choice(FOUND)
    article = "an" if (kind[0] in "aeio") else "a"
    meets = "an" if other[0] == "o" else "a"
    return (f"Once upon a time there was {article} {kind} {who} who lived {rng.choice(HOME)}. "
            f"{she.capitalize()} liked {rng.choice(LIKES)}. "
            f"{rng.choice(WHEN)} the {who} met {meets} {other} and showed {'him' if it == 'he' else 'her'} {found}. "
            f"The {other} was {rng.choice(FEELING)}. \"{rng.choice(['Is it yours?', 'May I have it?', 'Where was it?'])}\" "
            f"said the {other}. \"{rng.choice(['We can share it', 'I found it in the grass', 'Take it with you'])}\", "
            f"said the {who}. {rng.choice(ENDING)}\n")


def make_stream(rng, n):
    ids = [END]
    for _ in range(n):
        ids += list(tale(rng).encode()) + [END]
    return torch.tensor(ids)

# ----------------------------------------------------------------- model ----

class Characters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, EMBED)
        self.lstm = nn.LSTM(EMBED, HIDDEN, LAYERS, batch_first=True)
        self.head = nn.Linear(HIDDEN, VOCAB)

    def forward(self, ids, state=None):
        y, state = self.lstm(self.embed(ids), state)
        return self.head(y), state


def train(model, stream, steps):
    """Each row of the batch goes through a part of the stream, its state through the steps."""
    rows = stream[:len(stream) // BATCH * BATCH].view(BATCH, -1)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    state, at, total, started = None, 0, 0.0, time.time()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(step / WARMUP_STEPS, 1 - 0.97 * step / steps)
        if at + SPAN + 1 > rows.shape[1]:
            state, at = None, 0
        logits, state = model(rows[:, at:at + SPAN], state)
        state = tuple(s.detach() for s in state)
        loss = F.cross_entropy(logits.flatten(0, 1), rows[:, at + 1:at + SPAN + 1].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        at += SPAN
        total += loss.item()
        if step % 100 == 0:
            print("step %5d  loss %.4f  %.0f s" % (step, total / 100, time.time() - started), flush=True)
            total = 0.0


def continue_text(model, text, limit=400):
    """What greedy decoding adds."""
    ids, state, out = torch.tensor([list(text.encode())]), None, []
    with torch.no_grad():
        while len(out) < limit:
            logits, state = model(ids, state)
            best = int(logits[0, -1].argmax())
            if best == END:
                break
            out.append(best)
            ids = torch.tensor([[best]])
    return bytes(out).decode(errors="replace")

# ----------------------------------------------------------------- files ----

def byte_letters():
    """The letter that stands for each byte in byte-level BPE, in the order of their ids here: printable
    bytes stand for themselves, the others for letters from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) if b in plain else chr(256 + sum(o not in plain for o in range(b))) for b in range(256)]


def tokenizer():
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": END, "content": "<|endoftext|>", "single_word": False, "lstrip": False,
                              "rstrip": False, "normalized": False, "special": True}],
            "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                      "vocab": {**{letter: i for i, letter in enumerate(byte_letters())}, "<|endoftext|>": END},
                      "merges": []}}


def card(model, steps, minutes, loss, samples):
    size = sum(p.numel() for p in model.parameters())
    shown = "\n".join(f"    {start}{more}".rstrip() for start, more in samples)
    return f"""---
license: apache-2.0
language:
- en
pipeline_tag: text-generation
tags:
- lstm
widget:
- text: Once upon a time
---

# {NAME}

A very small LSTM that writes tales letter by letter. It is the smallest thing that generates text: it knows
one kind of tale and no other. Bytes are its tokens; token {END} ends a tale.

{LAYERS} layers of {HIDDEN} units, {size:,} parameters in float32. `config.json` is described in
`plugins/lstm/README.md`.

## Data

Tales put together at random from a dozen short lists in `examples/demo/train_tales.py`, written for this
model and under the same licence.

## Training

    examples/demo/train_tales.py OUT_DIR

{steps:,} steps of AdamW, each on {BATCH} pieces of {SPAN} letters: {minutes:.0f} minutes. The seed is fixed.
Loss at the end: {loss:.3f} nats for each letter. Continued by the likeliest letter:

{shown}
"""


def write(folder, model, steps, minutes, loss):
    config = {"architectures": ["LSTM"], "model_type": "lstm", "input_size": EMBED, "hidden_size": HIDDEN,
              "num_layers": LAYERS, "bias": True, "batch_first": True, "bidirectional": False, "proj_size": 0,
              "vocab_size": VOCAB, "input": "embedding", "eos_token_id": END, "torch_dtype": "float32"}
    samples = [(start, continue_text(model, start)) for start in ("Once upon a time", "One evening the cat")]
    files = {"config.json": config, "tokenizer.json": tokenizer(),
             "generation_config.json": {"eos_token_id": END, "max_new_tokens": 400},
             "tokenizer_config.json": {"eos_token": "<|endoftext|>", "model_max_length": 1000000,
                                       "clean_up_tokenization_spaces": False}}
    os.makedirs(folder, exist_ok=True)
    for name, value in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    with open(os.path.join(folder, "README.md"), "w") as f:
        f.write(card(model, steps, minutes, loss, samples))
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(repository.safetensors(model.state_dict()))
    for start, more in samples:
        print(start + "|" + more)


def main():
    parser = argparse.ArgumentParser(description=f"Train {NAME}.")
    parser.add_argument("out_dir")
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(SEED)
    stream = make_stream(random.Random(SEED), 8000)
    model = Characters()
    started = time.time()
    train(model, stream, args.steps)
    model.eval()
    with torch.no_grad():
        last = make_stream(random.Random(SEED + 1), 40)  # tales that were not seen
        loss = F.cross_entropy(model(last[None, :-1])[0][0], last[1:]).item()
    write(args.out_dir, model, args.steps, (time.time() - started) / 60, loss)


if __name__ == "__main__":
    main()
