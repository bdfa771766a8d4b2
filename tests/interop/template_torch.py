#!/usr/bin/python3
"""Runs examples/plugin_template/against_torch.py on the plugin that was built. Env BUILD (default build)."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
try:
    import torch  # noqa: F401
except ImportError as error:
    print(f"skip: {error}\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)
sys.exit(subprocess.run([sys.executable, os.path.join(ROOT, "examples/plugin_template/against_torch.py"),
                         os.path.join(BUILD, "examples/plugin_template.so")],
                        env=dict(os.environ, BUILD=BUILD)).returncode)
