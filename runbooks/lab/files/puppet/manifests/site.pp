# Every host of the fleet carries the accounts.
node default {
  include admin
}
