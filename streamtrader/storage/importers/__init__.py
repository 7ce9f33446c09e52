"""Foreign data sets as tapes, through one seam.

An importer is a function of files and an `Intake`: it returns streams, generators of arrays of events in the order of
their clocks, each array of whole messages, and tells the `Intake` which instruments there are and what it left out.
`writing.write_tape` merges the streams and is the only way to a tape. `detecting.IMPORTERS` names them all.

Bad input is an error that names file, line and column, and leaves nothing behind.
"""
