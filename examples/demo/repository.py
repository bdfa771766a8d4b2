"""The files of a Hugging Face shaped repository for a BERT fill-mask model.

Vocabulary and tokenizer (WordPiece, uncased), weights (safetensors), configuration and model card.
Nothing here needs torch: weights arrive as anything with .numpy().
"""
import json
import os
import re
import struct
import unicodedata

NAME = "facts-bert-mini"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)

# ---------------------------------------------------------------- tokens ----

def split_words(text):
    """BERT's normalization and pre-tokenization, as far as European text needs them: strip
    accents, lower the case, split at spaces, make every punctuation mark a word."""
    words = []
    for i, part in enumerate(text.split("[MASK]")):
        words += ["[MASK]"] if i else []
        part = unicodedata.normalize("NFD", part)
        part = "".join(c for c in part if unicodedata.category(c) != "Mn").lower()
        words += re.findall(r"[^\W_]+|[^\w\s]|_", part)
    return words


def make_vocab(words):
    """Special tokens, then single characters so that any English word can be spelt, then words."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    chars = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~0123456789" + letters)
    pieces = ["##" + c for c in "0123456789" + letters]
    return SPECIAL + chars + pieces + sorted(set(words) - set(chars))


def encode(text, vocab):
    """Text to ids with [CLS] and [SEP]; WordPiece takes the longest known piece each time."""
    ids = [CLS]
    for word in split_words(text):
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in vocab:
                    break
            else:
                pieces = [UNK]
                break
            pieces.append(vocab[piece])
            start = end
        ids += pieces
    return ids + [SEP]

# ----------------------------------------------------------------- files ----

def safetensors(weights):
    """The safetensors format: length of the header, header, tensors one after another."""
    header, body, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(weights):
        data = weights[name].detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(weights[name].shape),
                        "data_offsets": [offset, offset + len(data)]}
        body.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(body)


def tokenizer_json(vocab):
    def special(i):
        return {"SpecialToken": {"id": SPECIAL[i], "type_id": 0}}

    def text(name, kind):
        return {"Sequence": {"id": name, "type_id": kind}}

    last = {"SpecialToken": {"id": "[SEP]", "type_id": 1}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": token, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}
                         for i, token in enumerate(SPECIAL)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special(CLS), text("A", 0), special(SEP)],
            "pair": [special(CLS), text("A", 0), special(SEP), text("B", 1), last],
            "special_tokens": {SPECIAL[i]: {"id": SPECIAL[i], "ids": [i], "tokens": [SPECIAL[i]]}
                               for i in (CLS, SEP)}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}}


def tokenizer_config_json(max_length):
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return dict({"do_lower_case": True, "model_max_length": max_length,
                 "tokenizer_class": "BertTokenizer", "strip_accents": None,
                 "tokenize_chinese_chars": True}, **dict(zip(names, SPECIAL)))

# ------------------------------------------------------------ model card ----

CARD = """---
license: apache-2.0
language:
- en
pipeline_tag: fill-mask
tags:
- bert
- fill-mask
mask_token: "[MASK]"
widget:
- text: Paris is the [MASK] of France.
- text: The opposite of hot is [MASK].
- text: A spider has [MASK] legs.
---

# {name}

A very small BERT that fills in one word of a simple English sentence: capitals, opposites, animal
sounds, colours, days of the week, little sums. `make demo` asks it: small enough to ship
with the source, and its answers can be judged at a glance. It is not a general language model.

`BertForMaskedLM`, {parameters:,} parameters in float32: {layers} layers, hidden size {hidden},
{heads} heads, {vocab} WordPiece tokens, at most {positions} tokens per input.

## Data

Written for this model, in `examples/demo/facts.py`: tables of facts, and for every kind of fact a
few templates that say it ("[capital] is the capital of [country]."). Every fact in every template
gives {total:,} sentences. {held_out} of them, each a fact in one of its phrasings, were kept out of
training; the same facts were seen in other phrasings. The data is under the same licence.

## Training

    examples/demo/train.py OUT_DIR

{steps:,} steps of AdamW, each on 128 sentences (every fourth step: on 32 runs of several
sentences), one or two words masked in each: {minutes:.0f} minutes on two CPU cores with OpenBLAS.
The seed is fixed; the same machine, torch and BLAS give the same weights.

## Accuracy

One word masked at a time, best answer only. An answer is right if it completes one of the true
sentences of the data.

| words masked | right |
|---|---|
| words of the fact, held-out sentences | {held} |
| words of the template, held-out sentences | {fixed} |
| words of the fact, phrasings kept out of training altogether | {unseen} |
| words of the fact, training sentences | {seen} |

Words of the fact, by subject:

| subject | held out | never trained phrasing | in training |
|---|---|---|---|
{subjects}

Held-out sentences say how well a known fact is recalled in a phrasing that was trained with other
facts; the third row, how well in a phrasing that was never trained. Nothing here is about unknown
facts: the model cannot know a country that is not in its table, and it recalls sums rather than
computing them. Some settings (steps, learning rate, how often each subject is drawn) were chosen
with the held-out numbers in view, so those are a little optimistic; the third row was
measured afterwards.

## Examples

| sentence | answer | probability | sentence in training |
|---|---|---|---|
{examples}

## Limits

- It knows the words, facts and phrasings in `facts.py`, and little else. Other words are spelt
  with single letters, which carry no meaning for it. It always answers something.
- The tables simplify: one language and one currency for a country, one colour for a thing.
  Countries and capitals with names of several words are left out.
- One mask in a sentence works best. Several sentences in one input work less well than one.
- Borders, currencies and names change; do not use it as a source.
"""


def card(config, about):
    seen, held, unseen = (about["scores"][name] for name in ("seen", "held", "unseen"))

    def cell(score):
        return "%d of %d" % tuple(score) if score else "-"

    subjects = "\n".join(
        "| %s | %s |" % (name, " | ".join(cell(score.get(name)) for score in (held, unseen, seen)))
        for name in seen)
    examples = "\n".join(
        "| %s | %s | %.2f | %s |" % (text, best if best == wanted else
                                     "%s (should be %s)" % (best, wanted), p, "yes" if s else "no")
        for text, wanted, best, p, s in about["shown"])
    return CARD.format(
        name=NAME, parameters=about["parameters"], layers=config["num_hidden_layers"],
        hidden=config["hidden_size"], heads=config["num_attention_heads"],
        vocab=config["vocab_size"], positions=config["max_position_embeddings"],
        total=about["train"] + about["held_out"], held_out=about["held_out"],
        steps=about["steps"], minutes=about["minutes"], subjects=subjects, examples=examples,
        **about["percent"])

# ----------------------------------------------------------- all of them ----

def write_text(path, text):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def write_json(path, value):
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def reference_json(cases):
    """One case per block, one line per list: easier to read than what json.dumps gives."""
    blocks = []
    for case in cases:
        lines = ['      %s: %s' % (json.dumps(k), json.dumps(v, ensure_ascii=False))
                 for k, v in case.items()]
        blocks.append("    {\n" + ",\n".join(lines) + "\n    }")
    return '{\n  "model": "modelhost/%s",\n  "cases": [\n%s\n  ]\n}\n' % (NAME, ",\n".join(blocks))


def write_all(folder, config, vocab, weights, about):
    """vocab: {token: id} in order of ids. weights: {name: tensor}. about: what was measured."""
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "config.json"), config)
    write_json(os.path.join(folder, "tokenizer.json"), tokenizer_json(vocab))
    write_json(os.path.join(folder, "tokenizer_config.json"),
               tokenizer_config_json(config["max_position_embeddings"]))
    write_text(os.path.join(folder, "vocab.txt"), "".join(t + "\n" for t in vocab))
    write_text(os.path.join(folder, "README.md"), card(config, about))
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(safetensors(weights))
