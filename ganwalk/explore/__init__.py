"""The page of `ganwalk explore`: sliders for directions in a browser, on this machine.

`sides` are the directions, `state` is what a page shows, `studio` what all pages share, `queue` whose turn it is,
`exports` what can be taken home, `gate` who may come in, `page` and its parts what people see, `server` the start.
"""
