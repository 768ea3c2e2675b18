"""One file a device driver: open, read, stamp, survive its loss."""
