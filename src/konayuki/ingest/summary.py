"""What an update of an index did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from konayuki.ingest.records import Remarks
from konayuki.text import counted


@dataclass
class Summary:
    """What an update did.

    Attributes:
        files: Files that were read or had not changed.
        unchanged: How many of them had not changed.
        passages: Passages that were taken in.
        removed: Passages that were removed.
        moved: The new names of files that were moved, by the old ones.
        gone: Files that were forgotten because they do not exist any more.
        empty: Rows of tables and JSON Lines without text and title, which were left out.
        bad_rows: Rows that cannot be used, which were left out.
        ignored: Numbers of files in folders that are of other kinds than are read, by suffix.
        left_out: Numbers of files in folders that were left out on purpose, by reason.
        skipped: Files in folders that could not be read, with reasons.
        warnings: What was changed or left out in files that were read.

    Examples:
        >>> from konayuki.ingest import update
        >>> _ = Path("a.txt").write_text("雪が降る。", encoding="utf-8")
        >>> summary = update(index, ["a.txt"])
        >>> summary.files, summary.unchanged, summary.passages
        (1, 0, 1)
    """

    files: int = 0
    unchanged: int = 0
    passages: int = 0
    removed: int = 0
    moved: dict[str, str] = field(default_factory=dict)
    gone: int = 0
    empty: int = 0
    bad_rows: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(
        self, name: str, remarks: Remarks, lost: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Take in what the reading of a file gave.

        Args:
            name: The file.
            remarks: What its reader has to say.
            lost: Ids of rows that it did not get, by the file that has them.
        """
        self.empty += remarks.n_empty
        self.bad_rows += (bad := remarks.bad).number
        if bad.number:
            reasons = "\n".join(map(str, bad.first))
            more = f"\n(first {len(bad.first)} of {bad.number})"
            reasons += more if bad.number > len(bad.first) else ""
            self.warnings.append(f"{name}: {counted(bad.number, 'row')} left out:\n{reasons}")
        if remarks.guess:
            self.warnings.append(f"{name}: {remarks.guess}\nhint: --text-column NAME decides")
        if remarks.n_paths:
            rows = counted(remarks.n_paths, "row")
            self.warnings.append(f"{name}: 'path' was replaced by the path of the file in {rows}")
        if remarks.repeated:
            self.warnings.append(
                f"{name}: {named(remarks.repeated)} more than once: the last row counts"
            )
        for owner, ids in (lost or {}).items():
            which = "it" if len(ids) == 1 else "them"
            self.warnings.append(f"{name}: {named(ids)} left out: {owner} had {which} first")


def named(ids: Sequence[str]) -> str:
    """Return ids in words, three of them at most."""
    shown = ", ".join(map(repr, ids[:3]))
    if len(ids) > 3:
        return f"{len(ids)} ids ({shown}, …)"
    return f"id {shown}" if len(ids) == 1 else f"ids {shown}"
