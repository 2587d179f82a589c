"""A stand-in for GNU Mailman 2.1.39, which no system packages any more and no Python of today runs; for an older one
where mm_cfg.RELEASE says so.

Written by us after its source and help texts; none of its code is in here. It keeps what its commands print, take and
return, and as much of its state as they need: lists/NAME/config.pck and request.pck, data/heldmsg-NAME-ID.pck, locks,
archives. A text is what Python 2 has: a ``str`` here holds bytes, each a character below 256.
"""
