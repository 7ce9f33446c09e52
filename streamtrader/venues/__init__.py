"""Where bytes enter: one sans-I/O adapter a venue, one socket loop for all of them."""
