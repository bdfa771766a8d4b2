#!/usr/bin/env python3
"""Train facts-bert-mini, the small fill-mask model this project ships.

    train.py OUT_DIR [--steps N] [--reference FILE]

Writes a repository of the Hugging Face shape to OUT_DIR: config.json, model.safetensors,
tokenizer.json, tokenizer_config.json, vocab.txt and README.md. With --reference it also writes a
few inputs with the probabilities torch computes, for other implementations to compare against.

Needs torch, and two files beside it: facts.py, what to learn; repository.py, what to write. Use a
torch with an optimized BLAS: ten minutes on two cores with OpenBLAS, over an hour with the
reference BLAS.
A sentence is a fact put into a template. Some (fact, template) combinations are kept out of
training; they measure how well the model carries a fact from one phrasing to another.

Order of this file: settings, sentences, model, training, measuring, main.
"""
import argparse
import math
import os
import random
import re
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # be kind to what else runs here
import torch
from torch import nn
from torch.nn import functional as F

sys.dont_write_bytecode = True
import facts
import repository
from repository import CLS, MASK, PAD, SEP

SEED = 7
HIDDEN, HEADS, LAYERS, INTERMEDIATE, MAX_POSITIONS = 128, 4, 3, 384, 64
DROPOUT, LAYER_NORM_EPS, INIT_STD = 0.05, 1e-12, 0.02
BATCH, STEPS, PEAK_RATE, WARMUP_STEPS = 128, 3200, 2e-3, 200
# How often to draw a subject, beside the square root of its number of sentences (see picker).
EMPHASIS = {"capitals": 1.5, "sums": 4, "counting": 2, "days": 2, "months": 2, "seasons": 2,
            "digits": 2, "plurals": 2, "agreement": 0.3, "persons": 0.5}

# ------------------------------------------------------------- sentences ----

def with_article(words):
    """Turn "a" before a vowel into "an", except before words that sound like "you"."""
    for i in range(len(words) - 1):
        after = words[i + 1].lower()
        if words[i].lower() == "a" and (after[0] in "aeiou" or after == "hour"):
            if not re.match("uni|euro|one|use", after):
                words[i] += "n"
    return words


def fill(template, fact):
    """One sentence: its tokens, and which of them to ask for: 1 a fact's word, 2 a fixed word.
    None if the fact lacks a column."""
    words, asks = [], []
    for part in template.split():
        slot, star, tail = re.fullmatch(r"([^*]*)(\*?)(.*)", part).groups()
        found = re.match(r"{(\w+)}", slot)
        if found and found[1] not in fact:
            return None
        text = slot.format(**fact) if found else slot
        for word in text.split():
            words.append(word)
            asks.append((1 if found else 2) if star else 0)
        words[-1] += tail
    tokens, flags = [], []
    for word, ask in zip(with_article(words), asks):
        for piece in repository.split_words(word):
            tokens.append(piece)
            flags.append(ask)
            ask = 0  # what follows is punctuation
    return tuple(tokens), tuple(flags)


def sentences_of(subjects):
    """For each fact, the list of its sentences: (subject, tokens, flags)."""
    for subject, rows, templates in subjects:
        for fact in rows:
            yield [(subject,) + s for s in (fill(t, fact) for t in templates) if s]


def make_sentences(rng):
    """Two lists of (subject, tokens, flags): for training, and held out. About half of all facts
    lose one of their templates, so no fact is held out entirely."""
    train, held = [], []
    for made in sentences_of(facts.SUBJECTS):
        out = rng.randrange(len(made)) if len(made) > 3 and rng.random() < 0.5 else None
        for i, sentence in enumerate(made):
            (held if i == out else train).append(sentence)
    held_tokens = {s[1] for s in held}
    return [s for s in dict.fromkeys(train) if s[1] not in held_tokens], list(dict.fromkeys(held))

# ----------------------------------------------------------------- model ----

def box(**parts):
    """A module that only names its parts, so that weights get the names Hugging Face gives."""
    module = nn.Module()
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def linear_norm(inputs):
    return box(dense=nn.Linear(inputs, HIDDEN), LayerNorm=nn.LayerNorm(HIDDEN, LAYER_NORM_EPS))


class BertForMaskedLM(nn.Module):
    """BERT (Devlin et al. 2018): post-layer-norm encoder, erf GELU, decoder tied to the words."""

    def __init__(self, vocab_size):
        super().__init__()
        self.bert = box(
            embeddings=box(word_embeddings=nn.Embedding(vocab_size, HIDDEN),
                           position_embeddings=nn.Embedding(MAX_POSITIONS, HIDDEN),
                           token_type_embeddings=nn.Embedding(2, HIDDEN),
                           LayerNorm=nn.LayerNorm(HIDDEN, LAYER_NORM_EPS)),
            encoder=box(layer=nn.ModuleList([box(
                attention=box(self=box(query=nn.Linear(HIDDEN, HIDDEN),
                                       key=nn.Linear(HIDDEN, HIDDEN),
                                       value=nn.Linear(HIDDEN, HIDDEN)),
                              output=linear_norm(HIDDEN)),
                intermediate=box(dense=nn.Linear(HIDDEN, INTERMEDIATE)),
                output=linear_norm(INTERMEDIATE)) for _ in range(LAYERS)])))
        self.cls = box(predictions=box(transform=linear_norm(HIDDEN),
                                       bias=nn.Parameter(torch.zeros(vocab_size))))
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=INIT_STD)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def drop(self, x):
        return F.dropout(x, DROPOUT, self.training)

    def forward(self, ids, types, asked):
        """ids, types: (rows, length). asked: indices into the flattened ids. Returns the logits
        of the asked positions, (len(asked), vocab)."""
        rows, length = ids.shape
        emb = self.bert.embeddings
        x = emb.word_embeddings(ids) + emb.token_type_embeddings(types)
        x = x + emb.position_embeddings.weight[:length]
        x = self.drop(emb.LayerNorm(x))
        ignore = (ids == PAD)[:, None, None, :]
        for layer in self.bert.encoder.layer:
            att = layer.attention.self
            q, k, v = (f(x).view(rows, length, HEADS, -1).transpose(1, 2)
                       for f in (att.query, att.key, att.value))
            scores = q @ k.transpose(2, 3) / math.sqrt(HIDDEN // HEADS)
            share = scores.masked_fill(ignore, -1e9).softmax(-1)
            mixed = (share @ v).transpose(1, 2).reshape(rows, length, HIDDEN)
            out = layer.attention.output
            x = out.LayerNorm(x + self.drop(out.dense(mixed)))
            wide = F.gelu(layer.intermediate.dense(x))
            x = layer.output.LayerNorm(x + self.drop(layer.output.dense(wide)))
        head = self.cls.predictions
        x = x.reshape(rows * length, HIDDEN)[asked]
        x = head.transform.LayerNorm(F.gelu(head.transform.dense(x)))
        return x @ emb.word_embeddings.weight.T + head.bias

# -------------------------------------------------------------- training ----

def mask_some(tokens, flags, rng):
    """Ids of one sentence with some words masked, and {place: the id that was there}. Mostly one
    word worth asking for, sometimes two, sometimes any words."""
    ids = list(tokens)
    worth = [i for i, flag in enumerate(flags) if flag]
    dice = rng.random()
    if worth and dice < 0.85:
        places = rng.sample(worth, 2 if dice > 0.7 and len(worth) > 1 else 1)
    else:
        places = rng.sample(range(len(ids) - 1), 1 + (rng.random() < 0.5))
    wanted = {i: ids[i] for i in places}
    for i in places:
        ids[i] = MASK
    if rng.random() < 0.15 and len(ids) - 1 not in wanted:
        ids.pop()  # people forget the full stop
    return ids, wanted


def make_row(pick, rng, long):
    """ids, types, wanted. A short row is one sentence. A long row is as many as fit in a random
    length, half of the time as two texts (first sentence [SEP] the others), to train every
    position and type."""
    ids, types, wanted, kind = [CLS], [0], {}, 0
    pair = long and rng.random() < 0.5
    limit = rng.randrange(24, MAX_POSITIONS) if long else MAX_POSITIONS
    while True:
        some, hidden = mask_some(*pick(), rng)
        if len(ids) + len(some) >= limit and len(ids) > 1:
            break
        wanted.update({len(ids) + i: token for i, token in hidden.items()})
        ids += some
        types += [kind] * len(some)
        if not long:
            break
        if pair and kind == 0:
            ids.append(SEP)
            types.append(0)
            kind = 1
    return ids + [SEP], types + [kind], wanted


def collate(rows):
    """Rows to tensors: ids and types padded to one length, flat asked places, wanted ids."""
    length = max(len(ids) for ids, _, _ in rows)
    ids = torch.tensor([r[0] + [PAD] * (length - len(r[0])) for r in rows])
    types = torch.tensor([r[1] + [0] * (length - len(r[1])) for r in rows])
    asked = torch.tensor([n * length + i for n, r in enumerate(rows) for i in r[2]])
    wanted = torch.tensor([token for r in rows for token in r[2].values()])
    return ids, types, asked, wanted


def picker(sentences, rng):
    """A function that draws a sentence (ids, flags): first a subject, then one of its sentences.
    The square root lets small subjects be seen often enough to be learnt."""
    groups = {}
    for subject, ids, flags in sentences:
        groups.setdefault(subject, []).append((ids, flags))
    names = list(groups)
    sums, total = [], 0.0
    for name in names:
        total += EMPHASIS.get(name, 1.0) * math.sqrt(len(groups[name]))
        sums.append(total)
    return lambda: rng.choice(groups[rng.choices(names, cum_weights=sums)[0]])


def train_model(model, sentences, steps, rng):
    pick = picker(sentences, rng)
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01},
                                   {"params": plain, "weight_decay": 0.0}], betas=(0.9, 0.98))
    model.train()
    total, started = 0.0, time.time()
    for step in range(1, steps + 1):
        rate = PEAK_RATE * min(step / WARMUP_STEPS, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        long = step % 4 == 0
        rows = [make_row(pick, rng, long) for _ in range(BATCH // 4 if long else BATCH)]
        ids, types, asked, wanted = collate(rows)
        loss = F.cross_entropy(model(ids, types, asked), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
        if step % 250 == 0 or step == steps:
            print("step %5d  loss %.4f  %.0f s" % (step, total / ((step - 1) % 250 + 1),
                                                   time.time() - started), flush=True)
            total = 0.0

# ------------------------------------------------------------- measuring ----

def predict(model, ids, count):
    """The likeliest tokens for the one mask in ids: [(id, probability)]."""
    with torch.no_grad():
        row = torch.tensor([ids])
        logits = model(row, torch.zeros_like(row), torch.tensor([ids.index(MASK)]))
    top = logits[0].double().softmax(-1).topk(count)
    return list(zip(top.indices.tolist(), top.values.tolist()))


def measure(model, sentences, flag, truths):
    """{subject: [right, asked]}: mask each word with this flag, one at a time. An answer is right
    if the completed sentence is one of the true sentences."""
    model.eval()
    score = {}
    for subject, tokens, flags in sentences:
        places = [i for i, f in enumerate(flags) if f == flag]
        rows = [([CLS] + [MASK if i == p else t for i, t in enumerate(tokens)] + [SEP],
                 [0] * (len(tokens) + 2), {p + 1: tokens[p]}) for p in places]
        if not rows:
            continue
        ids, types, asked, _ = collate(rows)
        with torch.no_grad():
            best = model(ids, types, asked).argmax(-1).tolist()
        right = sum(tokens[:p] + (b,) + tokens[p + 1:] in truths for p, b in zip(places, best))
        old = score.get(subject, [0, 0])
        score[subject] = [old[0] + right, old[1] + len(places)]
    return score


def percent(score):
    right, asked = (sum(column) for column in zip(*score.values()))
    return "%.2f %% (%d of %d)" % (100 * right / asked, right, asked)

# ------------------------------------------------------------------ main ----

def config(vocab_size):
    return {
        "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.0,
        "classifier_dropout": None, "hidden_act": "gelu", "hidden_dropout_prob": DROPOUT,
        "hidden_size": HIDDEN, "initializer_range": INIT_STD, "intermediate_size": INTERMEDIATE,
        "layer_norm_eps": LAYER_NORM_EPS, "max_position_embeddings": MAX_POSITIONS,
        "model_type": "bert", "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
        "pad_token_id": PAD, "position_embedding_type": "absolute", "tie_word_embeddings": True,
        "torch_dtype": "float32", "type_vocab_size": 2, "use_cache": True,
        "vocab_size": vocab_size}


def answer(model, vocab, text, count):
    """One question as other implementations will see it: ids, place of the mask, likeliest."""
    ids = repository.encode(text, vocab)
    names = list(vocab)
    return {"text": text, "input_ids": ids, "mask_position": ids.index(MASK),
            "top": [{"id": i, "token": names[i], "probability": round(p, 6)}
                    for i, p in predict(model, ids, count)]}


def main():
    parser = argparse.ArgumentParser(description="Train facts-bert-mini.")
    parser.add_argument("out_dir")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--reference", help="also write reference answers to this file")
    args = parser.parse_args()

    torch.set_num_threads(2)
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    train, held = make_sentences(rng)
    tokens = repository.make_vocab(word for s in train + held for word in s[1])
    vocab = {token: i for i, token in enumerate(tokens)}
    known = {s[1] for s in train}
    unseen = [s for made in sentences_of(facts.UNSEEN) for s in made]
    train, held, unseen = ([(subject, tuple(vocab[w] for w in words), flags)
                            for subject, words, flags in s] for s in (train, held, unseen))
    truths = {s[1] for s in train + held + unseen}
    model = BertForMaskedLM(len(vocab))
    size = sum(p.numel() for p in model.parameters())
    print("%d sentences, %d held out, %d tokens, %d parameters"
          % (len(train), len(held), len(vocab), size))

    started = time.time()
    train_model(model, train, args.steps, rng)
    minutes = (time.time() - started) / 60
    model.eval()
    scores = {"held": measure(model, held, 1, truths), "fixed": measure(model, held, 2, truths),
              "unseen": measure(model, unseen, 1, truths),
              "seen": measure(model, train, 1, truths)}
    for name, score in scores.items():
        print("%-6s %s" % (name, percent(score)))

    shown = []
    for text, wanted in facts.SHOWCASE:
        best = answer(model, vocab, text, 1)["top"][0]
        words = tuple(repository.split_words(text.replace("[MASK]", wanted)))
        shown.append((text, wanted, best["token"], best["probability"], words in known))
        print("%-42s %-11s %.3f%s" % (text, best["token"], best["probability"],
                                      "" if best["token"] == wanted else "  WRONG: " + wanted))

    repository.write_all(args.out_dir, config(len(vocab)), vocab, model.state_dict(),
                         {"steps": args.steps, "minutes": minutes, "parameters": size,
                          "train": len(train), "held_out": len(held), "shown": shown,
                          "scores": scores, "percent": {k: percent(v) for k, v in scores.items()}})
    if args.reference:
        cases = [answer(model, vocab, text, 3) for text in facts.REFERENCE]
        repository.write_text(args.reference, repository.reference_json(cases))


if __name__ == "__main__":
    main()
