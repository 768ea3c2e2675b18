"""Sarhad's command line and demo: the only place that knows both the post and the center."""

import time

STARTED_S = time.monotonic()  # when this process began to load our code: a shell may have run others in it before
