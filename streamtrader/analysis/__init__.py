"""What a session's records say about it: pure computation over what was asked, filled and shown. No file, no clock."""
