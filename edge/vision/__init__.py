"""Camera packets to detections: decode, choose where to look, look. Runs as a process of its own (`python -m edge.vision`)."""
