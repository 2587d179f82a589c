# The mail aliases of every domain: a file, or a link to another domain's.
class privateexim {
  $aliases = '/etc/exim4/aliases'

  # Domains with a file of their own in this module, and links that are kept beside them. Nothing else stays.
  file { $aliases:
    ensure  => directory,
    source  => 'puppet:///modules/privateexim',
    recurse => true,
    purge   => true,
    force   => true,
    links   => manage,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
  }

  # Domains that are the same as the main one.
  ['example.edu', 'www.example.org'].each |$domain| {
    file { "${aliases}/${domain}":
      ensure => link,
      target => 'example.org',
    }
  }

  # Domains that are the same as another one.
  file { "${aliases}/example.biz":
    ensure => link,
    target => 'example.com',
  }

  # A domain that has no file.
  file { "${aliases}/example.museum":
    content => "# puppet writes this: see the manifest\nvisit: info@example.com\n",
    mode    => '0444',
  }
}
