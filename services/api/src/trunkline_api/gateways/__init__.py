"""Whom api asks over the network: outbound, for the pages that only it can answer."""
