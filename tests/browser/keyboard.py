"""A person without a mouse: keys, and a look at where the focus is after each of them."""

from __future__ import annotations

from typing import Any

FOCUS = """() => {
  const here = document.activeElement;
  if (!here || here === document.body) return null;
  const box = here.getBoundingClientRect(), style = getComputedStyle(here);
  const within = (middle, size) => Math.min(Math.max(middle, 0), size - 1);
  const top = document.elementFromPoint(within(box.x + box.width / 2, innerWidth), within(box.y + box.height / 2, innerHeight));
  return {
    what: here.outerHTML.slice(0, 120),
    inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    covered: !(top && (here.contains(top) || top.contains(here) || top.labels || top.closest('label')?.control === here)),
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    field: here.matches('#answer, main, dialog, [tabindex="-1"]'),
  };
}"""

FARTHEST = 400
"""Tabs; the longest way through a room in its worst state is about 250."""


class Keyboard:
    """What one can do with keys alone. After every key the focus must be somewhere, seen, and not covered."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.visited: list[str] = []

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def types(self, text: str) -> None:
        self.page.keyboard.type(text)

    def look(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.page.evaluate(FOCUS)
        if found is not None:
            self.visited.append(found["what"])
            assert found["inside"], f"the focus is out of sight: {found['what']}"
            assert not found["covered"], f"the focus is under something: {found['what']}"
            assert found["outlined"] or found["field"], f"the focus can't be seen: {found['what']}"
        return found

    def at(self, selector: str) -> bool:
        """Whether the focus is on what `selector` names."""
        return bool(self.page.evaluate("selector => document.activeElement.matches(selector)", selector))

    def arrives(self, selector: str) -> None:
        """Wait until the page itself has led the focus to what `selector` names."""
        self.page.wait_for_function("selector => document.activeElement.matches(selector)", arg=selector)
        self.look()

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Press Tab until the focus is there."""
        for _ in range(FARTHEST):
            if self.at(selector):
                return
            self.press(key)
            self.look()
        raise AssertionError(f"{selector} can't be reached with {key}; the last stops: {self.visited[-8:]}")

    def enters(self, selector: str) -> None:
        """Go there and press Enter."""
        self.tab_to(selector)
        self.press("Enter")

    def does(self, name: str) -> None:
        """Lead to a form by the palette: Ctrl-K, some letters, Enter."""
        self.press("Control+k")
        self.arrives("dialog input")
        self.types(name)
        self.press("Enter")
