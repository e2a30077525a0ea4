"""The 9:16 picture and the part of it that a platform's own controls leave free."""

from dataclasses import dataclass
from typing import Final

TOP_SHARE: Final = 0.14
BOTTOM_SHARE: Final = 0.35
SIDE_SHARE: Final = 0.06


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels: left and top are inside, right and bottom are the first outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture's size in pixels."""

    width: int = 540
    height: int = 960

    @property
    def unit(self) -> float:
        """What 1 is of a picture that is 540 wide: lengths and type sizes are given in it."""
        return self.width / 540

    @property
    def safe(self) -> Box:
        """Where text may stand."""
        side = -int(-self.width * SIDE_SHARE // 1)
        return Box(
            side,
            -int(-self.height * TOP_SHARE // 1),
            self.width - side,
            self.height + int(-self.height * BOTTOM_SHARE // 1),
        )
