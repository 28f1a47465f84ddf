"""Who runs trials: the loop, its death and resurrection, several on one machine."""
