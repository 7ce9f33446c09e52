"""What the engine costs, and what its rivals cost on the same machine and the same work.

Nothing here is a test with a clock in it: each script measures one thing and prints one line of JSON, and
`run_peers` sets ours beside theirs in one run. Run them from the root of the project: `python -m benchmarks.NAME`.
"""
