"""Raw files to a store: source patterns, decoding, processing, measuring, checking."""
