"""The two signs, as SVG: a flame for what trains, a snowflake for what is frozen.

Drawn, not emoji: not every machine has an emoji font, and these take the page's colours.
"""

FLAME = (
    '<svg class="q-sign q-trains" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2.5c.6 3.4 '
    "2.4 4.9 4 6.7 1.3 1.5 2 3.2 2 5.1a6 6 0 1 1-12 0c0-1.5.5-2.9 1.5-4.1.3 1.5 1 2.3 1.9 "
    '2.8C9.1 9.4 9.7 5.6 12 2.5z"/></svg>'
)
SNOWFLAKE = (
    '<svg class="q-sign q-frozen" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3v18M4.2 '
    "7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 7l2.5-2.5M9.5 19.5 12 17l2.5 2.5M5 11l3.3-1-.8-3.4M19 "
    '13l-3.3 1 .8 3.4M19 11l-3.3-1 .8-3.4M5 13l3.3 1-.8 3.4"/></svg>'
)
