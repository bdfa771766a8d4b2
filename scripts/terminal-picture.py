#!/usr/bin/env python3
"""Draws text as a terminal: an SVG for the README.

    make demo 2>&1 | scripts/terminal-picture.py > docs/demo.svg

Folders above the checkout and long digests are cut, so that the picture is the same everywhere. Long
lines are wrapped at words."""
import html
import os
import re
import sys
import textwrap

WIDTH, LINE, LEFT, TOP = 116, 17, 14, 44

lines = []
for line in sys.stdin.read().splitlines():
    if line.startswith('make'):
        continue
    line = line.replace(os.getcwd() + '/', '').rstrip()
    line = re.sub(r'([0-9a-f]{12})[0-9a-f]{52}', r'\1...', line)
    lines += textwrap.wrap(line, WIDTH, break_on_hyphens=False) if len(line) > WIDTH + 2 else [line]
while lines and not lines[0]:
    lines.pop(0)
while lines and not lines[-1]:
    lines.pop()

width, height = LEFT * 2 + int(WIDTH * 7.85), TOP + LINE * len(lines) + 10
out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
       f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">',
       f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f27"/>']
for i, colour in enumerate(('#ff5f57', '#febc2e', '#28c840')):
    out.append(f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="{colour}"/>')
for i, line in enumerate(lines):
    colour = '#c9d1d9'
    if re.match(r'\d\. |That was', line):
        colour = '#ffffff'
    elif re.match(r'  \$ |       --', line):
        colour = '#7ee787'
    elif line.startswith('modelhost:'):
        colour = '#8b949e'
    out.append(f'<text x="{LEFT}" y="{TOP + LINE * i}" fill="{colour}" xml:space="preserve">'
               f'{html.escape(line[:WIDTH + 2])}</text>')
out.append('</svg>')
print('\n'.join(out))
