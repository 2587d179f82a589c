# admins.pp

# NOTE: append new accounts to the bottom of the list
# NOTE: to disable an account, set $enabled to false and ensure => absent for each key

define unixaccount($username, $uid, $gid, $enabled="true") {
	if defined(Class["nfs::home"]) {
		$manage_home = "false"
	} else {
		$manage_home = "true"
	}

	user { "${username}":
		name		=> $username,
		uid		=> $uid,
		gid		=> $gid,
		comment		=> $title,
		ensure		=> $enabled ? {
					"false" => 'absent',
					default => 'present',
				},
		managehome	=> $manage_home,
		allowdupe	=> false,
	}
}

class groups {
	class wikidev {
		group { "wikidevgroup":
			name		=> "wikidev",
			gid		=> 500,
			ensure		=> present,
		}
	}
}

class baseaccount {
	$enabled = "true"

        if !defined(Class["nfs::home"]) {
                $manage_home = "true"
        }

	Ssh_authorized_key {
		ensure => $enabled ? {
			"false" => 'absent',
			 default => 'present',
			}
	}
}

class accounts {
	class alice inherits baseaccount {
		$username = "alice"
		$realname = "Alice Liddell"
		$uid = 1001

		unixaccount { $realname: username => $username, uid => $uid, gid => $gid }

                if $manage_home {
                        Ssh_authorized_key { require => Unixaccount[$realname]}

                        ssh_authorized_key {
				"alice@laptop":
					ensure	=> present,
					user	=> $username,
					type	=> "ssh-ed25519",
					key	=> "AAAAC3NzaC1lZDI1NTE5AAAAIPWxZSJKWLeR32rx2DA+Yc3Eu4bD0cQnEDw0TEGJ6y8e";
				"alice's old one":	# lost in 2011
					ensure	=> absent,
					user	=> $username,
					type	=> "ssh-ed25519",
					key	=> "AAAAC3NzaC1lZDI1NTE5AAAAIHOpvvSZu/Tce9Kk8sivW9mfJnoO0xlyF90ruhU3Q25c",
			}
		}
	}
	class bob inherits baseaccount {
		$username = "bob"
		$realname = "Bob \"Bobby\" O'Neil"
		$uid = 1002 # reserved in LDAP
		$gid = 500

		unixaccount { "Bob \"Bobby\" O'Neil": username => $username, uid => $uid, gid => $gid }

		if $manage_home {
			if $svnkey {
				ssh_authorized_key { "bob@svn":
					ensure => present,
					user => $username,
					type => "ssh-ed25519",
					key => "AAAAC3NzaC1lZDI1NTE5AAAAIP0/6zySULeXSptSi2ljYyGkYbVe9Vt76v2Ampqeklt5"
				}
			}
		}
		file { "/home/bob/.bashrc": source => "puppet:///files/bob/.bashrc" }
	}

	/* left in 2012: the account stays,
	   its keys do not } */
	class carol inherits baseaccount {
		$username = "carol"
		$realname = "Carol"
		$enabled = "false"
		$uid = 1003

		unixaccount { $realname: username => $username, uid => $uid, gid => $gid, enabled => $enabled }

		if $enabled == "true" and $manage_home {
			ssh_authorized_key { "carol":
				ensure	=> absent,
				user	=> $username,
				type	=> "ssh-ed25519",
				key	=> "AAAAC3NzaC1lZDI1NTE5AAAAINelbTz8+aRNxxZpGs2robipEmRlQ8aXelpDrCdTzxAX"
			}
		}
	}

	class dave inherits baseaccount {
		$username = "dave"
		$realname = "Dave"
		$uid = 1004
		$enabled = $svnkey ? {
			"true" => 'true',
			default => 'false'
			}

		unixaccount { $realname: username => $username, uid => $uid, gid => $gid }
	}

	class erin inherits baseaccount {
		$username = "erin"
		$realname = "Erin"
		$uid = 1005

		unixaccount { $realname: username => $username, uid => $uid, gid => $gid }

		if $manage_home {
			Ssh_authorized_key { require => Unixaccount[$realname] }

			# new key
			ssh_authorized_key { "erin@desk":
				ensure	=> present, # RT 1
				user	=> $username,
				type	=> "ssh-ed25519",
				key	=> "AAAAC3NzaC1lZDI1NTE5AAAAIEV8dp852GRBmcDlvbz7yFs3zpHL3h/BsOprRPEwQ23X",
			}
		}
	}

	# FIXME: not an admin
	class mover inherits baseaccount {
		$username = "mover"
		$realname = "mover"
		$uid = 10002
		$gid = 10002
		include groups::wikidev

		unixaccount { $realname: username => $username, uid => $uid, gid => $gid }
	}
}

class admins::roots {
	$gid = 500	# 'wikidev' by default
	include groups::wikidev

	# in addition, the key goes into root-authorized-keys
	include	accounts::alice
	include accounts::carol # access revoked
	include accounts::erin #shell
}
# mortals deploy
class admins::mortals {
	$gid = 500	# 'wikidev' by default
	include groups::wikidev

	include accounts::bob
	include accounts::dave
}
class admins::everybody {
	include admins::roots, admins::mortals
}
