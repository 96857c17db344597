"""What developers run from a checkout, through the Makefile; plain standard library."""
