"""Pages and figures of the command in a notebook."""

from __future__ import annotations

# Pixels. A page scrolls within its frame.
HEIGHT = 640


def framed(page: str) -> str:
    """A page as HTML that stands in another page: in a frame, so that its styles and its script stay its own."""
    import html

    return (f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>')
