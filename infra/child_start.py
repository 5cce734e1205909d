"""The start of a child process: `python -m infra.child_start MODULE ...` runs a module of ours, tuned for its start.

A module cannot do this for itself: what it imports is imported before its first line runs.
"""

import runpy
import sys

from infra.settings import tune_start

if __name__ == "__main__":
    tune_start()
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
