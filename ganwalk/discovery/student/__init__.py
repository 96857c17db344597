"""The student: a small network, fitted to a generator's features, on which directions are searched in seconds.

    latents and shifts → images (`images`) → coordinates (`reduction`) → fit (`fitting`) → a generator (`generator`)

The student is a generator whose features are the principal coordinates of the network's: start, equalisation and
objectives run on it unchanged. No gradient goes through the network itself.
"""
