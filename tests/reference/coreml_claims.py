#!/usr/bin/env python3
"""coreml_claims.py - what the tables of plugins/coreml-ane say is computed, and none of these models has.

    coreml_claims.py layers|operations plugins/coreml-ane MODEL...

Prints each and fails, when there is one: MODEL are those whose answers are compared with numpy or torch. Of layers also
the activations, and the functions of 'unary'.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_files import fields, message, number, text  # noqa: E402

ACTIVATION, UNARY = 130, 220


def rows(folder, names, pattern):
    """The first column of the tables in these files; that there is none is an error of this script."""
    paths = glob.glob(os.path.join(folder, names))
    found = [row for path in paths for row in re.findall(pattern, open(path).read())]
    assert found, f"no row of a table in {names} looks like {pattern}"
    return found


# ---- layers

def claimed_layers(folder):
    kinds = rows(folder, "translate_kinds.c", r"\{(\d+), (?:translate|exact)_")
    activations = rows(folder, "translate_elements.c", r"\{(\d+), MAP_\w+, \d\}")
    n_functions, = rows(folder, "translate_elements.c", r'read_choice\(t, params, "type", (\d+)\)')
    return ({f"layer {k}" for k in kinds} | {f"activation {a}" for a in activations} |
            {f"unary {i}" for i in range(int(n_functions))})


def layers_of(path):
    model = fields(open(path, "rb").read())
    for layer in map(fields, next(message(model, f) for f in (500, 403, 303) if f in model)[1]):
        kind = next(k for k in layer if k >= 100)
        params = fields(layer[kind][0])
        yield f"layer {kind}"
        if kind == ACTIVATION:
            yield f"activation {next(iter(params))}"
        if kind == UNARY:
            yield f"unary {number(params, 1)}"


# ---- operations

def claimed_operations(folder):
    return set(rows(folder, "program_parameters.c", r'\{"(\w+)",') +
               rows(folder, "program_*.c", r'\{"(\w+)",\s*(?:translate_|MAP_|BINARY_|REDUCE_)') +
               rows(folder, "../../store/coreml/coreml_constexpr.c", r'\{"(\w+)",\s*expand_'))


def values(parent, field):
    return [message(fields(entry), 2) for entry in parent.get(field, [])]


def operations_in(block):
    for operation in map(fields, block.get(3, [])):
        yield text(operation, 1)
        for inner in operation.get(4, []):
            yield from operations_in(fields(inner))


def operations_of(package):
    for path in glob.glob(os.path.join(glob.escape(package), "Data", "**", "*.mlmodel"), recursive=True):
        for function in values(message(fields(open(path, "rb").read()), 502), 2):
            for block in values(function, 3):
                yield from operations_in(block)


def main(which, folder, *models):
    claimed, of = {"layers": (claimed_layers, layers_of), "operations": (claimed_operations, operations_of)}[which]
    missing = sorted(claimed(folder) - {has for model in models for has in of(model)})
    for one in missing:
        print(f"{one} is computed, and no model compares it")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
