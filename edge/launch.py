"""Starting one of our own modules as a process, so that it runs the code that we run.

`python -m MODULE` looks for modules in the working folder first: a file called `json.py` or `edge.py` that happens to lie
there would be taken for ours. (`python -P` would not, but only from 3.11 on.)
"""

from __future__ import annotations

from pathlib import Path

OUR_CODE = str(Path(__file__).resolve().parents[1])  # the checkout, or the folder a wheel was installed to
LAUNCHER = (
    "import runpy, sys; "
    "sys.path[:1] = [] if sys.path[:1] == [''] else sys.path[:1]; "
    f"{OUR_CODE!r} in sys.path or sys.path.insert(0, {OUR_CODE!r}); "
    "del sys.argv[0]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def module_arguments(module: str, *arguments: str) -> tuple[str, ...]:
    """What comes after `python` to run a module as `python -m MODULE ARGUMENTS` would, but for the working folder."""
    return ("-c", LAUNCHER, module, *arguments)
