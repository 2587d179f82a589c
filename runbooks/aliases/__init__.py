"""Mail aliases: the files of a private repository from which mail hosts take them."""
