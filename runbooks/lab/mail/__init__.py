"""Mail in the lab: Mailman 3 and exim, both real, from which no mail ever leaves the machine."""

ADDRESS = "127.0.0.1"
LISTS = "lists.example.org"
"""The domain that is Mailman's."""
MAILBOXES = "example.net"
"""A domain of which every address is a mailbox; that of the lab's people is another."""
