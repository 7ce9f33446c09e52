"""The embedded exchange: a real server on loopback that speaks a venue's public wire protocol.

Run as its own process (`python -m streamtrader.exchange`, started by `process.start_exchange`). It shares wire
formats with the engine and nothing else, so that each is the other's check. Modules here must not import the
compiler: the process is to be listening a fraction of a second after it was asked for.
"""
