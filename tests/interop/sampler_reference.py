#!/usr/bin/python3
"""Compares host/generation/sampler.c with the definitions of its filters and penalties, written here once
more with numpy: transformers' RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper,
TopPLogitsWarper and MinPLogitsWarper in the order of generate(), presence and frequency penalties as the
OpenAI API defines them, and the draw by xoshiro256** and splitmix64 as their authors give them.

    BUILD=build tests/interop/sampler_reference.py

Hundreds of random cases of several steps each: the candidates that are left must be the same, their
probabilities within 1e-9, and the token that a seed draws the same."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

root = Path(__file__).resolve().parents[2]
program = root / os.environ.get('BUILD', 'build') / 'tests/sampler_steps'
MASK = (1 << 64) - 1
N_CASES = 600


class Random:
    def __init__(self, seed, sequence):
        _, z = self.splitmix(sequence)
        state = seed ^ z
        self.s = []
        for _ in range(4):
            state, z = self.splitmix(state)
            self.s.append(z)

    @staticmethod
    def splitmix(state):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
        return state, z ^ (z >> 31)

    def uniform(self):
        def rotate(x, k):
            return (x << k | x >> (64 - k)) & MASK
        s = self.s
        result = rotate(s[1] * 5 & MASK, 7) * 9 & MASK
        t = s[1] << 17 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return (result >> 11) / (1 << 53)


def softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def penalise(logits, case, prompt, new):
    scores = logits.astype(np.float64)
    seen = np.unique(np.array(prompt + new, np.int64))
    r = case['repetition_penalty']
    scores[seen] = np.where(scores[seen] < 0, scores[seen] * r, scores[seen] / r)
    for token in set(new):
        scores[token] -= case['presence_penalty'] + case['frequency_penalty'] * new.count(token)
    return scores.astype(np.float32).astype(np.float64)


def kept(scores, case):
    """Probabilities, zero where a filter took the token; and whether one was taken or left by a hair."""
    scores = scores / case['temperature']
    close = False
    k = min(case['top_k'] or len(scores), len(scores))
    scores = np.where(scores < np.sort(scores)[-k], -np.inf, scores)
    if case['top_p'] < 1:
        order = np.argsort(scores, kind='stable')
        sums = np.cumsum(softmax(scores)[order])
        remove = sums <= 1 - case['top_p']
        close |= bool(np.any(np.abs(sums - (1 - case['top_p'])) < 1e-9))
        remove[-1] = False
        scores[order[remove]] = -np.inf
    if case['min_p'] > 0:
        p = softmax(scores)
        close |= bool(np.any(np.abs(p - case['min_p'] * p.max()) < 1e-12))
        scores = np.where(p < case['min_p'] * p.max(), -np.inf, scores)
    return softmax(scores), close


def random_case(rng):
    def some(value, none, share=0.5):
        return value if rng.random() < share else none
    vocab = int(rng.choice([1, 2, 7, 53, 300, 2000]))
    case = {
        'do_sample': int(rng.random() < 0.9),
        'temperature': some(float(rng.choice([0.1, 0.7, 1.3, 3, 20])), 1.0),
        'top_k': some(int(rng.integers(1, vocab + 20)), 0),
        'top_p': some(float(rng.random()), 1.0),
        'min_p': some(float(rng.random() ** 3), 0.0),
        'repetition_penalty': some(float(rng.choice([0.5, 1.1, 2])), 1.0),
        'presence_penalty': some(float(rng.normal()), 0.0),
        'frequency_penalty': some(float(rng.normal() / 3), 0.0),
        'seed': int(rng.integers(0, 1 << 62)), 'sequence': int(rng.integers(0, 1 << 40)),
        'vocab': vocab,
    }
    prompt = [int(i) for i in rng.integers(0, vocab, rng.integers(0, 20))]
    steps = rng.normal(0, rng.choice([0.5, 3, 10]), (6, vocab)).astype(np.float32)
    return case, prompt, steps


def check(case, prompt, steps, lines):
    """What is wrong with the lines of a case, or None; and the steps that rounding decides."""
    random, new, n_close = Random(case['seed'], case['sequence']), [], 0
    for step, (logits, line) in enumerate(zip(steps, lines)):
        found = line.split()
        token, ids = int(found[0]), np.array(found[2::2], np.int64)
        weights = np.array(found[3::2], np.float64)
        scores = penalise(logits, case, prompt, new)
        if not case['do_sample']:
            if token != int(np.argmax(scores)):
                return f'step {step}: greedy took {token}, want {int(np.argmax(scores))}', n_close
            new.append(token)
            continue
        want, close = kept(scores, case)
        at = random.uniform()
        n_close += close
        if not close:
            if not np.array_equal(ids, np.flatnonzero(want)) and not np.array_equal(
                    ids[weights > 0], np.flatnonzero(want)):
                return f'step {step}: {len(ids)} candidates, want {np.count_nonzero(want)}', n_close
            off = np.abs(weights / weights.sum() - want[ids]).max()
            if off > 1e-9:
                return f'step {step}: a probability is off by {off}', n_close
            drawn = np.cumsum(want)
            if np.abs(drawn - at).min() > 1e-9 and token != int(np.searchsorted(drawn, at, 'right')):
                return f'step {step}: drew {token} at {at}', n_close
        new.append(token)
    return None, n_close


def main():
    rng = np.random.default_rng(20240521)
    cases = [random_case(rng) for _ in range(N_CASES)]
    text = []
    for case, prompt, steps in cases:
        text.append(' '.join(map(repr, [*case.values(), len(prompt), len(steps), *prompt])))
        text += [' '.join('%.9g' % x for x in row) for row in steps]
    run = subprocess.run([program], input='\n'.join(text), capture_output=True, text=True, check=False)
    lines, n_failed, n_close, at = run.stdout.splitlines(), 0, 0, 0
    if run.returncode != 0 or len(lines) != sum(len(c[2]) for c in cases):
        print(f'FAIL - {program} ended with {run.returncode} after {len(lines)} steps')
        print('0 passed, 1 failed')
        return 1
    for i, (case, prompt, steps) in enumerate(cases):
        wrong, close = check(case, prompt, steps, lines[at:at + len(steps)])
        at += len(steps)
        n_close += close
        if wrong is not None:
            n_failed += 1
            print(f'FAIL - case {i} {case}: {wrong}')
    again = subprocess.run([program], input='\n'.join(text), capture_output=True, text=True, check=False)
    if again.stdout != run.stdout:
        n_failed += 1
        print('FAIL - the same seeds drew something else')
    print(f'{at} steps; rounding decides {n_close} of them, which were not compared')
    print(f'{N_CASES + 1 - n_failed} passed, {n_failed} failed')
    return n_failed > 0


if __name__ == '__main__':
    sys.exit(main())
