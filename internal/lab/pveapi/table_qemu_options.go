package pveapi

// qemuOptionsTable holds a VM's configuration options and their property strings.
const qemuOptionsTable = `
@qemu-options
  acpi? boolean
  affinity? string fmt=pve-cpuset
  agent? string props=qemu-agent
  allow-ksm? boolean
  amd-sev? string fmt=pve-qemu-sev-fmt
  arch? string enum=x86_64,aarch64
  args? string
  audio0? string props=qemu-audio0
  autostart? boolean
  balloon? integer min=0
  bios? string enum=seabios,ovmf
  boot? string fmt=pve-qm-boot
  bootdisk? string fmt=pve-qm-bootdisk re=(ide|sata|scsi|virtio)\d+
  cdrom? string fmt=pve-qm-ide
  cicustom? string fmt=pve-qm-cicustom
  cipassword? string
  citype? string enum=configdrive2,nocloud,opennebula
  ciupgrade? boolean
  ciuser? string
  cores? integer min=1
  cpu? string fmt=pve-vm-cpu-conf
  cpulimit? number min=0 max=128
  cpuunits? integer min=1 max=262144
  description? string maxlen=8192
  efidisk0? string props=qemu-efidisk0
  freeze? boolean
  hookscript? string fmt=pve-volume-id
  hostpci[0..15]? string fmt=pve-qm-hostpci
  hotplug? string fmt=pve-hotplug-features
  hugepages? string enum=any,2,1024
  ide[0..3]? string props=qemu-ide
  intel-tdx? string fmt=pve-qemu-tdx-fmt
  ipconfig[0..31]? string fmt=pve-qm-ipconfig
  ivshmem? string props=qemu-ivshmem
  keephugepages? boolean
  keyboard? string enum=de,de-ch,da,en-gb,en-us,es,fi,fr,fr-be,fr-ca,fr-ch,hu,is,it,ja,lt,mk,nl,no,pl,pt,pt-br,sv,sl,tr
  kvm? boolean
  localtime? boolean
  lock? string enum=backup,clone,create,migrate,rollback,snapshot,snapshot-delete,suspending,suspended
  machine? string props=qemu-machine
  memory? string props=qemu-memory
  migrate_downtime? number min=0
  migrate_speed? integer min=0
  name? string fmt=dns-name
  nameserver? string fmt=address-list
  net[0..31]? string until=9.1 props=qemu-net-9.1
  net[0..31]? string since=9.2 props=qemu-net
  numa? boolean
  numa[0..7]? string props=qemu-numa
  onboot? boolean
  ostype? string enum=other,wxp,w2k,w2k3,w2k8,wvista,win7,win8,win10,win11,l24,l26,solaris
  parallel[0..2]? string re=/dev/parport\d+|/dev/usb/lp\d+
  protection? boolean
  reboot? boolean
  rng0? string fmt=pve-qm-rng
  sata[0..5]? string props=qemu-sata
  scsi[0..30]? string props=qemu-scsi
  scsihw? string enum=lsi,lsi53c810,virtio-scsi-pci,virtio-scsi-single,megasas,pvscsi
  searchdomain? string
  serial[0..3]? string until=9.1 re=(/dev/.+|socket)
  serial[0..3]? string since=9.2 re=(/dev/[^,]+|socket)
  shares? integer min=0 max=50000
  smbios1? string maxlen=512 fmt=pve-qm-smbios1
  smp? integer min=1
  sockets? integer min=1
  spice_enhancements? string props=qemu-spice_enhancements
  sshkeys? string fmt=urlencoded
  startdate? string re=(now|\d{4}-\d{1,2}-\d{1,2}(T\d{1,2}:\d{1,2}:\d{1,2})?)
  startup? string fmt=pve-startup-order
  tablet? boolean
  tags? string fmt=pve-tag-list
  tdf? boolean
  template? boolean
  tpmstate0? string props=qemu-tpmstate0
  unused[0..255]? string props=qemu-unused
  usb[0..13]? string props=qemu-usb
  vcpus? integer min=1
  vga? string props=qemu-vga
  virtio[0..15]? string props=qemu-virtio
  virtiofs[0..9]? string props=qemu-virtiofs
  vmgenid? string re=(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])
  vmstatestorage? string fmt=pve-storage-id
  watchdog? string fmt=pve-qm-watchdog
#qemu-agent
  enabled boolean default-key
  freeze-fs? boolean
  freeze-fs-on-backup - alias=freeze-fs
  fstrim_cloned_disks? boolean
  guest-fsfreeze - alias=freeze-fs
  type? string enum=virtio,isa
#qemu-audio0
  device string enum=ich9-intel-hda,intel-hda,AC97
  driver? string enum=spice,none
#qemu-efidisk0
  efitype? string enum=2m,4m
  file string fmt=pve-volume-id-or-qm-path default-key
  format? string enum=raw,qcow,qed,qcow2,vmdk,cloop
  import-from? string fmt=pve-volume-id-or-absolute-path
  ms-cert? string enum=2011,2023,2023w,2023k
  pre-enrolled-keys? boolean
  size? string fmt=disk-size
  volume - alias=file
#qemu-ide
  aio? string enum=native,threads,io_uring
  backup? boolean
  bps? integer
  bps_max_length? integer min=1
  bps_rd? integer
  bps_rd_length - alias=bps_rd_max_length
  bps_rd_max_length? integer min=1
  bps_wr? integer
  bps_wr_length - alias=bps_wr_max_length
  bps_wr_max_length? integer min=1
  cache? string enum=none,writethrough,writeback,unsafe,directsync
  detect_zeroes? boolean
  discard? string enum=ignore,on
  file string fmt=pve-volume-id-or-qm-path default-key
  format? string enum=raw,qcow,qed,qcow2,vmdk,cloop
  import-from? string fmt=pve-volume-id-or-absolute-path
  iops? integer
  iops_max? integer
  iops_max_length? integer min=1
  iops_rd? integer
  iops_rd_length - alias=iops_rd_max_length
  iops_rd_max? integer
  iops_rd_max_length? integer min=1
  iops_wr? integer
  iops_wr_length - alias=iops_wr_max_length
  iops_wr_max? integer
  iops_wr_max_length? integer min=1
  mbps? number
  mbps_max? number
  mbps_rd? number
  mbps_rd_max? number
  mbps_wr? number
  mbps_wr_max? number
  media? string enum=cdrom,disk
  model? string maxlen=120 fmt=urlencoded
  replicate? boolean
  rerror? string enum=ignore,report,stop
  serial? string maxlen=60 fmt=urlencoded
  shared? boolean
  size? string fmt=disk-size
  snapshot? boolean
  ssd? boolean
  volume - alias=file
  werror? string enum=enospc,ignore,report,stop
  wwn? string re=(?^:^(0x)[0-9a-fA-F]{16})
#qemu-ivshmem
  name? string re=[a-zA-Z0-9\-]+
  size integer min=1
#qemu-machine
  aw-bits? number min=32 max=64
  enable-s3? boolean
  enable-s4? boolean
  type? string maxlen=40 default-key re=(pc|pc(-i440fx)?-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|q35|pc-q35-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|virt(?:-\d+(\.\d+)+)?(\+pve\d+)?)
  viommu? string enum=intel,virtio
#qemu-memory
  current integer min=16 default-key
#qemu-net
  bridge? string fmt=pve-bridge-id
  e1000 - alias=macaddr keyalias=model
  e1000-82540em - alias=macaddr keyalias=model
  e1000-82544gc - alias=macaddr keyalias=model
  e1000-82545em - alias=macaddr keyalias=model
  e1000e - alias=macaddr keyalias=model
  firewall? boolean
  host-tunnel? boolean
  i82551 - alias=macaddr keyalias=model
  i82557b - alias=macaddr keyalias=model
  i82559er - alias=macaddr keyalias=model
  link_down? boolean
  macaddr? string fmt=mac-addr
  model string enum=e1000,e1000-82540em,e1000-82544gc,e1000-82545em,e1000e,i82551,i82557b,i82559er,ne2k_isa,ne2k_pci,pcnet,rtl8139,virtio,vmxnet3 default-key
  mtu? integer min=1 max=65520
  ne2k_isa - alias=macaddr keyalias=model
  ne2k_pci - alias=macaddr keyalias=model
  pcnet - alias=macaddr keyalias=model
  queues? integer min=0 max=64
  rate? number min=0
  rtl8139 - alias=macaddr keyalias=model
  tag? integer min=1 max=4094
  trunks? string re=(?^:\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*)
  virtio - alias=macaddr keyalias=model
  vmxnet3 - alias=macaddr keyalias=model
#qemu-net-9.1
  bridge? string fmt=pve-bridge-id
  e1000 - alias=macaddr keyalias=model
  e1000-82540em - alias=macaddr keyalias=model
  e1000-82544gc - alias=macaddr keyalias=model
  e1000-82545em - alias=macaddr keyalias=model
  e1000e - alias=macaddr keyalias=model
  firewall? boolean
  i82551 - alias=macaddr keyalias=model
  i82557b - alias=macaddr keyalias=model
  i82559er - alias=macaddr keyalias=model
  link_down? boolean
  macaddr? string fmt=mac-addr
  model string enum=e1000,e1000-82540em,e1000-82544gc,e1000-82545em,e1000e,i82551,i82557b,i82559er,ne2k_isa,ne2k_pci,pcnet,rtl8139,virtio,vmxnet3 default-key
  mtu? integer min=1 max=65520
  ne2k_isa - alias=macaddr keyalias=model
  ne2k_pci - alias=macaddr keyalias=model
  pcnet - alias=macaddr keyalias=model
  queues? integer min=0 max=64
  rate? number min=0
  rtl8139 - alias=macaddr keyalias=model
  tag? integer min=1 max=4094
  trunks? string re=(?^:\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*)
  virtio - alias=macaddr keyalias=model
  vmxnet3 - alias=macaddr keyalias=model
#qemu-numa
  cpus string re=(?^:\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*)
  hostnodes? string re=(?^:\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*)
  memory? number
  policy? string enum=preferred,bind,interleave
#qemu-sata
  aio? string enum=native,threads,io_uring
  backup? boolean
  bps? integer
  bps_max_length? integer min=1
  bps_rd? integer
  bps_rd_length - alias=bps_rd_max_length
  bps_rd_max_length? integer min=1
  bps_wr? integer
  bps_wr_length - alias=bps_wr_max_length
  bps_wr_max_length? integer min=1
  cache? string enum=none,writethrough,writeback,unsafe,directsync
  detect_zeroes? boolean
  discard? string enum=ignore,on
  file string fmt=pve-volume-id-or-qm-path default-key
  format? string enum=raw,qcow,qed,qcow2,vmdk,cloop
  import-from? string fmt=pve-volume-id-or-absolute-path
  iops? integer
  iops_max? integer
  iops_max_length? integer min=1
  iops_rd? integer
  iops_rd_length - alias=iops_rd_max_length
  iops_rd_max? integer
  iops_rd_max_length? integer min=1
  iops_wr? integer
  iops_wr_length - alias=iops_wr_max_length
  iops_wr_max? integer
  iops_wr_max_length? integer min=1
  mbps? number
  mbps_max? number
  mbps_rd? number
  mbps_rd_max? number
  mbps_wr? number
  mbps_wr_max? number
  media? string enum=cdrom,disk
  replicate? boolean
  rerror? string enum=ignore,report,stop
  serial? string maxlen=60 fmt=urlencoded
  shared? boolean
  size? string fmt=disk-size
  snapshot? boolean
  ssd? boolean
  volume - alias=file
  werror? string enum=enospc,ignore,report,stop
  wwn? string re=(?^:^(0x)[0-9a-fA-F]{16})
#qemu-scsi
  aio? string enum=native,threads,io_uring
  backup? boolean
  bps? integer
  bps_max_length? integer min=1
  bps_rd? integer
  bps_rd_length - alias=bps_rd_max_length
  bps_rd_max_length? integer min=1
  bps_wr? integer
  bps_wr_length - alias=bps_wr_max_length
  bps_wr_max_length? integer min=1
  cache? string enum=none,writethrough,writeback,unsafe,directsync
  detect_zeroes? boolean
  discard? string enum=ignore,on
  file string fmt=pve-volume-id-or-qm-path default-key
  format? string enum=raw,qcow,qed,qcow2,vmdk,cloop
  import-from? string fmt=pve-volume-id-or-absolute-path
  iops? integer
  iops_max? integer
  iops_max_length? integer min=1
  iops_rd? integer
  iops_rd_length - alias=iops_rd_max_length
  iops_rd_max? integer
  iops_rd_max_length? integer min=1
  iops_wr? integer
  iops_wr_length - alias=iops_wr_max_length
  iops_wr_max? integer
  iops_wr_max_length? integer min=1
  iothread? boolean
  mbps? number
  mbps_max? number
  mbps_rd? number
  mbps_rd_max? number
  mbps_wr? number
  mbps_wr_max? number
  media? string enum=cdrom,disk
  product? string re=[A-Za-z0-9\-_\s]{,16}
  queues? integer min=2
  replicate? boolean
  rerror? string enum=ignore,report,stop
  ro? boolean
  scsiblock? boolean
  serial? string maxlen=60 fmt=urlencoded
  shared? boolean
  size? string fmt=disk-size
  snapshot? boolean
  ssd? boolean
  vendor? string re=[A-Za-z0-9\-_\s]{,8}
  volume - alias=file
  werror? string enum=enospc,ignore,report,stop
  wwn? string re=(?^:^(0x)[0-9a-fA-F]{16})
#qemu-spice_enhancements
  foldersharing? boolean
  videostreaming? string enum=off,all,filter
#qemu-tpmstate0
  file string fmt=pve-volume-id-or-qm-path default-key
  format? string enum=raw,qcow2,vmdk
  import-from? string fmt=pve-volume-id-or-absolute-path
  size? string fmt=disk-size
  version? string enum=v1.2,v2.0
  volume - alias=file
#qemu-unused
  file string fmt=pve-volume-id default-key
  volume - alias=file
#qemu-usb
  host? string default-key re=(?^:(?:(?:(?^:(0x)?([0-9A-Fa-f]{4}):(0x)?([0-9A-Fa-f]{4})))|(?:(?^:(\d+)\-(\d+(\.\d+)*)))|[Ss][Pp][Ii][Cc][Ee]))
  mapping? string fmt=pve-configid
  usb3? boolean
#qemu-vga
  clipboard? string enum=vnc
  memory? integer min=4 max=512
  type? string enum=cirrus,qxl,qxl2,qxl3,qxl4,none,serial0..serial3,std,virtio,virtio-gl,vmware default-key
#qemu-virtio
  aio? string enum=native,threads,io_uring
  backup? boolean
  bps? integer
  bps_max_length? integer min=1
  bps_rd? integer
  bps_rd_length - alias=bps_rd_max_length
  bps_rd_max_length? integer min=1
  bps_wr? integer
  bps_wr_length - alias=bps_wr_max_length
  bps_wr_max_length? integer min=1
  cache? string enum=none,writethrough,writeback,unsafe,directsync
  detect_zeroes? boolean
  discard? string enum=ignore,on
  file string fmt=pve-volume-id-or-qm-path default-key
  format? string enum=raw,qcow,qed,qcow2,vmdk,cloop
  import-from? string fmt=pve-volume-id-or-absolute-path
  iops? integer
  iops_max? integer
  iops_max_length? integer min=1
  iops_rd? integer
  iops_rd_length - alias=iops_rd_max_length
  iops_rd_max? integer
  iops_rd_max_length? integer min=1
  iops_wr? integer
  iops_wr_length - alias=iops_wr_max_length
  iops_wr_max? integer
  iops_wr_max_length? integer min=1
  iothread? boolean
  mbps? number
  mbps_max? number
  mbps_rd? number
  mbps_rd_max? number
  mbps_wr? number
  mbps_wr_max? number
  media? string enum=cdrom,disk
  replicate? boolean
  rerror? string enum=ignore,report,stop
  ro? boolean
  serial? string maxlen=60 fmt=urlencoded
  shared? boolean
  size? string fmt=disk-size
  snapshot? boolean
  volume - alias=file
  werror? string enum=enospc,ignore,report,stop
#qemu-virtiofs
  cache? string enum=auto,always,metadata,never
  direct-io? boolean
  dirid string fmt=pve-configid default-key
  expose-acl? boolean
  expose-xattr? boolean
`
