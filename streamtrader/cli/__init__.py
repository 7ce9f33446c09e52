"""The commands: parse, call the runtime, print. Nothing is decided here."""
