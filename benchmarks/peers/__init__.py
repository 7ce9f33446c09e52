"""One script for each rival. They run in the rivals' own environments and import nothing of streamtrader."""
