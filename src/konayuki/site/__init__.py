"""Hybrid search inside static pages: an index as files, and the JavaScript that searches them."""

from konayuki.site.build import Settings, build_site
from konayuki.site.folder import add_search
from konayuki.site.summary import Summary

__all__ = ["Settings", "Summary", "add_search", "build_site"]
