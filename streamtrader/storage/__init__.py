"""What is kept: the tape of everything the engine saw, the database of what it did, checkpoints, run directories."""
