"""`etwmon report`: what it shows (`model`, `read`), and its three forms.

`terminal`, `objects` (JSON) and `html` render the same model; nothing is computed in one of
them that the others cannot show.
"""
