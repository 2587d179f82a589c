# Every host of the fleet carries the accounts.
node default {
  include admin
  # A mail host says so by a fact of its own; its aliases are in the private repository.
  if $facts['role'] == 'mx' {
    include privateexim
  }
}
