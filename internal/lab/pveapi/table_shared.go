package pveapi

// sharedTable holds what several methods have in common: @fragments of parameters
// and #objects, the property strings that a parameter may hold.
const sharedTable = `
@node
  node string fmt=pve-node
@guest
  node string fmt=pve-node
  vmid integer min=100 max=999999999 fmt=pve-vmid
@lxc-options
  arch? string enum=amd64,i386,arm64,armhf,riscv32,riscv64
  cmode? string enum=shell,console,tty
  console? boolean
  cores? integer min=1 max=8192
  cpulimit? number min=0 max=8192
  cpuunits? integer min=0 max=500000
  debug? boolean
  description? string maxlen=8192
  dev[0..255]? string props=lxc-dev
  entrypoint? string until=9.1 re=(?^:[^\x00-\x08\x10-\x1F\x7F]+)
  entrypoint? string since=9.2 re=(?^:[^\x00-\x08\x0a-\x1F\x7F]+)
  env? string until=9.1 re=(?^:(?:\w+=[^\x00-\x08\x10-\x1F\x7F]*)(?:\0\w+=[^\x00-\x08\x10-\x1F\x7F]*)*)
  env? string since=9.2 re=(?^:(?:\w+=[^\x00-\x08\x0a-\x1F\x7F]*)(?:\0\w+=[^\x00-\x08\x0a-\x1F\x7F]*)*)
  features? string props=lxc-features
  hookscript? string fmt=pve-volume-id
  hostname? string maxlen=255 fmt=dns-name
  lock? string enum=backup,create,destroyed,disk,fstrim,migrate,mounted,rollback,snapshot,snapshot-delete
  memory? integer min=16
  mp[0..255]? string until=9.1 props=lxc-mp-9.1
  mp[0..255]? string since=9.2 props=lxc-mp
  nameserver? string fmt=lxc-ip-with-ll-iface-list
  net[0..31]? string props=lxc-net
  onboot? boolean
  ostype? string enum=debian,devuan,ubuntu,centos,fedora,opensuse,archlinux,alpine,gentoo,nixos,unmanaged
  protection? boolean
  rootfs? string until=9.1 props=lxc-rootfs-9.1
  rootfs? string since=9.2 props=lxc-rootfs
  searchdomain? string fmt=dns-name-list
  startup? string fmt=pve-startup-order
  swap? integer min=0
  tags? string fmt=pve-tag-list
  template? boolean
  timezone? string fmt=pve-ct-timezone
  tty? integer min=0 max=6
  unprivileged? boolean
  unused[0..255]? string props=lxc-unused
@storage-options
  blocksize? string until=9.1
  blocksize? string since=9.2 fmt=pve-storage-zfs-blocksize
  bwlimit? string props=bwlimit
  comstar_hg? string
  comstar_tg? string
  content? string fmt=pve-storage-content-list
  content-dirs? string fmt=pve-dir-override-list
  create-base-path? boolean
  create-subdirs? boolean
  data-pool? string
  disable? boolean
  domain? string maxlen=256
  encryption-key? string
  fingerprint? string re=([A-Fa-f0-9]{2}:){31}[A-Fa-f0-9]{2}
  format? string enum=raw,qcow2,subvol,vmdk
  fs-name? string fmt=pve-configid
  fuse? boolean
  is_mountpoint? string
  keyring? string
  krbd? boolean
  lio_tpg? string
  master-pubkey? string
  max-protected-backups? integer min=-1
  mkdir? boolean
  monhost? string fmt=pve-storage-portal-dns-list
  mountpoint? string fmt=pve-storage-path
  namespace? string
  nocow? boolean
  nodes? string fmt=pve-node-list
  nowritecache? boolean
  options? string fmt=pve-storage-options
  password? string maxlen=256
  pool? string
  port? integer min=1 max=65535
  preallocation? string enum=off,metadata,falloc,full
  prune-backups? string fmt=prune-backups
  saferemove? boolean
  saferemove-stepsize? integer enum=1,2,4,8,16,32
  saferemove_throughput? string
  server? string fmt=pve-storage-server
  shared? boolean
  skip-cert-verification? boolean
  smbversion? string enum=default,2.0,2.1,3,3.0,3.11
  snapshot-as-volume-chain? boolean
  sparse? boolean
  subdir? string fmt=pve-storage-path
  tagged_only? boolean
  username? string
  zfs-base-path? string fmt=pve-storage-path
@rule
  comment? string
  dest? string maxlen=512 fmt=pve-fw-addr-spec
  digest? string maxlen=64
  dport? string fmt=pve-fw-dport-spec
  enable? integer min=0
  icmp-type? string fmt=pve-fw-icmp-type-spec
  iface? string minlen=2 maxlen=20 fmt=pve-iface
  log? string enum=emerg,alert,crit,err,warning,notice,info,debug,nolog
  macro? string maxlen=128
  proto? string fmt=pve-fw-protocol-spec
  source? string maxlen=512 fmt=pve-fw-addr-spec
  sport? string fmt=pve-fw-sport-spec
@pool
  allow-move? boolean
  comment? string
  delete? boolean
  poolid string fmt=pve-poolid
  storage? string fmt=pve-storage-id-list
  vms? string fmt=pve-vmid-list
#bwlimit
  clone? number min=0
  default? number min=0
  migration? number min=0
  move? number min=0
  restore? number min=0
#lxc-dev
  deny-write? boolean
  gid? integer min=0
  mode? string re=0[0-7]{3}
  path? string fmt=pve-lxc-dev-string default-key
  uid? integer min=0
#lxc-features
  force_rw_sys? boolean
  fuse? boolean
  keyctl? boolean
  mknod? boolean
  mount? string re=(?^:[a-zA-Z0-9_; ]+)
  nesting? boolean
#lxc-mp
  acl? boolean
  backup? boolean
  idmap? string re=(?^:^(?:passthrough|[ug]:[0-9]+:[0-9]+:[1-9][0-9]*(?:;[ug]:[0-9]+:[0-9]+:[1-9][0-9]*)*)$)
  keepattrs? boolean
  mountoptions? string re=(?^:(?^:(discard|lazytime|noatime|nodev|noexec|nosuid))(;(?^:(discard|lazytime|noatime|nodev|noexec|nosuid)))*)
  mp string fmt=pve-lxc-mp-string
  quota? boolean
  replicate? boolean
  ro? boolean
  shared? boolean
  size? string fmt=disk-size
  volume string fmt=pve-lxc-mp-string default-key
#lxc-mp-9.1
  acl? boolean
  backup? boolean
  keepattrs? boolean
  mountoptions? string re=(?^:(?^:(discard|lazytime|noatime|nodev|noexec|nosuid))(;(?^:(discard|lazytime|noatime|nodev|noexec|nosuid)))*)
  mp string fmt=pve-lxc-mp-string
  quota? boolean
  replicate? boolean
  ro? boolean
  shared? boolean
  size? string fmt=disk-size
  volume string fmt=pve-lxc-mp-string default-key
#lxc-net
  bridge? string re=[-_.\w\d]+
  firewall? boolean
  gw? string fmt=ipv4
  gw6? string fmt=ipv6
  host-managed? boolean
  hwaddr? string fmt=mac-addr
  ip? string fmt=pve-ipv4-config
  ip6? string fmt=pve-ipv6-config
  link_down? boolean
  mtu? integer min=64 max=65535
  name string re=[-_.\w\d]+
  rate? number
  tag? integer min=1 max=4094
  trunks? string re=(?^:\d+(?:;\d+)*)
  type? string enum=veth
#lxc-rootfs
  acl? boolean
  idmap? string re=(?^:^(?:passthrough|[ug]:[0-9]+:[0-9]+:[1-9][0-9]*(?:;[ug]:[0-9]+:[0-9]+:[1-9][0-9]*)*)$)
  mountoptions? string re=(?^:(?^:(discard|lazytime|noatime|nodev|noexec|nosuid))(;(?^:(discard|lazytime|noatime|nodev|noexec|nosuid)))*)
  quota? boolean
  replicate? boolean
  ro? boolean
  shared? boolean
  size? string fmt=disk-size
  volume string fmt=pve-lxc-mp-string default-key
#lxc-rootfs-9.1
  acl? boolean
  mountoptions? string re=(?^:(?^:(discard|lazytime|noatime|nodev|noexec|nosuid))(;(?^:(discard|lazytime|noatime|nodev|noexec|nosuid)))*)
  quota? boolean
  replicate? boolean
  ro? boolean
  shared? boolean
  size? string fmt=disk-size
  volume string fmt=pve-lxc-mp-string default-key
#lxc-unused
  volume string fmt=pve-volume-id default-key
#pve-qm-ipconfig
  gw? string fmt=ipv4 requires=ip
  gw6? string fmt=ipv6 requires=ip6
  ip? string fmt=pve-ipv4-config
  ip6? string fmt=pve-ipv6-config
`
