# Aliases of example.com.
postmaster: postmaster@example.org
info: @PERSON@
# T1033
sales: info@example.com, sales@example.net
