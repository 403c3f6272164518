"""Files into documents: readers by suffix, chunking, and bringing an index up to date."""

from konayuki.ingest.chunker import Cutting
from konayuki.ingest.indexing import Summary, update
from konayuki.ingest.readers import find_files, read_records

__all__ = ["Cutting", "Summary", "find_files", "read_records", "update"]
