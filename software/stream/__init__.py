"""Streams: sound or events without end through a network, and the words that are spotted in them."""
