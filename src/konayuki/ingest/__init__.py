"""Files into documents: readers by suffix, chunking, and bringing an index up to date."""

from konayuki.ingest.chunker import Cutting
from konayuki.ingest.columns import Columns
from konayuki.ingest.indexing import update
from konayuki.ingest.readers import read_records
from konayuki.ingest.summary import Summary
from konayuki.ingest.walk import Selection, find_files

__all__ = ["Columns", "Cutting", "Selection", "Summary", "find_files", "read_records", "update"]
