"""The command center: messages of many posts in, one picture out."""
