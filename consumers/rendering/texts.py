"""The texts of an order, as far as the font can draw them, and what is said of those that it cannot."""

from dataclasses import dataclass, field

from consumers.rendering.lettering import drawable
from storage.renders import RenderOrder


@dataclass(slots=True)
class Lettered:
    """Collects the scripts that the font lacks, over all texts that were asked for."""

    uncovered: dict[str, None] = field(default_factory=dict)

    def __call__(self, text: object) -> str:
        """The text as it can be drawn. One with letters that the font lacks is not drawn in part: it is empty."""
        found = drawable(text) if isinstance(text, str) else drawable("")
        self.uncovered.update(dict.fromkeys(found.uncovered))
        return "" if found.uncovered else found.text

    def notes(self) -> list[str]:
        """What a partner is to know of the pictures."""
        if not self.uncovered:
            return []
        scripts = ", ".join(script.capitalize() for script in self.uncovered)
        return [f"Texts with letters that the font does not cover ({scripts}) are not drawn."]


def brand_name(order: RenderOrder) -> str:
    """As the project has it."""
    return str(order.brand.get("name") or "")
