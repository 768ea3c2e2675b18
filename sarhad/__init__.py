"""Sarhad's command line and demo: the only place that knows both the post and the center."""
