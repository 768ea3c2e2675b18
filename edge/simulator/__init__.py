"""A simulated border post: devices that speak bytes and pixels, and the truth behind them."""
