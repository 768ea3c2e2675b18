"""What was seen, provable afterwards. Pure: works on open streams and bytes."""
