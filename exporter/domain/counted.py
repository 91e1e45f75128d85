"""How far one part of a Source's past is read: the value of its mark `counted/PART`."""

from dataclasses import dataclass

COUNTED = "counted/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Rows read of rows there are; `of` is 0 where nobody said how many there are."""

    read: int = 0
    of: int = 0

    @property
    def over(self) -> bool:
        """Whether all of it is read."""
        return 0 < self.of <= self.read

    def and_read(self, rows: int, *, more: bool) -> "Counted":
        """After another page of so many rows; without `more` behind it all is read, however many were counted."""
        read = self.read + rows
        end = self.of or read
        return Counted(read=min(read, end), of=self.of) if more else Counted(read=end, of=end)


def write_counted(counted: Counted) -> str:
    """As a mark."""
    return f"{counted.read} {counted.of}"


def read_counted(mark: str) -> Counted:
    """From a mark."""
    read, _, of = mark.partition(" ")
    return Counted(read=int(read), of=int(of))
