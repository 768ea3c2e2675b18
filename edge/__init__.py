"""The post: readings in through one door, decoded, fused, recorded, published."""
