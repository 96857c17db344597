"""How the directions of each kind of method are found, one file each: a `base.Run` becomes a `DiscoveryResult`."""
