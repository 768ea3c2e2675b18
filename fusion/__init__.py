"""Detections to tracks. Pure: no input or output, no clock, no chance, no globals, no logging."""
