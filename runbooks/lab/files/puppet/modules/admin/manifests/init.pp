# Shell accounts, from modules/admin/data/data.yaml.
#
# A host carries every present user that is a member of a group with a gid. The order is the field's: accounts are
# created, keys and groups enforced, and only then absent users are purged, none of it waiting for another. So a purge
# that fails leaves an account without keys and without groups.
class admin {
  $groups = lookup('groups').filter |$name, $group| { 'gid' in $group }
  $listed = unique(flatten($groups.map |$name, $group| { $group['members'] }))
  $users = lookup('users')
  $present = $users.filter |$name, $user| { $user['ensure'] == 'present' and $name in $listed }
  $absent = $users.filter |$name, $user| { $user['ensure'] == 'absent' }

  $groups.each |$name, $group| {
    group { $name:
      ensure => present,
      gid    => $group['gid'],
    }
  }

  $present.each |$name, $user| {
    $home = $user['home_dir'] ? { undef => "/home/${name}", default => $user['home_dir'] }
    user { $name:
      ensure     => present,
      uid        => $user['uid'],
      gid        => $user['gid'] ? { undef => 500, default => $user['gid'] },
      comment    => $user['realname'],
      shell      => $user['shell'] ? { undef => '/bin/bash', default => $user['shell'] },
      home       => $home,
      managehome => true,
      allowdupe  => false,
    }
    # Dot files that people keep in the repository; other homes start from /etc/skel alone.
    if find_file("admin/home/${name}") {
      file { $home:
        ensure  => directory,
        source  => "puppet:///modules/admin/home/${name}",
        recurse => remote,
        owner   => $name,
        group   => 500,
      }
    } else {
      file { $home:
        ensure => directory,
        owner  => $name,
        mode   => '0755',
      }
    }
  }

  # What is not in the registry has no key here.
  file { '/etc/ssh/userkeys':
    ensure  => directory,
    mode    => '0755',
    recurse => true,
    purge   => true,
    force   => true,
  }
  file { '/etc/ssh/userkeys/root':
    source => 'puppet:///modules/secret/root-authorized-keys',
    mode   => '0444',
  }
  $present.each |$name, $user| {
    $keys = flatten([$user['ssh_keys']]).filter |$key| { $key =~ String[1] }
    unless empty($keys) {
      file { "/etc/ssh/userkeys/${name}":
        content => join($keys + [''], "\n"),
        mode    => '0444',
      }
    }
  }

  $groups.each |$name, $group| {
    $members = join(unique(flatten([$group['members']])), ' ')
    exec { "members of ${name}":
      command => "/usr/local/sbin/set-group-members ${name} ${members}",
      unless  => "/usr/local/sbin/set-group-members --check ${name} ${members}",
    }
    if $group['privileges'] =~ Array[String, 1] {
      $lines = $group['privileges'].map |$privilege| { "%${name} ${privilege}\n" }
      file { "/etc/sudoers.d/${name}":
        content => join($lines),
        mode    => '0440',
      }
    }
  }

  # Purged with userdel, which keeps the home.
  $absent.each |$name, $user| {
    user { $name:
      ensure     => absent,
      managehome => false,
    }
  }
}
