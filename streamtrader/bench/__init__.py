"""The measuring suite behind `streamtrader bench`; `benchmarks/` sets its figures beside those of rivals.

`data`, `frames` and `server` need NumPy and the standard library only: they also run in the rivals' environments.
"""
