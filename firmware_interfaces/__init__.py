"""Bytes to messages to facts, one file a protocol. Pure: bytes and time come in as data."""
