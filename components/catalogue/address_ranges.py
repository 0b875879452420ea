"""Ranges of addresses that are not of the internet."""

from __future__ import annotations

from ipaddress import IPv4Network

PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918."""

SHARED = IPv4Network("100.64.0.0/10")
"""RFC 6598: what providers have behind their own address translation; a virtual network may use it too."""
